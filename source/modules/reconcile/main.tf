# Compares what was approved with what came of it, and tells what left no trace or was changed since.  It only
# counts: `postbus reconcile` names the records and brings them in.

module "job" {
  source          = "../scheduled_job"
  context         = var.context
  step            = "reconcile"
  description     = "Approved records -> how many left no trace"
  every_minutes   = 60 * var.every_hours
  archive         = var.archive
  timeout_seconds = 900 # it reads whole tables
  environment = {
    POSTBUS_INPUT_TABLES   = join(",", [for name, table in var.input_tables : "${name}=${table}"])
    POSTBUS_LEDGER_TABLE   = var.ledger_table
    POSTBUS_TIMELINE_TABLE = var.timeline_table
  }
  grants = [
    {
      sid        = "ReadInputs"
      actions    = ["dynamodb:Scan"]
      resources  = [for table in values(var.input_tables) : "${var.context.arns.dynamodb}:table/${table}"]
      conditions = []
    },
    {
      sid        = "LookForTraces"
      actions    = ["dynamodb:BatchGetItem", "dynamodb:Query"]
      resources  = [for table in [var.ledger_table, var.timeline_table] : "${var.context.arns.dynamodb}:table/${table}"]
      conditions = []
    },
  ]
}

# Told at every run, so silence is the sign of a job that does not run; an alarm looks back a day at most.
resource "aws_cloudwatch_metric_alarm" "missing" {
  count               = var.context.alarm_topic_arn == null ? 0 : 1
  alarm_name          = "${var.context.prefix}postbus-missing"
  alarm_description   = "Approved records have left no trace: `postbus reconcile --dry-run` names them.  Or the job that looks for them does not run."
  namespace           = var.context.environment.POSTBUS_METRICS_NAMESPACE
  metric_name         = "MissingTransactions"
  dimensions          = { service = "reconcile" }
  statistic           = "Maximum"
  period              = 86400
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "breaching"
  alarm_actions       = [var.context.alarm_topic_arn]
}

# What it finds besides and cannot bring in: a person looks at it.
resource "aws_cloudwatch_metric_alarm" "unsettled" {
  for_each = { for name, alarm in {
    changed        = { metric = "ChangedTransactions", about = "Records were changed after they were decided, and what was decided stands" }
    without-effect = { metric = "ReversalsWithoutEffect", about = "Reversals came first, did not fit and had no effect, and what they name is posted" }
  } : name => alarm if var.context.alarm_topic_arn != null }
  alarm_name          = "${var.context.prefix}postbus-${each.key}"
  alarm_description   = "${each.value.about}: `postbus reconcile --dry-run` names them."
  namespace           = var.context.environment.POSTBUS_METRICS_NAMESPACE
  metric_name         = each.value.metric
  dimensions          = { service = "reconcile" }
  statistic           = "Maximum"
  period              = 86400
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching" # that the job does not run is told once, by the alarm above
  alarm_actions       = [var.context.alarm_topic_arn]
}
