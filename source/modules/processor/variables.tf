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

variable "name" {
  description = "Name of queue and rule after the prefix and `postbus-`; the dead letters add -dead-letters."
  type        = string
}

variable "description" {
  description = "Event in -> events out; status in -> statuses out."
  type        = string
}

variable "bus" {
  description = "The bus whose events a rule brings: its name, and the queue for events the rule could not deliver; null for none."
  type        = object({ name = string, dead_letter_arn = string })
  default     = null
}

variable "pattern" {
  description = "Which of the bus's events it takes: an EventBridge pattern."
  type        = any
  default     = null
}

variable "fifo" {
  description = "Whether it is a FIFO queue, for a transaction's steps one after the other; no rule feeds it, for that knows one group only."
  type        = bool
  default     = false
}

variable "senders" {
  description = "AWS services that may write to the queue, and what they could not deliver to its dead letters, each for these ARNs."
  type        = map(list(string))
  default     = {}
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
  description = "Messages per call; more than 10 needs a batching window, which a FIFO queue does not know."
  type        = number
  default     = 10
}

variable "batching_window_seconds" {
  description = "How long to wait for a batch to fill: saves calls, costs as much delay; null for not at all."
  type        = number
  default     = null
}

variable "maximum_concurrency" {
  description = "The most batches in work at once (at least 2)."
  type        = number
  default     = 10

  validation {
    condition     = var.maximum_concurrency >= 2 && var.maximum_concurrency <= 1000
    error_message = "maximum_concurrency: from 2 to 1000."
  }
}

variable "reserved_concurrency" {
  description = "The most calls at once, taken from the account's limit; null for no bound of its own."
  type        = number
  default     = null
}

variable "network" {
  description = "Subnets and security groups to attach the function to; null for none, as most need none."
  type        = object({ subnet_ids = list(string), security_group_ids = list(string) })
  default     = null
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

variable "alarm_question" {
  description = "What to ask first when the queue ages; null for whether the function, or what it depends on, is away."
  type        = string
  default     = null
}
