# Runs a step every few minutes: a schedule, its function, and dead letters for a run that could not be started
# or failed every attempt (the next one comes anyway).

locals {
  name = "${var.context.prefix}postbus-${replace(var.step, "_", "-")}"

  # A job tells figures; CloudWatch knows no resources here, but the namespace it may write to.  An emulator
  # does not know that condition, and would refuse.
  metric_grants = [{
    sid       = "TellFigures"
    actions   = ["cloudwatch:PutMetricData"]
    resources = ["*"]
    conditions = [
      for condition in [{ test = "StringEquals", variable = "cloudwatch:namespace", values = [var.context.environment.POSTBUS_METRICS_NAMESPACE] }] :
      condition if var.context.is_aws
    ]
  }]
}

module "dead_letters" {
  source  = "../dead_letters"
  context = var.context
  name    = "${replace(var.step, "_", "-")}-dead-letters"
}

module "function" {
  source               = "../function"
  context              = var.context
  name                 = local.name
  description          = var.description
  step                 = var.step
  archive              = var.archive
  memory_mb            = var.memory_mb
  timeout_seconds      = var.timeout_seconds
  reserved_concurrency = var.reserved_concurrency
  environment          = var.environment
  grants               = concat(module.dead_letters.grants.send, local.metric_grants, var.grants)
  dead_letter_arn      = module.dead_letters.named_arn
  network              = var.network
}

module "schedule_role" {
  source  = "../role"
  context = var.context
  name    = "${local.name}-schedule"
  service = "scheduler.amazonaws.com"
  grants  = concat(module.function.grants.invoke, module.dead_letters.grants.send, var.context.key_grants)
}

resource "aws_scheduler_schedule" "this" {
  #checkov:skip=CKV_AWS_297:its input is {}, there is nothing to encrypt
  name                = local.name
  description         = var.description
  schedule_expression = var.every_minutes == 1 ? "rate(1 minute)" : "rate(${var.every_minutes} minutes)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = module.function.arn
    role_arn = module.schedule_role.arn
    input    = "{}"

    retry_policy {
      maximum_event_age_in_seconds = 300
      maximum_retry_attempts       = 3
    }

    dead_letter_config {
      arn = module.dead_letters.arn
    }
  }
}
