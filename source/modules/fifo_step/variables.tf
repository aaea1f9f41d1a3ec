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

variable "name" {
  description = "Name of the queue after the prefix and `postbus-`; the dead letters add -dead-letters."
  type        = string
}

variable "step" {
  description = "Folder under source/src/postbus/functions, a verb."
  type        = string
}

variable "description" {
  description = "Status in -> statuses out."
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
  description = "What the step may do beyond taking from its queue and parking."
  type        = list(object({ sid = string, actions = list(string), resources = list(string), conditions = list(object({ test = string, variable = string, values = list(string) })) }))
  default     = []
}

variable "memory_mb" {
  description = "Memory of the function."
  type        = number
  default     = 512
}

variable "timeout_seconds" {
  description = "The longest one batch may take."
  type        = number
  default     = 30
}

variable "visibility_seconds" {
  description = "How long a taken message stays invisible; null for six times the timeout, as Lambda asks for."
  type        = number
  default     = null
}

variable "batch_size" {
  description = "Messages per call: a FIFO queue gives at most 10, and knows no batching window."
  type        = number
  default     = 10

  validation {
    condition     = var.batch_size >= 1 && var.batch_size <= 10
    error_message = "batch_size: from 1 to 10."
  }
}

variable "maximum_concurrency" {
  description = "The most batches in work at once (at least 2)."
  type        = number

  validation {
    condition     = var.maximum_concurrency >= 2 && var.maximum_concurrency <= 1000
    error_message = "maximum_concurrency: from 2 to 1000."
  }
}

variable "max_receive_count" {
  description = "How often a message is tried before it goes to the dead letters.  A poison message is parked by the function itself, so this bounds only how long an absence may last: 1000 tries, one in about 11 minutes, are a week."
  type        = number
  default     = 1000

  validation {
    condition     = var.max_receive_count >= 5 && var.max_receive_count <= 1000
    error_message = "max_receive_count: from 5 (one hiccup must not park a payment) to 1000."
  }
}

variable "alarm_age_seconds" {
  description = "How old the oldest message may be before someone is told."
  type        = number
  default     = 900
}
