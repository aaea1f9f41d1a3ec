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

variable "archive" {
  description = "The package: where its archive lies, and the hash of its inputs."
  type        = object({ bucket = string, key = string, hash = string })
}

variable "api" {
  description = "The ISO 20022 API: its base URL, and the secret of the bridge's own client (client_id, client_secret, token_url, scope)."
  type        = object({ url = string, secret_arn = string })
}

variable "broker" {
  description = <<-EOT
    The broker, RabbitMQ over AMQP 0-9-1 with TLS.  secret_arn: username, password and, for a private certificate
    authority, authorities (PEM).  queue is read; refused_queue, on the same broker, gets what the API refuses.
    Answers go to exchange ("" for the default one) under routing_key.  All of these exist already.
  EOT
  type = object({
    host          = string
    port          = optional(number, 5671)
    virtual_host  = optional(string, "/")
    queue         = string
    refused_queue = string
    exchange      = optional(string, "")
    routing_key   = string
    secret_arn    = string
  })

  validation {
    condition     = var.broker.queue != var.broker.refused_queue
    error_message = "broker: what is refused must not come back into the queue that is read."
  }

  validation {
    condition     = var.broker.exchange != "" || var.broker.routing_key != var.broker.queue
    error_message = "broker: answers would be read as messages."
  }

  validation {
    condition     = can(regex("^[A-Za-z0-9.-]+$", var.broker.host))
    error_message = "broker.host: a name alone, without amqps:// or a port; its certificate is checked against it."
  }
}

variable "secret_key_arns" {
  description = "Keys that encrypt the two secrets, where they are not Secrets Manager's own."
  type        = list(string)
  default     = []
}

variable "topic_arn" {
  description = "The topic that tells the statuses of ISO 20022 transactions."
  type        = string
}

variable "network" {
  description = "Subnets and security groups from which the broker, the API and AWS's endpoints can be reached; null for none."
  type        = object({ subnet_ids = list(string), security_group_ids = list(string) })
  default     = null
}

variable "reserved_concurrency" {
  description = "The most runs of each function at once, and so connections to the broker; null for no bound of its own."
  type        = number
  default     = null
}
