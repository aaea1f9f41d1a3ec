# Where

variable "region" {
  description = "The AWS region to deploy to."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region: an AWS region such as eu-west-1."
  }
}

variable "home_region" {
  description = "Whose payments this deployment takes in: records whose home_region says so.  null for those of its own region."
  type        = string
  default     = null
}

variable "name_prefix" {
  description = "Put before every name, so that several deployments share an account.  With none, the input table is `visa` and the generator `visa-mock`."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^([a-z][a-z0-9]{0,8}-)?$", var.name_prefix))
    error_message = "name_prefix: empty, or a lower-case letter, up to 8 letters or digits, and a hyphen, such as `blue-`."
  }
}

variable "tags" {
  description = "Tags for everything, beside Application and Deployment."
  type        = map(string)
  default     = {}
}

variable "fips_endpoints" {
  description = "Whether Terraform and the functions call AWS at its FIPS 140 endpoints (not in every region)."
  type        = bool
  default     = false
}

variable "target" {
  description = "What the endpoint behind Terraform can do.  AWS can do all of it; an emulator's file switches off what it lacks."
  type = object({
    is_aws                   = optional(bool, true) # real credentials and host names
    has_pipes                = optional(bool, true) # delivers EventBridge pipes to a bus
    has_rule_dead_letters    = optional(bool, true) # keeps a rule target's retry policy and dead letters
    has_firehose_rule_target = optional(bool, true) # delivers from a rule to Firehose
    has_execution_logs       = optional(bool, true) # logs and encrypts Express executions
    has_tracing              = optional(bool, true) # X-Ray
    has_alarms               = optional(bool, true) # tells all of an alarm's settings again when asked
  })
  default = {}
}

# Packages

variable "package_platform" {
  description = "What the functions run on: linux-arm64, linux-x86_64, or host for an emulator that runs them on this machine."
  type        = string
  default     = "linux-arm64"

  validation {
    condition     = contains(["linux-arm64", "linux-x86_64", "host"], var.package_platform)
    error_message = "package_platform: linux-arm64, linux-x86_64 or host."
  }
}

variable "builder_python" {
  description = "The Python (3.11 or newer, with pip) that builds the packages during apply."
  type        = string
  default     = "python3"
}

# Inbound

variable "duplicate_window_seconds" {
  description = "How long another authorisation with the same business fingerprint is a suspected duplicate."
  type        = number
  default     = 86400

  validation {
    condition     = var.duplicate_window_seconds >= 60
    error_message = "duplicate_window_seconds: at least 60."
  }
}

variable "fingerprint_fields" {
  description = "Per source, which facts make two records the same business, such as { visa = [\"account_token\", \"amount\", \"rrn\"] }: attributes of a transaction, or message_class. A source that is not named uses its own list, in postbus/domain/inbound."
  type        = map(list(string))
  default     = {}

  validation {
    condition     = alltrue([for fields in values(var.fingerprint_fields) : length(fields) > 0 && alltrue([for field in fields : can(regex("^[a-z_]+$", field))])])
    error_message = "fingerprint_fields: for each source at least one name, of lower-case letters and underscores."
  }
}

variable "pipe_parallelization_factor" {
  description = "Batches of one stream shard in work at once, from 1 to 10."
  type        = number
  default     = 4
}

# Processing

variable "function_timeout_seconds" {
  description = "The longest one batch may take in a function behind a queue."
  type        = number
  default     = 30

  validation {
    condition     = var.function_timeout_seconds >= 10 && var.function_timeout_seconds <= 900
    error_message = "function_timeout_seconds: from 10 (a dependency's own time-out) to 900."
  }
}

variable "queue_visibility_seconds" {
  description = "How long a message stays invisible once taken; null for six times function_timeout_seconds."
  type        = number
  default     = null
}

variable "enrich_maximum_concurrency" {
  description = "The most batches of authorised payments in work at once."
  type        = number
  default     = 20
}

variable "business_rules_reserved_concurrency" {
  description = "The most payments that each function of the business rules judges at once, taken from the account's limit; null for no bound of its own."
  type        = number
  default     = null
}

variable "posting_maximum_concurrency" {
  description = "The most batches of postings in work at once: what the ledger bears."
  type        = number
  default     = 20
}

variable "posting_retry_hours" {
  description = "How long a posting is deferred while the ledger is away."
  type        = number
  default     = 72

  validation {
    condition     = var.posting_retry_hours >= 1 && var.posting_retry_hours <= 168
    error_message = "posting_retry_hours: from 1 to 168, well within the queue's 14 days."
  }
}

# Ledger

