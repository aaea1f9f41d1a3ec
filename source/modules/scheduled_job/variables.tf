variable "context" {
  description = "What the deployment shares: see the root's context.tf."
  type = object({
    prefix             = string
    account_id         = string
    region             = string
    is_aws             = optional(bool, true)
    arns               = map(string)
    sqs_url            = string
    key_arn            = string
    key_grants         = list(object({ sid = string, actions = list(string), resources = list(string), conditions = list(object({ test = string, variable = string, values = list(string) })) }))
    alarm_topic_arn    = string
    log_retention_days = number
    log_level          = string
    architecture       = string
    python_version     = string
    tracing            = bool
    environment        = map(string)
  })
}

variable "step" {
  description = "Folder under source/src/postbus/functions, a verb."
  type        = string
}

variable "description" {
  description = "What a run does."
  type        = string
}

variable "every_minutes" {
  description = "Minutes between two runs."
  type        = number

  validation {
    condition     = var.every_minutes >= 1 && floor(var.every_minutes) == var.every_minutes
    error_message = "every_minutes: a whole number, at least 1."
  }
}

variable "archive" {
  description = "The package: where its archive lies, and the hash of its inputs."
  type        = object({ bucket = string, key = string, hash = string })
}

variable "environment" {
  description = "What this step needs beyond what all share."
  type        = map(string)
  default     = {}
}

variable "grants" {
  description = "What the step may do: exact actions on exact ARNs."
  type        = list(object({ sid = string, actions = list(string), resources = list(string), conditions = list(object({ test = string, variable = string, values = list(string) })) }))
  default     = []
}

variable "memory_mb" {
  description = "Memory of the function."
  type        = number
  default     = 512
}

variable "timeout_seconds" {
  description = "The longest one run may take."
  type        = number
  default     = 300
}

variable "reserved_concurrency" {
  description = "The most runs at once; null for no bound of its own."
  type        = number
  default     = null
}

variable "network" {
  description = "Subnets and security groups to attach it to; null for none, as most need none."
  type        = object({ subnet_ids = list(string), security_group_ids = list(string) })
  default     = null
}
