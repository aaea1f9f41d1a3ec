variable "context" {
  description = "What the deployment shares: see the root's context.tf."
  type = object({
    prefix                 = string
    partition              = string
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
    target                 = object({ has_rule_dead_letters = bool, has_execution_logs = bool })
  })
}

variable "archives" {
  description = "The packages: where each archive lies, and the hash of its inputs."
  type = object({
    iso20022  = object({ bucket = string, key = string, hash = string })
    screening = object({ bucket = string, key = string, hash = string })
  })
}

variable "bus" {
  description = "The bus: its name, and the queue for events a rule could not deliver."
  type        = object({ name = string, dead_letter_arn = string })
}

variable "bus_grants" {
  description = "The bus's grants: decide."
  type        = object({ decide = list(object({ sid = string, actions = list(string), resources = list(string), conditions = list(object({ test = string, variable = string, values = list(string) })) })) })
}

variable "pattern" {
  description = "Which events tell what became of a transfer: an EventBridge pattern."
  type        = any
}

variable "accounts" {
  description = "The directory of accounts: how to find it, and to read it."
  type = object({
    environment = map(string)
    grants      = list(object({ sid = string, actions = list(string), resources = list(string), conditions = list(object({ test = string, variable = string, values = list(string) })) }))
  })
}

variable "claims" {
  description = "The duplicate store: how to find it; claim a reference, count an account's transfers."
  type = object({
    environment = map(string)
    grants = object({
      claim = list(object({ sid = string, actions = list(string), resources = list(string), conditions = list(object({ test = string, variable = string, values = list(string) })) }))
      count = list(object({ sid = string, actions = list(string), resources = list(string), conditions = list(object({ test = string, variable = string, values = list(string) })) }))
    })
  })
}

variable "ledger" {
  description = "The ledger: how to find it; read and decide outcomes, and set money aside."
  type = object({
    environment = map(string)
    grants = object({
      read      = list(object({ sid = string, actions = list(string), resources = list(string), conditions = list(object({ test = string, variable = string, values = list(string) })) }))
      decide    = list(object({ sid = string, actions = list(string), resources = list(string), conditions = list(object({ test = string, variable = string, values = list(string) })) }))
      mark_told = list(object({ sid = string, actions = list(string), resources = list(string), conditions = list(object({ test = string, variable = string, values = list(string) })) }))
      earmark   = list(object({ sid = string, actions = list(string), resources = list(string), conditions = list(object({ test = string, variable = string, values = list(string) })) }))
    })
  })
}

variable "reserves" {
  description = "Whether a transfer's money is set aside in the ledger's balances before it is handed on; false where they are kept elsewhere."
  type        = bool
  default     = true
}

variable "credit_transfers" {
  description = "The pipeline's input: its table, and the right to submit to it."
  type = object({
    table_name = string
    grants     = list(object({ sid = string, actions = list(string), resources = list(string), conditions = list(object({ test = string, variable = string, values = list(string) })) }))
  })
}

variable "clients" {
  description = "Who may call: a name each, whether it may read, write or both, and what its messages may debit: settlement accounts of agents, by BIC, and debtor_accounts; [\"*\"] for all."
  type = map(object({
    scopes          = optional(set(string), ["read", "write"])
    agents          = optional(set(string), [])
    debtor_accounts = optional(set(string), [])
  }))

  # A function's environment takes 4 KB in all; a client's id, of 26 characters, stands before what it may.
  validation {
    condition     = length(jsonencode([for client in values(var.clients) : { client_id = "....................", agents = client.agents, debtor_accounts = client.debtor_accounts }])) <= 2500
    error_message = "iso20022_clients: what the clients may debit takes more than 2,500 characters: fewer clients, or \"*\" for a client that may debit all, would do."
  }
}

variable "api" {
  description = "How the API is offered: see modules/iso20022_api."
  type = object({
    token_minutes    = optional(number, 60)
    throttle         = optional(object({ rate_per_second = number, burst = number }), { rate_per_second = 500, burst = 1000 })
    method_throttles = optional(map(object({ rate_per_second = number, burst = number })), {})
    usage_plan       = optional(object({ rate_per_second = number, burst = number, calls_per_day = number }))
    custom_domain = optional(object({
      name                      = string
      certificate_arn           = string
      ownership_certificate_arn = optional(string)
      truststore_uri            = optional(string)
      truststore_version        = optional(string)
    }))
    web_acl_arn      = optional(string)
    access_logs      = optional(bool, true)
    account_log_role = optional(bool, true)
  })
}

variable "reserved_concurrency" {
  description = "The most calls of the API at once, taken from the account's limit; null for no bound of its own."
  type        = number
  default     = 100
}

variable "deadline_seconds" {
  description = "How long a transaction may be open: by message, such as pacs.008; `other` for the rest, `none` before a message came."
  type        = map(number)
}

variable "largest_message_mb" {
  description = "The largest message that is taken."
  type        = number
}

variable "message_days" {
  description = "Days after which messages are deleted; null keeps them for ever."
  type        = number
}

variable "checks" {
  description = "What is agreed, and what the checks judge by; agreement and fraud_rules are JSON documents."
  type = object({
    agreement           = string
    fraud_rules         = string
    sanctions_threshold = number
    sanctions_sample    = bool
  })
}

variable "check_timeout_seconds" {
  description = "The longest one check may take."
  type        = number
}

variable "timeout_seconds" {
  description = "The longest one batch may take in a function behind a queue; four times as long for process."
  type        = number
}

variable "visibility_seconds" {
  description = "How long a taken message stays invisible, four times as long for process; null for six times the timeout."
  type        = number
}

variable "maximum_concurrency" {
  description = "The most batches of each step in work at once."
  type        = number
}

variable "force_destroy" {
  description = "Whether `terraform destroy` may empty the buckets."
  type        = bool
}

variable "secret_recovery_days" {
  description = "Days between the deletion of a client's secret and its loss; 0 for at once."
  type        = number
}

variable "dns_suffix" {
  description = "Of the partition, such as amazonaws.com."
  type        = string
}

variable "fips_endpoints" {
  description = "Whether clients are told the FIPS 140 endpoint for tokens."
  type        = bool
}