variable "ledger" {
  description = "Which ledger books: dynamodb (double entry, in this account) or http (an external posting system)."
  type        = string
  default     = "dynamodb"

  validation {
    condition     = contains(["dynamodb", "http"], var.ledger)
    error_message = "ledger: dynamodb or http."
  }
}

variable "http_ledger" {
  description = "Of the external posting system: its https URL, the ARN of the Secrets Manager secret with its credentials, and the ARN of that secret's key if it has its own."
  type        = object({ url = string, secret_arn = string, key_arn = optional(string) })
  default     = null

  validation {
    condition     = var.http_ledger == null || can(regex("^(https://|http://(127\\.0\\.0\\.1|localhost)[:/])", var.http_ledger.url)) && can(regex("^arn:[^:]+:secretsmanager:", var.http_ledger.secret_arn))
    error_message = "http_ledger: url begins with https:// (http:// only to this machine, beside an emulator), secret_arn is the ARN of a secret."
  }
}

variable "posting_shards" {
  description = "Shards of a hot internal account's balance.  May only grow: entries stay where they were booked."
  type        = number
  default     = 64
}

variable "verify_ledger_every_minutes" {
  description = "Minutes between two additions of the whole ledger, at most 720.  Each reads all that was ever posted: see docs/cost.md."
  type        = number
  default     = 60
}

# ISO 20022

variable "iso20022" {
  description = "Whether payments also come in as ISO 20022 messages, by an API."
  type        = bool
  default     = true
}

variable "iso20022_clients" {
  description = <<-EOT
    Who may call the API: a name each.  Each gets credentials of its own, kept in Secrets Manager, and sees its own
    transactions only.
    scopes: whether it may `read`, `write` or both.
    agents: BICs of the institutions it speaks for: their settlement accounts may be debited by its messages.
    debtor_accounts: IBANs, or other identifications, of the accounts kept here that its messages may debit.
    ["*"] stands for all.  What is in neither list is refused (AG01); left out, a client may have nothing debited.
  EOT
  type = map(object({
    scopes          = optional(set(string), ["read", "write"])
    agents          = optional(set(string), [])
    debtor_accounts = optional(set(string), [])
  }))
  default = { operator = {} }

  validation {
    condition     = alltrue([for name, client in var.iso20022_clients : can(regex("^[a-z][a-z0-9-]{0,30}$", name)) && length(client.scopes) > 0 && length(setsubtract(client.scopes, ["read", "write"])) == 0])
    error_message = "iso20022_clients: names of up to 31 lower-case letters, digits and hyphens, scopes read, write or both."
  }
  validation {
    condition     = alltrue(flatten([for client in values(var.iso20022_clients) : [for agent in client.agents : can(regex("^([A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?|\\*)$", agent))]]))
    error_message = "iso20022_clients: agents are BICs of 8 or 11 characters, or \"*\"."
  }
  validation {
    condition     = alltrue(flatten([for client in values(var.iso20022_clients) : [for account in client.debtor_accounts : can(regex("^([!-)+-~]{1,34}|\\*)$", account))]]))
    error_message = "iso20022_clients: debtor_accounts are IBANs or other identifications as messages write them, without spaces, or \"*\"."
  }
}

