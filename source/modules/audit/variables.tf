variable "context" {
  description = "What the deployment shares: see the root's context.tf."
  type = object({
    partition          = string
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
    target             = object({ has_rule_dead_letters = bool, has_firehose_rule_target = bool })
  })
}

variable "bus" {
  description = "The bus: its name, and the queue for events a rule could not deliver."
  type        = object({ name = string, dead_letter_arn = string })
}

variable "archive" {
  description = "The package of the forwarding function, used only where rules do not reach Firehose."
  type        = object({ bucket = string, key = string, hash = string })
}

variable "force_destroy" {
  description = "Whether `terraform destroy` may empty the bucket."
  type        = bool
}

variable "keep_days" {
  description = "Days the audit record is kept; null for ever."
  type        = number
}

variable "object_lock_days" {
  description = "Days an object is protected from deletion (GOVERNANCE); 0 for no lock."
  type        = number
}

variable "buffer_mb" {
  description = "Firehose writes an object when this much has come in ..."
  type        = number
}

variable "buffer_seconds" {
  description = "... or this much time has passed."
  type        = number
}

variable "data_event_trail" {
  description = "Whether CloudTrail records reads and writes of tables and buckets."
  type        = bool
}

variable "trail_table_arns" {
  description = "Tables whose reads and writes the trail records."
  type        = list(string)
}

variable "trail_bucket_arns" {
  description = "Buckets, besides the audit bucket, whose reads and writes the trail records."
  type        = list(string)
}

variable "timeout_seconds" {
  description = "Of the forwarding function."
  type        = number
}

variable "reserved_concurrency" {
  description = "The most runs of the forwarding function at once; null for no bound of its own."
  type        = number
  default     = null
}

variable "visibility_seconds" {
  description = "Of the forwarding function's queue; null for six times its timeout."
  type        = number
}

variable "pattern" {
  description = "Which events it takes: an EventBridge pattern."
  type        = any
}
