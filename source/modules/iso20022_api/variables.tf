variable "context" {
  description = "What the deployment shares: see the root's context.tf."
  type = object({
    prefix                = string
    partition             = string
    account_id            = string
    region                = string
    is_aws                = optional(bool, true)
    arns                  = map(string)
    key_arn               = string
    key_grants            = list(object({ sid = string, actions = list(string), resources = list(string), conditions = list(object({ test = string, variable = string, values = list(string) })) }))
    alarm_topic_arn       = string
    log_retention_days    = number
    log_level             = string
    architecture          = string
    python_version        = string
    tracing               = bool
    environment           = map(string)
    protect_from_deletion = bool
  })
}

variable "archive" {
  description = "The package: where its archive lies, and the hash of its inputs."
  type        = object({ bucket = string, key = string, hash = string })
}

variable "environment" {
  description = "What the function needs beyond what all share."
  type        = map(string)
}

variable "grants" {
  description = "What the function may do."
  type        = list(object({ sid = string, actions = list(string), resources = list(string), conditions = list(object({ test = string, variable = string, values = list(string) })) }))
}

variable "reserved_concurrency" {
  description = "The most calls at once, taken from the account's limit; null for no bound of its own."
  type        = number
  default     = null
}

variable "clients" {
  description = "Who may call: a name each, and whether it may read, write or both."
  type        = map(object({ scopes = optional(set(string), ["read", "write"]) }))
}

variable "token_minutes" {
  description = "How long an access token is good for."
  type        = number
  default     = 60

  validation {
    condition     = var.token_minutes >= 5 && var.token_minutes <= 1440
    error_message = "token_minutes: from 5 to 1440, as Cognito takes."
  }
}

variable "secret_recovery_days" {
  description = "Days between the deletion of a client's secret and its loss; 0 for at once."
  type        = number
}

variable "throttle" {
  description = "The most calls to the API, all clients together: per second, and at once."
  type        = object({ rate_per_second = number, burst = number })
}

variable "method_throttles" {
  description = "The same for single methods, such as { \"POST v1/incoming\" = { rate_per_second = 100, burst = 200 } }."
  type        = map(object({ rate_per_second = number, burst = number }))
  default     = {}
}

variable "usage_plan" {
  description = "What each client may call, counted by an API key that every call must then carry; null for no keys."
  type        = object({ rate_per_second = number, burst = number, calls_per_day = number })
  default     = null
}

variable "custom_domain" {
  description = "The API's own name: its certificate in ACM; with truststore_uri (s3://...) clients must show a certificate, and ownership_certificate_arn is needed where the first one is imported.  null for the default endpoint."
  type = object({
    name                      = string
    certificate_arn           = string
    ownership_certificate_arn = optional(string)
    truststore_uri            = optional(string)
    truststore_version        = optional(string)
  })
  default = null
}

variable "web_acl_arn" {
  description = "A regional web ACL of AWS WAF; null for none."
  type        = string
  default     = null
}

variable "access_logs" {
  description = "Whether each call is logged, without its content."
  type        = bool
  default     = true
}

variable "account_log_role" {
  description = "Whether to set the role with which API Gateway writes logs in this account and region; false where there is one."
  type        = bool
  default     = true
}

variable "dns_suffix" {
  description = "Of the partition, such as amazonaws.com."
  type        = string
}

variable "fips_endpoints" {
  description = "Whether clients are told the FIPS 140 endpoint for tokens."
  type        = bool
}
