# Every name the operator's command needs, in one place the command can find.

resource "aws_ssm_parameter" "this" {
  #checkov:skip=CKV2_AWS_34:names of resources, no secret
  name        = "/${var.prefix}postbus/deployment"
  description = "Names of this deployment, read by the postbus command"
  type        = "String"
  tier        = "Advanced" # the names outgrow 4 KB
  value       = jsonencode(var.names)

  lifecycle {
    precondition {
      condition     = length(jsonencode(var.names)) <= 8192
      error_message = "The deployment's names have ${length(jsonencode(var.names))} characters, and a parameter takes 8192: a shorter name_prefix, or fewer iso20022_clients, would do."
    }
  }
}
