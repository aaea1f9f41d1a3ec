variable "prefix" {
  description = "The deployment's name prefix."
  type        = string
}

variable "partition" {
  description = "aws, aws-us-gov, ..."
  type        = string
}

variable "account_id" {
  description = "The account everything lives in."
  type        = string
}

variable "region" {
  description = "The region of this copy of the key."
  type        = string
}

variable "deletion_window_days" {
  description = "Days between destroying the key and losing all it encrypted, archives included."
  type        = number

  validation {
    condition     = var.deletion_window_days >= 7 && var.deletion_window_days <= 30
    error_message = "deletion_window_days: from 7 to 30."
  }
}
