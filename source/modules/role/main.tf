# A role that one AWS service takes on to do exactly what its grants say.  The only place that writes IAM.

# The region stands in the name because roles are global and a second region is to find its own free.
resource "aws_iam_role" "this" {
  name = "${var.name}-${var.context.region}"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [merge(
      { Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = var.service } },
      # Lambda and API Gateway do not say for which account they ask; everyone else does.
      contains(["lambda.amazonaws.com", "apigateway.amazonaws.com"], var.service) ? {} : {
        Condition = { StringEquals = { "aws:SourceAccount" = var.context.account_id } }
      },
    )]
  })
}

resource "aws_iam_role_policy" "grants" {
  name = "grants"
  role = aws_iam_role.this.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      for grant in var.grants : merge(
        { Sid = grant.sid, Effect = "Allow", Action = grant.actions, Resource = grant.resources },
        length(grant.conditions) == 0 ? {} : {
          Condition = { for condition in grant.conditions : condition.test => { (condition.variable) = condition.values } }
        },
      )
    ]
  })
}