variable "iso20022_api" {
  description = <<-EOT
    How the API is offered, all optional.
    token_minutes: how long an access token is good for (60).
    throttle: the most calls, all clients together, per second and at once; method_throttles: the same for single
      methods, such as { "POST v1/incoming" = { rate_per_second = 100, burst = 200 } }.
    usage_plan: what each client may call; every call must then carry the API key that stands beside the client's
      credentials, for usage plans count keys and know nothing of tokens.
    custom_domain: its own name with its certificate in ACM, and then TLS 1.2 or newer only; truststore_uri (s3://...)
      for mutual TLS.  The default endpoint, which takes TLS 1.0 too, is then switched off.
    web_acl_arn: a regional web ACL of AWS WAF.
    access_logs: whether each call is logged, without its content.
    account_log_role: whether to set the role with which API Gateway writes logs in this account and region; false
      where there is one.
  EOT
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
  default = {}

  validation {
    condition     = try(var.iso20022_api.custom_domain.truststore_uri, null) == null || can(regex("^s3://", var.iso20022_api.custom_domain.truststore_uri))
    error_message = "iso20022_api.custom_domain.truststore_uri: an object in S3, such as s3://bucket/truststore.pem."
  }
}

variable "iso20022_reserved_concurrency" {
  description = "The most calls of the API at once, taken from what the account has for all its functions, of which 100 have to remain; null for no bound of its own."
  type        = number
  default     = 100
}

variable "iso20022_deadline_seconds" {
  description = "How long a transaction may be open before it is rejected, by message; `none` for one that never got a message, `other` for what is not named.  What is booked by then is never rejected."
  type        = map(number)
  default     = { "pacs.008" = 3600, "pain.001" = 86400, none = 86400, other = 3600 }

  validation {
    condition     = contains(keys(var.iso20022_deadline_seconds), "none") && contains(keys(var.iso20022_deadline_seconds), "other") && alltrue([for message, seconds in var.iso20022_deadline_seconds : can(regex("^([a-z]{4}\\.[0-9]{3}|none|other)$", message)) && seconds >= 15 && floor(seconds) == seconds])
    error_message = "iso20022_deadline_seconds: whole seconds, at least 15, for `none`, `other` and messages such as pacs.008."
  }
}

variable "iso20022_largest_message_mb" {
  description = "The largest ISO 20022 message that is taken.  Up to 4 MiB come with the call, larger ones by an upload of their own."
  type        = number
  default     = 20

  validation {
    condition     = var.iso20022_largest_message_mb >= 4 && var.iso20022_largest_message_mb <= 50
    error_message = "iso20022_largest_message_mb: from 4 to 50; a function has 1.7 GB to read it in."
  }
}

variable "iso20022_message_days" {
  description = "How many days messages are kept as they came and as they were answered; null for ever."
  type        = number
  default     = 3653
}

variable "iso20022_checks" {
  description = "What is agreed with those who send messages, and what the checks judge by.  agreement: JSON, names as in domain/iso20022/agreements.py (own_agents, limits, cut-off, holidays, ...).  fraud_rules: JSON, as in domain/iso20022/fraud.py.  sanctions_threshold: from how alike a name is a hit, of 100.  sanctions_sample: screen by the made-up list of the demonstration while none is loaded; without it nothing passes until a list is."
  type = object({
    agreement           = optional(string, "{}")
    fraud_rules         = optional(string, "{}")
    sanctions_threshold = optional(number, 85)
    sanctions_sample    = optional(bool, false)
  })
  default = {}

  validation {
    condition     = can(keys(jsondecode(var.iso20022_checks.agreement))) && can(keys(jsondecode(var.iso20022_checks.fraud_rules)))
    error_message = "iso20022_checks: agreement and fraud_rules are JSON objects."
  }
  validation {
    condition     = var.iso20022_checks.sanctions_threshold >= 50 && var.iso20022_checks.sanctions_threshold <= 100
    error_message = "iso20022_checks: sanctions_threshold is from 50 to 100."
  }
}

variable "iso20022_check_timeout_seconds" {
  description = "The longest that checking an identity, screening, looking for fraud or setting money aside may take.  No answer is never a yes."
  type        = number
  default     = 10

  validation {
    condition     = var.iso20022_check_timeout_seconds >= 1 && var.iso20022_check_timeout_seconds <= 25
    error_message = "iso20022_check_timeout_seconds: from 1 to 25."
  }
}

variable "iso20022_maximum_concurrency" {
  description = "The most batches of each step in work at once."
  type        = number
  default     = 20
}

variable "iso20022_schema_dir" {
  description = "Folder of ISO 20022 schemas beside those that the build fetches, such as pacs.004.001.10.xsd, as ISO publishes them; of one message they take precedence.  null for none."
  type        = string
  default     = null

  validation {
    condition     = var.iso20022_schema_dir == null || try(length(fileset(var.iso20022_schema_dir, "*.xsd")) > 0, false)
    error_message = "iso20022_schema_dir: a folder with schemas (*.xsd); a relative path begins where Terraform runs."
  }
}

variable "mq_bridge" {
  description = <<-EOT
    A message broker whose messages go to the API and which gets the answers; null for none, and none without the API.
    The bridge calls the API as a client of its own, `mq-bridge`.
    broker: see modules/mq_bridge.
    secret_key_arns: the key that encrypts the broker's secret, where it is not Secrets Manager's own.
    network: subnets and security groups from which the broker, the API and AWS's endpoints can be reached.
    agents, debtor_accounts: what its messages may debit, as for iso20022_clients.
    reserved_concurrency: the most runs of each of its functions at once.
  EOT
  type = object({
    broker = object({
      host          = string
      port          = optional(number, 5671)
      virtual_host  = optional(string, "/")
      queue         = string
      refused_queue = string
      exchange      = optional(string, "")
      routing_key   = string
      secret_arn    = string
    })
    secret_key_arns      = optional(list(string), [])
    network              = optional(object({ subnet_ids = list(string), security_group_ids = list(string) }))
    agents               = optional(set(string), [])
    debtor_accounts      = optional(set(string), [])
    reserved_concurrency = optional(number)
  })
  default = null

  validation {
    condition     = var.mq_bridge == null || can(regex("^arn:[^:]+:secretsmanager:", var.mq_bridge.broker.secret_arn))
    error_message = "mq_bridge.broker.secret_arn: the ARN of a secret."
  }
}

# Timeline

variable "timeline_batch_size" {
  description = "Events the timeline records per call; more than 10 needs a batching window."
  type        = number
  default     = 1000
}

variable "timeline_batching_window_seconds" {
  description = "How long the timeline waits for a batch to fill: it may lag, and fewer calls cost less."
  type        = number
  default     = 2
}

variable "timeline_maximum_concurrency" {
  description = "The most batches of events recorded at once."
  type        = number
  default     = 10
}

variable "recording_reserved_concurrency" {
  description = "The most batches of events at once on their way to the timeline and, where a function carries them, to the audit stream: for an emulator that fills its batches only while another is in work; null on AWS, where timeline_maximum_concurrency bounds it."
  type        = number
  default     = null
}

variable "sweep_every_minutes" {
  description = "Minutes between two looks for transactions that got stuck."
  type        = number
  default     = 5
}

variable "sweep_after_seconds" {
  description = "How long a transaction may be open before its last event is sent again."
  type        = number
  default     = 600
}

variable "reconcile_every_hours" {
  description = "Hours between two looks for approved records that left no trace; each reads the input tables as a whole."
  type        = number
  default     = 23

  validation {
    condition     = var.reconcile_every_hours >= 1 && var.reconcile_every_hours <= 23
    error_message = "reconcile_every_hours: from 1 to 23, so that each day has one: an alarm looks at a day."
  }
}

variable "alarm_open_seconds" {
  description = "How long a transaction may be open before someone is told."
  type        = number
  default     = 3600
}

variable "alarm_held_hours" {
  description = "How long after it came in a payment may be held before someone is told."
  type        = number
  default     = 24
}

# Keeping

variable "archive_days" {
  description = "How many days events can be replayed; 0 for ever.  The archive is encrypted by EventBridge with a key of its own, not with ours: see docs/decisions/0011-archive-encryption.md."
  type        = number
  default     = 90
}

variable "audit_days" {
  description = "How many days the audit bucket keeps events; null for ever."
  type        = number
  default     = null
}

variable "audit_object_lock_days" {
  description = "Days an audit object is protected from deletion (S3 Object Lock, GOVERNANCE); 0 for no lock.  Can only be chosen when the bucket is made."
  type        = number
  default     = 0
}

variable "audit_buffer" {
  description = "Firehose writes one object when `mb` have come in or `seconds` have passed."
  type        = object({ mb = number, seconds = number })
  default     = { mb = 64, seconds = 300 }
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
  default     = 365
}

variable "log_level" {
  description = "Least severe level the functions log."
  type        = string
  default     = "INFO"

  validation {
    condition     = contains(["INFO", "WARN", "ERROR"], var.log_level)
    error_message = "log_level: INFO, WARN or ERROR; below INFO the AWS SDK would log requests and answers, persons and secrets included."
  }
}

variable "point_in_time_recovery" {
  description = "Whether every table can be restored to any second of the last 35 days."
  type        = bool
  default     = true
}

variable "protect_from_deletion" {
  description = "Whether tables refuse to be deleted; `terraform destroy` fails until it is switched off."
  type        = bool
  default     = false
}

variable "force_destroy_buckets" {
  description = "Whether `terraform destroy` may empty the audit, ruleset and message buckets.  Without it destroy stops at a bucket that holds anything."
  type        = bool
  default     = false
}

variable "key_deletion_days" {
  description = "Days between `terraform destroy` and the loss of the key, and with it of every backup it encrypted (7 to 30)."
  type        = number
  default     = 30
}

variable "secret_recovery_days" {
  description = "Days between `terraform destroy` and the loss of the API clients' secrets (7 to 30); 0 for at once, so that the same names can be made again."
  type        = number
  default     = 30

  validation {
    condition     = var.secret_recovery_days == 0 || var.secret_recovery_days >= 7 && var.secret_recovery_days <= 30
    error_message = "secret_recovery_days: 0, or from 7 to 30."
  }
}

# Watching

variable "tracing" {
  description = "Whether X-Ray traces the functions and the workflow."
  type        = bool
  default     = true
}

variable "tracing_share" {
  description = "Share of executions that X-Ray traces beyond the first of each second, from 0 to 1.  Functions that AWS itself calls are sampled by Lambda, at 5 percent."
  type        = number
  default     = 0.01

  validation {
    condition     = var.tracing_share >= 0 && var.tracing_share <= 1
    error_message = "tracing_share: from 0 to 1."
  }
}

variable "data_event_trail" {
  description = "Whether CloudTrail records every read and write of the tables and buckets by way of the API (0.10 dollars per 100,000)."
  type        = bool
  default     = false
}
