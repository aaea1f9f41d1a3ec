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
    key_grants_direct  = list(object({ sid = string, actions = list(string), resources = list(string), conditions = list(object({ test = string, variable = string, values = list(string) })) }))
    alarm_topic_arn    = string
    log_retention_days = number
    log_level          = string
    architecture       = string
    python_version     = string
    tracing            = bool
    environment        = map(string)
    target             = object({ has_execution_logs = bool })
  })
}

variable "step" {
  description = "Folder under source/src/postbus/functions, a verb."
  type        = string
}

variable "description" {
  description = "What a look does."
  type        = string
}

variable "definition_file" {
  description = "The state machine, a template in Amazon States Language that names `time_out_arn`."
  type        = string
}

variable "archive" {
  description = "The package: where its archive lies, and the hash of its inputs."
  type        = object({ bucket = string, key = string, hash = string })
}

variable "environment" {
  description = "What this step needs beyond what all share."
  type        = map(string)
}

variable "grants" {
  description = "What the step may do: exact actions on exact ARNs."
  type        = list(object({ sid = string, actions = list(string), resources = list(string), conditions = list(object({ test = string, variable = string, values = list(string) })) }))
}
