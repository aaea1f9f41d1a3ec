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
    key_grants_direct      = list(object({ sid = string, actions = list(string), resources = list(string), conditions = list(object({ test = string, variable = string, values = list(string) })) }))
    alarm_topic_arn        = string
    log_retention_days     = number
    log_level              = string
    architecture           = string
    python_version         = string
    tracing                = bool
    environment            = map(string)
    point_in_time_recovery = bool
    protect_from_deletion  = bool
    target                 = object({ has_pipes = bool })
  })
}

variable "source_name" {
  description = "Name of the source and, after the prefix, of its table; postbus.domain.inbound maps its records."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{1,19}$", var.source_name))
    error_message = "source_name: 2 to 20 lower-case letters, digits or underscores, beginning with a letter."
  }
}

variable "key_attribute" {
  description = "The attribute that identifies a record."
  type        = string
}

variable "patterns" {
  description = "Which changes of the table enter, at most five: approved from the start, or approved by an update; of this region, or not saying where they are at home, which is malformed and has to reach quarantine."
  type        = any

  validation {
    condition     = length(var.patterns) >= 1 && length(var.patterns) <= 5
    error_message = "patterns: from 1 to 5, as a pipe takes."
  }
}

variable "bus" {
  description = "Where TransactionAuthorized goes."
  type        = object({ arn = string })
}

variable "bus_grants" {
  description = "The bus's grants: publish."
  type        = object({ publish = list(object({ sid = string, actions = list(string), resources = list(string), conditions = list(object({ test = string, variable = string, values = list(string) })) })) })
}

variable "grants" {
  description = "What the function may do beyond quarantine: the duplicate store."
  type        = list(object({ sid = string, actions = list(string), resources = list(string), conditions = list(object({ test = string, variable = string, values = list(string) })) }))
}

variable "environment" {
  description = "What the function needs to find the duplicate store."
  type        = map(string)
}

variable "archive" {
  description = "The package: where its archive lies, and the hash of its inputs."
  type        = object({ bucket = string, key = string, hash = string })
}

variable "duplicate_window_seconds" {
  description = "How long another authorisation with the same business fingerprint is a suspected duplicate."
  type        = number
}

variable "fingerprint_fields" {
  description = "Which facts make two records the same business; empty for the source's own list."
  type        = list(string)
  default     = []
}

variable "parallelization_factor" {
  description = "Batches of one shard in work at once; records of one key stay in order."
  type        = number

  validation {
    condition     = var.parallelization_factor >= 1 && var.parallelization_factor <= 10
    error_message = "parallelization_factor: from 1 to 10."
  }
}
