variable "context" {
  description = "What the deployment shares: see the root's context.tf."
  type = object({
    prefix          = string
    is_aws          = optional(bool, true)
    arns            = map(string)
    sqs_url         = string
    key_arn         = string
    alarm_topic_arn = string
  })
}

variable "name" {
  description = "Name after the prefix and `postbus-`, such as posting-dead-letters."
  type        = string
}

variable "senders" {
  description = "AWS services that may write here, each for these ARNs.  Roles write by a grant instead."
  type        = map(list(string))
  default     = {}
}

variable "fifo" {
  description = "Whether it is a FIFO queue, as the dead letters of a FIFO queue must be; `.fifo` is added to the name."
  type        = bool
  default     = false
}

variable "queue_arns" {
  description = "Queues that may name it as where their messages go at last; null for any of this account."
  type        = list(string)
  default     = null
}
