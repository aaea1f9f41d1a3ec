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
    target             = object({ has_rule_dead_letters = bool })
  })
}

variable "bus" {
  description = "The bus: its name, and the queue for events a rule could not deliver."
  type        = object({ name = string, dead_letter_arn = string })
}

variable "archive" {
  description = "The package: where its archive lies, and the hash of its inputs."
  type        = object({ bucket = string, key = string, hash = string })
}

variable "ledger" {
  description = "Which ledger books: dynamodb or http."
  type        = string
}

variable "http_ledger" {
  description = "Of the external posting system: its URL, the secret with its credentials, and the key of that secret where it is not AWS's own."
  type        = object({ url = string, secret_arn = string, key_arn = optional(string) })
}

variable "environment" {
  description = "How the function finds the outcomes, the ledger and the bus."
  type        = map(string)
}

variable "grants" {
  description = "What the function may do: post and publish."
  type        = list(object({ sid = string, actions = list(string), resources = list(string), conditions = list(object({ test = string, variable = string, values = list(string) })) }))
}

variable "maximum_concurrency" {
  description = "The most batches in work at once: what the ledger bears."
  type        = number
}

variable "retry_hours" {
  description = "How long a posting is deferred while the ledger is away."
  type        = number

  validation {
    condition     = var.retry_hours >= 1 && var.retry_hours <= 168
    error_message = "retry_hours: from 1 to 168, well within the queue's 14 days and 1,000 receives."
  }
}

variable "timeout_seconds" {
  description = "The longest one batch may take."
  type        = number
}

variable "visibility_seconds" {
  description = "How long a taken message stays invisible; null for six times the timeout."
  type        = number
}

variable "pattern" {
  description = "Which events it takes: an EventBridge pattern."
  type        = any
}
