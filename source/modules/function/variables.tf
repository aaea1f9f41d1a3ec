variable "context" {
  description = "What the deployment shares: see the root's context.tf."
  type = object({
    account_id         = string
    region             = string
    arns               = map(string)
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

variable "name" {
  description = "The function's full name."
  type        = string
}

variable "description" {
  description = "Event in -> events out."
  type        = string
}

variable "step" {
  description = "Folder under source/src/postbus/functions, a verb."
  type        = string
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
  description = "Memory, and with it the share of a processor: 1,769 MB is one."
  type        = number
  default     = 512
}

variable "timeout_seconds" {
  description = "The longest one call may take."
  type        = number
  default     = 30
}

variable "reserved_concurrency" {
  description = "The most calls at once, taken from the account's limit; null for no bound of its own."
  type        = number
  default     = null
}

variable "dead_letter_arn" {
  description = "Queue for asynchronous calls that failed every attempt; null where no one calls asynchronously."
  type        = string
  default     = null
}

variable "network" {
  description = "Subnets and security groups to attach it to; null for none, as most need none."
  type        = object({ subnet_ids = list(string), security_group_ids = list(string) })
  default     = null
}
