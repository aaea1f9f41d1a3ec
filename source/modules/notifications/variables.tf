variable "context" {
  description = "What the deployment shares: see the root's context.tf."
  type = object({
    prefix  = string
    is_aws  = optional(bool, true)
    arns    = map(string)
    key_arn = string
    target  = object({ has_rule_dead_letters = bool })
  })
}

variable "bus" {
  description = "The bus: its name, and the queue for events a rule could not deliver."
  type        = object({ name = string, dead_letter_arn = string })
}

variable "pattern" {
  description = "Which events it takes: an EventBridge pattern."
  type        = any
}
