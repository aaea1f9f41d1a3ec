# Runs an Express workflow for each event of a pattern: rule -> state machine.  What the workflow catches it
# parks in its own dead letters; what dies without catching is found by the sweeper.

locals {
  name      = "${var.context.prefix}postbus-${var.name}"
  arn       = "${var.context.arns.states}:stateMachine:${local.name}"
  rule_arn  = "${var.context.arns.events}:rule/${var.bus.name}/${local.name}"
  log_group = "/aws/vendedlogs/states/${local.name}"

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

module "dead_letters" {
  source  = "../dead_letters"
  context = var.context
  name    = "${var.name}-dead-letters"
}

module "role" {
  source  = "../role"
  context = var.context
  name    = "${local.name}-workflow"
  service = "states.amazonaws.com"
  grants  = concat(module.dead_letters.grants.send, local.log_grants, local.trace_grants, var.context.key_grants_direct, var.grants)
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

  definition = templatefile(var.definition_file, merge(var.substitutions, {
    bus_name          = var.bus.name
    parking_queue_url = module.dead_letters.url
  }))

  dynamic "logging_configuration" {
    for_each = var.context.target.has_execution_logs ? [1] : []
    content {
      level                  = "ERROR"
      include_execution_data = false # payments do not belong in a log
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

module "rule_role" {
  source  = "../role"
  context = var.context
  name    = "${local.name}-rule"
  service = "events.amazonaws.com"
  grants  = [{ sid = "Start", actions = ["states:StartExecution"], resources = [local.arn], conditions = [] }]
}

resource "aws_cloudwatch_event_rule" "this" {
  name           = local.name
  description    = var.description
  event_bus_name = var.bus.name
  event_pattern  = jsonencode(var.pattern)
}

resource "aws_cloudwatch_event_target" "workflow" {
  rule           = aws_cloudwatch_event_rule.this.name
  event_bus_name = var.bus.name
  target_id      = "workflow"
  arn            = aws_sfn_state_machine.this.arn
  role_arn       = module.rule_role.arn

  dynamic "retry_policy" {
    for_each = var.context.target.has_rule_dead_letters ? [1] : []
    content {
      maximum_event_age_in_seconds = 86400
      maximum_retry_attempts       = 185
    }
  }

  dynamic "dead_letter_config" {
    for_each = var.context.target.has_rule_dead_letters ? [1] : []
    content {
      arn = var.bus.dead_letter_arn
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "trouble" {
  for_each = { for metric, meaning in {
    ExecutionsFailed   = "failed without catching"
    ExecutionsTimedOut = "ran out of time"
    ExecutionsAborted  = "were stopped"
    ExecutionThrottled = "were held back"
  } : metric => meaning if var.context.alarm_topic_arn != null }

  alarm_name          = "${local.name}-${each.key}"
  alarm_description   = "Executions of ${local.name} ${each.value}: the sweeper sends their events again; see ${local.log_group}."
  namespace           = "AWS/States"
  metric_name         = each.key
  dimensions          = { StateMachineArn = local.arn }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.context.alarm_topic_arn]
}
