variable "context" {
  description = "What the deployment shares: see the root's context.tf."
  type = object({
    prefix                 = string
    partition              = string
    account_id             = string
    region                 = string
    is_aws                 = optional(bool, true)
    arns                   = map(string)
    key_arn                = string
    point_in_time_recovery = bool
    protect_from_deletion  = bool
  })
}

variable "force_destroy" {
  description = "Whether `terraform destroy` may empty the buckets."
  type        = bool
}

variable "keep_days" {
  description = "Days after which messages are deleted; null keeps them for ever."
  type        = number
}
