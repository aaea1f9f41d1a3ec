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

variable "archive" {
  description = "The package: where its archive lies, and the hash of its inputs."
  type        = object({ bucket = string, key = string, hash = string })
}

variable "every_hours" {
  description = "Hours between two runs."
  type        = number

  validation {
    condition     = var.every_hours >= 1 && var.every_hours <= 23
    error_message = "every_hours: from 1 to 23; a day without a run alarms."
  }
}

variable "input_tables" {
  description = "Source to the table of its records."
  type        = map(string)
}

variable "ledger_table" {
  description = "The table of the outcomes."
  type        = string
}

variable "timeline_table" {
  description = "The table of every event of every transaction."
  type        = string
}
