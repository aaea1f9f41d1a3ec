variable "context" {
  description = "What the deployment shares: see the root's context.tf."
  type = object({
    prefix             = string
    account_id         = string
    region             = string
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

variable "table_name" {
  description = "Where the records go."
  type        = string
}

variable "grants" {
  description = "What the generator may do: write records."
  type        = list(object({ sid = string, actions = list(string), resources = list(string), conditions = list(object({ test = string, variable = string, values = list(string) })) }))
}
