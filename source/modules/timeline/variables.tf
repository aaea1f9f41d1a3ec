variable "context" {
  description = "What the deployment shares: see the root's context.tf."
  type = object({
    prefix                 = string
    account_id             = string
    region                 = string
    is_aws                 = optional(bool, true)
    arns                   = map(string)
    sqs_url                = string
    key_arn                = string
    key_grants             = list(object({ sid = string, actions = list(string), resources = list(string), conditions = list(object({ test = string, variable = string, values = list(string) })) }))
    alarm_topic_arn        = string
    log_retention_days     = number
    log_level              = string
    architecture           = string
    python_version         = string
    tracing                = bool
    environment            = map(string)
    point_in_time_recovery = bool
    protect_from_deletion  = bool
    target                 = object({ has_rule_dead_letters = bool })
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

variable "batch_size" {
  description = "Events per call."
  type        = number
}

variable "batching_window_seconds" {
  description = "How long to wait for a batch to fill: the timeline may lag, and fewer calls cost less."
  type        = number
}

variable "maximum_concurrency" {
  description = "The most batches in work at once."
  type        = number
}

variable "reserved_concurrency" {
  description = "The most runs of the recorder at once; null for no bound of its own."
  type        = number
  default     = null
}

variable "timeout_seconds" {
  description = "The longest one batch may take; it is given 90 s at least."
  type        = number
}

variable "visibility_seconds" {
  description = "How long a taken message stays invisible; null for six times the timeout.  More than the timeout, at least."
  type        = number
}

variable "sweep_every_minutes" {
  description = "Minutes between two sweeps."
  type        = number

  validation {
    condition     = var.sweep_every_minutes >= 1 && var.sweep_every_minutes <= 720
    error_message = "sweep_every_minutes: from 1 to 720; an alarm looks at two runs, and at no more than a day."
  }
}

variable "sweep_after_seconds" {
  description = "How long a transaction may be open before its last event is sent again."
  type        = number
}

variable "sweep_environment" {
  description = "How the sweeper finds the bus and the outcomes."
  type        = map(string)
}

variable "sweep_grants" {
  description = "What the sweeper may do beyond the timeline: publish, read outcomes and mark them announced."
  type        = list(object({ sid = string, actions = list(string), resources = list(string), conditions = list(object({ test = string, variable = string, values = list(string) })) }))
}

variable "alarm_open_seconds" {
  description = "How long a transaction may be open before someone is told."
  type        = number
}

variable "alarm_held_hours" {
  description = "How long after it came in a payment may be held before someone is told."
  type        = number
}

variable "pattern" {
  description = "Which events it takes: an EventBridge pattern."
  type        = any
}
