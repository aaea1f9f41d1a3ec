variable "context" {
  description = "What the deployment shares: see the root's context.tf."
  type        = object({ account_id = string, region = string })
}

variable "name" {
  description = "The role's name; the region is added."
  type        = string

  validation {
    condition     = length(var.name) <= 48
    error_message = "A role's name may have 64 characters, its region included."
  }
}

variable "service" {
  description = "The service that takes the role on, such as lambda.amazonaws.com."
  type        = string
}

variable "grants" {
  description = "What the role may do: exact actions on exact ARNs."
  type        = list(object({ sid = string, actions = list(string), resources = list(string), conditions = list(object({ test = string, variable = string, values = list(string) })) }))

  validation {
    condition     = alltrue([for grant in var.grants : alltrue([for action in grant.actions : !strcontains(action, "*")])])
    error_message = "A grant names its actions one by one."
  }
}
