# Runs one step: a Lambda function with its own role, log group and alarms.  The role may do what the grants
# say, write its own log, and nothing else.

locals {
  log_group = "/aws/lambda/${var.name}"
  log_arn   = "${var.context.arns.logs}:log-group:${local.log_group}"
  arn       = "${var.context.arns.lambda}:function:${var.name}"

  own_grants = concat(
    [{
      sid        = "WriteOwnLog"
      actions    = ["logs:CreateLogStream", "logs:PutLogEvents"]
      resources  = ["${local.log_arn}:*"] # the form of a log group's streams
      conditions = []
    }],
    # X-Ray knows no resources.
    var.context.tracing ? [{
      sid        = "Trace"
      actions    = ["xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets"]
      resources  = ["*"]
      conditions = []
    }] : [],
    # The network's interfaces have no names before Lambda makes them.
    var.network == null ? [] : [{
      sid = "AttachToNetwork"
      actions = [
        "ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses",
      ]
      resources  = ["*"]
      conditions = []
    }],
  )
}

resource "aws_cloudwatch_log_group" "this" {
  name              = local.log_group
  retention_in_days = var.context.log_retention_days
  kms_key_id        = var.context.key_arn
}

module "role" {
  source  = "../role"
  context = var.context
  name    = var.name
  service = "lambda.amazonaws.com"
  grants  = concat(local.own_grants, var.context.key_grants, var.grants)
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_272:the archive is built by this very apply from hash-locked inputs; there is no other hand to sign it
  #checkov:skip=CKV_AWS_117:most reach AWS's endpoints and an https ledger, nothing private; a network would add a way to fail
  function_name                  = var.name
  description                    = var.description
  role                           = module.role.arn
  runtime                        = "python${var.context.python_version}"
  architectures                  = [var.context.architecture]
  handler                        = "postbus.functions.${var.step}.handler.lambda_handler"
  s3_bucket                      = var.archive.bucket
  s3_key                         = var.archive.key
  source_code_hash               = var.archive.hash
  memory_size                    = var.memory_mb
  timeout                        = var.timeout_seconds
  reserved_concurrent_executions = coalesce(var.reserved_concurrency, -1)
  kms_key_arn                    = var.context.key_arn

  environment {
    variables = merge(var.context.environment, { POWERTOOLS_SERVICE_NAME = var.step }, var.environment)
  }

  # START, END and REPORT of every call would be most of what is logged.
  logging_config {
    log_format            = "JSON"
    log_group             = aws_cloudwatch_log_group.this.name
    application_log_level = var.context.log_level
    system_log_level      = "WARN"
  }

  tracing_config {
    mode = var.context.tracing ? "Active" : "PassThrough"
  }

  dynamic "vpc_config" {
    for_each = var.network == null ? [] : [var.network]
    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  dynamic "dead_letter_config" {
    for_each = var.dead_letter_arn == null ? [] : [var.dead_letter_arn]
    content {
      target_arn = dead_letter_config.value
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "trouble" {
  for_each = { for metric, meaning in {
    Errors    = "raised or timed out: its log group ${local.log_group} says why."
    Throttles = "was refused for want of concurrency: events wait, none is lost."
  } : metric => meaning if var.context.alarm_topic_arn != null }

  alarm_name          = "${var.name}-${lower(each.key)}"
  alarm_description   = "${var.name} ${each.value}"
  namespace           = "AWS/Lambda"
  metric_name         = each.key
  dimensions          = { FunctionName = var.name }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.context.alarm_topic_arn]
}
