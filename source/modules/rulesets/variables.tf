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

variable "force_destroy" {
  description = "Whether `terraform destroy` may empty the bucket."
  type        = bool
}
