variable "context" {
  description = "What the deployment shares: see the root's context.tf."
  type = object({
    prefix          = string
    is_aws          = optional(bool, true)
    arns            = map(string)
    sqs_url         = string
    key_arn         = string
    alarm_topic_arn = string
  })
}

variable "archive_pattern" {
  description = "Which events are archived: an EventBridge pattern that leaves out what is replayed."
  type        = any
}

variable "archive_days" {
  description = "How many days events can be replayed; 0 keeps them for ever.  The archive is encrypted by EventBridge with a key of its own: provider 5.100 has no argument for ours (docs/decisions/0011-archive-encryption.md)."
  type        = number

  validation {
    condition     = var.archive_days >= 0 && floor(var.archive_days) == var.archive_days
    error_message = "archive_days: a whole number of days, 0 for ever."
  }
}
