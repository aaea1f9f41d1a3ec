variable "context" {
  description = "What the deployment shares: see the root's context.tf."
  type = object({
    prefix  = string
    is_aws  = optional(bool, true)
    region  = string
    arns    = map(string)
    key_arn = string
    tracing = bool
  })
}

variable "metrics_namespace" {
  description = "Namespace of the project's own metrics."
  type        = string
}

variable "tracing_share" {
  description = "Share of calls that are traced, from 0 to 1."
  type        = number
}

variable "alarms" {
  description = "ARNs of all alarms."
  type        = list(string)
}

variable "queues" {
  description = "Names of the working queues."
  type        = list(string)
}

variable "dead_letters" {
  description = "Names of the queues that should be empty."
  type        = list(string)
}

variable "pipes" {
  description = "Names of the pipes."
  type        = list(string)
}

variable "rules" {
  description = "Names of the bus's rules."
  type        = list(string)
}

variable "functions" {
  description = "Names of the functions."
  type        = list(string)
}

variable "workflow_arn" {
  description = "The business rules."
  type        = string
}
