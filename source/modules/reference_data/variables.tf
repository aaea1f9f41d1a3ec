variable "context" {
  description = "What the deployment shares: see the root's context.tf."
  type = object({
    prefix                 = string
    arns                   = map(string)
    key_arn                = string
    point_in_time_recovery = bool
    protect_from_deletion  = bool
  })
}
