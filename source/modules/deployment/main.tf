# Every name the operator's command needs, in one place the command can find.

resource "aws_ssm_parameter" "this" {
  #checkov:skip=CKV2_AWS_34:names of resources, no secret
  name        = "/${var.prefix}postbus/deployment"
  description = "Names of this deployment, read by the postbus command"
  type        = "String"
  tier        = "Advanced" # the names outgrow 4 KB
  value       = jsonencode(var.names)
}
