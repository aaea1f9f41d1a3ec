variable "prefix" {
  description = "The deployment's name prefix."
  type        = string
}

variable "names" {
  description = "The object the command reads."
  type        = any
}
