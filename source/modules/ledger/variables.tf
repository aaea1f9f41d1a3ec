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
  })
}

variable "shards" {
  description = "Shards of a hot internal account's balance; may only grow."
  type        = number

  validation {
    condition     = var.shards >= 64 && var.shards <= 999
    error_message = "shards: from 64 to 999."
  }
}

variable "archive" {
  description = "The package: where its archive lies, and the hash of its inputs."
  type        = object({ bucket = string, key = string, hash = string })
}

variable "verify_every_minutes" {
  description = "Minutes between two additions of the whole ledger."
  type        = number

  validation {
    condition     = var.verify_every_minutes >= 1 && var.verify_every_minutes <= 720
    error_message = "verify_every_minutes: from 1 to 720; an alarm looks at two runs, and at no more than a day."
  }
}
