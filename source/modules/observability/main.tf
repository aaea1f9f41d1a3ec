# What someone on duty looks at: one topic for all alarms, one dashboard in the order a payment travels.

locals {
  name      = "${var.context.prefix}postbus"
  topic_arn = "${var.context.arns.sns}:${local.name}-alarms"

  queue_widgets = {
    title   = "Queues: age of the oldest message"
    metrics = [for queue in var.queues : ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", queue, { stat = "Maximum" }]]
  }
  dead_letter_widgets = {
    title   = "Dead letters and quarantine"
    metrics = [for queue in var.dead_letters : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue, { stat = "Maximum" }]]
  }
  pipe_widgets = {
    title = "Pipes: records and failures"
    metrics = concat(
      [for pipe in var.pipes : ["AWS/EventBridge/Pipes", "EventCount", "PipeName", pipe, { stat = "Sum" }]],
      [for pipe in var.pipes : ["AWS/EventBridge/Pipes", "ExecutionFailed", "PipeName", pipe, { stat = "Sum" }]],
    )
  }
  rule_widgets = {
    title   = "Rules: deliveries"
    metrics = [for rule in var.rules : ["AWS/Events", "Invocations", "EventBusName", local.name, "RuleName", rule, { stat = "Sum" }]]
  }
  workflow_widgets = {
    title = "Business rules: executions"
    metrics = [for metric in ["ExecutionsStarted", "ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut"] :
      ["AWS/States", metric, "StateMachineArn", var.workflow_arn, { stat = "Sum" }]
    ]
  }
  function_widgets = {
    title   = "Functions: errors"
    metrics = [for function in var.functions : ["AWS/Lambda", "Errors", "FunctionName", function, { stat = "Sum" }]]
  }
  duration_widgets = {
    title   = "Functions: milliseconds, 95th percentile"
    metrics = [for function in var.functions : ["AWS/Lambda", "Duration", "FunctionName", function, { stat = "p95" }]]
  }
  ledger_widgets = {
    title = "Ledger imbalance; oldest open transaction, seconds"
    metrics = [
      [var.metrics_namespace, "LedgerImbalance", "service", "verify_ledger", { stat = "Maximum" }],
      [var.metrics_namespace, "OldestOpenSeconds", "service", "sweep", { stat = "Maximum", yAxis = "right" }],
    ]
  }
  open_widgets = {
    title   = "Transactions: on their way, and held"
    metrics = [for metric in ["OpenTransactions", "HeldTransactions"] : [var.metrics_namespace, metric, "service", "sweep", { stat = "Maximum" }]]
  }
  charts = [
    local.pipe_widgets, local.rule_widgets, local.workflow_widgets, local.queue_widgets,
    local.dead_letter_widgets, local.function_widgets, local.duration_widgets, local.ledger_widgets, local.open_widgets,
  ]
}

resource "aws_sns_topic" "alarms" {
  name              = "${local.name}-alarms"
  kms_master_key_id = var.context.key_arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([{
      Sid       = "FromAlarms"
      Effect    = "Allow"
      Principal = { Service = "cloudwatch.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = local.topic_arn
      Condition = { ArnLike = { "aws:SourceArn" = "${var.context.arns.cloudwatch}:alarm:${var.context.prefix}*" } }
      }],
      # An emulator speaks plain HTTP.
      [for statement in [{
        Sid       = "OnlyOverTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = local.topic_arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }] : statement if var.context.is_aws],
    )
  })
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = "${local.name}-${var.context.region}" # dashboards know no region
  dashboard_body = jsonencode({
    widgets = concat(
      [{
        type       = "alarm", x = 0, y = 0, width = 24, height = 4,
        properties = { title = "Alarms", alarms = var.alarms },
      }],
      [for index, chart in local.charts : {
        type       = "metric", x = 12 * (index % 2), y = 4 + 6 * floor(index / 2), width = 12, height = 6,
        properties = { title = chart.title, metrics = chart.metrics, region = var.context.region, period = 60, view = "timeSeries" },
      }],
    )
  })
}

# Of every trace the first each second, and then this share.
resource "aws_xray_sampling_rule" "this" {
  count          = var.context.tracing ? 1 : 0
  rule_name      = substr(local.name, 0, 32)
  priority       = 1000
  version        = 1
  reservoir_size = 1
  fixed_rate     = var.tracing_share
  service_name   = "${local.name}*"
  service_type   = "*"
  host           = "*"
  http_method    = "*"
  url_path       = "*"
  resource_arn   = "*"
}
