variable "context" {
  description = "What the deployment shares: see the root's context.tf."
  type = object({
    prefix     = string
    partition  = string
    account_id = string
    region     = string
    is_aws     = optional(bool, true)
    key_arn    = string
  })
}

variable "name" {
  description = "Name after the prefix and `postbus-`; account and region are added."
  type        = string
}

variable "force_destroy" {
  description = "Whether `terraform destroy` may empty the bucket."
  type        = bool
}

variable "keep_days" {
  description = "Days after which objects are deleted; null keeps them for ever."
  type        = number
  default     = null
}

variable "short_lived" {
  description = "Days after which what lies under a prefix is deleted, whatever keep_days says: { \"uploads/\" = 1 }."
  type        = map(number)
  default     = {}
}

variable "object_lock_days" {
  description = "Days a version is protected from deletion (GOVERNANCE); 0 for no lock."
  type        = number
  default     = 0
}

variable "statements" {
  description = "More statements for the bucket's policy, for services that write to it."
  type        = any
  default     = []
}
