# Looks every 15 seconds for what is overdue: a schedule knows minutes only, so each minute it starts an Express
# workflow of four looks.  Two looks at once do no harm: what one decides, the other finds decided.

locals {
  name          = "${var.context.prefix}postbus-time-out"
  function_name = "${var.context.prefix}postbus-${replace(var.step, "_", "-")}"
  arn           = "${var.context.arns.states}:stateMachine:${local.name}"
  log_group     = "/aws/vendedlogs/states/${local.name}"

  # Vended logs know no resources.
  log_grants = [{
    sid = "DeliverLog"
    actions = [
      "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies",
      "logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
    ]
    resources  = ["*"]
    conditions = []
  }]
  # X-Ray knows no resources.
  trace_grants = var.context.tracing ? [{
    sid        = "Trace"
    actions    = ["xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets"]
    resources  = ["*"]
    conditions = []
  }] : []
}

module "function" {
  source          = "../function"
  context         = var.context
  name            = local.function_name
  description     = var.description
  step            = var.step
  archive         = var.archive
  timeout_seconds = 60 # one look; the workflow waits as long
  environment     = var.environment
  grants          = var.grants
}

module "role" {
  source  = "../role"
  context = var.context
  name    = "${local.name}-workflow"
  service = "states.amazonaws.com"
  grants  = concat(module.function.grants.invoke, local.log_grants, local.trace_grants, var.context.key_grants_direct)
}

resource "aws_cloudwatch_log_group" "this" {
  name              = local.log_group
  retention_in_days = var.context.log_retention_days
  kms_key_id        = var.context.key_arn
}

resource "aws_sfn_state_machine" "this" {
  #checkov:skip=CKV_AWS_285:it is, in the dynamic block below, which checkov does not read
  name     = local.name
  type     = "EXPRESS"
  role_arn = module.role.arn

  definition = templatefile(var.definition_file, { time_out_arn = module.function.arn })

  dynamic "logging_configuration" {
    for_each = var.context.target.has_execution_logs ? [1] : []
    content {
      level                  = "ERROR"
      include_execution_data = false
      log_destination        = "${aws_cloudwatch_log_group.this.arn}:*"
    }
  }

  dynamic "tracing_configuration" {
    for_each = var.context.tracing ? [1] : []
    content {
      enabled = true
    }
  }

  dynamic "encryption_configuration" {
    for_each = var.context.target.has_execution_logs ? [1] : []
    content {
      type                              = "CUSTOMER_MANAGED_KMS_KEY"
      kms_key_id                        = var.context.key_arn
      kms_data_key_reuse_period_seconds = 900
    }
  }
}

module "dead_letters" {
  source  = "../dead_letters"
  context = var.context
  name    = "time-out-dead-letters"
}

module "schedule_role" {
  source  = "../role"
  context = var.context
  name    = "${local.name}-schedule"
  service = "scheduler.amazonaws.com"
  grants = concat(
    [{ sid = "Start", actions = ["states:StartExecution"], resources = [local.arn], conditions = [] }],
    module.dead_letters.grants.send, var.context.key_grants,
  )
}

resource "aws_scheduler_schedule" "this" {
  #checkov:skip=CKV_AWS_297:its input is {}, there is nothing to encrypt
  name                = local.name
  description         = var.description
  schedule_expression = "rate(1 minute)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_sfn_state_machine.this.arn
    role_arn = module.schedule_role.arn
    input    = "{}"

    # A minute later the next one comes.
    retry_policy {
      maximum_event_age_in_seconds = 60
      maximum_retry_attempts       = 3
    }

    dead_letter_config {
      arn = module.dead_letters.arn
    }
  }
}

# Silence is the sign of looks that do not happen: nothing would time out, and nobody would know.
resource "aws_cloudwatch_metric_alarm" "absent" {
  count               = var.context.alarm_topic_arn == null ? 0 : 1
  alarm_name          = "${local.name}-absent"
  alarm_description   = "Nobody looks for what is overdue: does the schedule ${local.name} start its workflow?"
  namespace           = "AWS/Lambda"
  metric_name         = "Invocations"
  dimensions          = { FunctionName = local.function_name }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 5
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = [var.context.alarm_topic_arn]
}
