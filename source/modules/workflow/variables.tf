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
    tracing            = bool
    target             = object({ has_rule_dead_letters = bool, has_execution_logs = bool })
  })
}

variable "bus" {
  description = "The bus: its name, and the queue for events a rule could not deliver."
  type        = object({ name = string, dead_letter_arn = string })
}

variable "name" {
  description = "Name of rule and workflow after the prefix and `postbus-`."
  type        = string
}

variable "description" {
  description = "Event in -> events out."
  type        = string
}

variable "pattern" {
  description = "Which events start an execution: an EventBridge pattern."
  type        = any
}

variable "definition_file" {
  description = "The state machine, a template in Amazon States Language; `bus_name` and `parking_queue_url` are always filled in."
  type        = string
}

variable "substitutions" {
  description = "What else the template names, such as the ARNs of its tasks."
  type        = map(string)
}

variable "grants" {
  description = "What its states may do: invoke its tasks, publish its events."
  type        = list(object({ sid = string, actions = list(string), resources = list(string), conditions = list(object({ test = string, variable = string, values = list(string) })) }))
}
