# Every event of every transaction, and the sweeper that sends the last event of one that got stuck again.

locals {
  name = "${var.context.prefix}postbus-timeline"
  arn  = "${var.context.arns.dynamodb}:table/${local.name}"

  # A batch is recorded for 10 s, its last call and the deferral of the rest may each take the client's three tries,
  # 30 s.  One that is cut off comes back whole, and what it had kept is kept twice.
  timeout_seconds    = max(var.timeout_seconds, 90)
  visibility_seconds = var.visibility_seconds == null ? null : max(var.visibility_seconds, local.timeout_seconds + 10)
}

resource "aws_dynamodb_table" "this" {
  name                        = local.name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "transaction_id"
  range_key                   = "entry"
  deletion_protection_enabled = var.context.protect_from_deletion

  attribute {
    name = "transaction_id"
    type = "S"
  }

  attribute {
    name = "entry"
    type = "S"
  }

  attribute {
    name = "open_bucket"
    type = "S"
  }

  attribute {
    name = "idle_since"
    type = "S"
  }

  # Sparse: transactions that are not final, whoever waits longest first.
  global_secondary_index {
    name            = "open"
    hash_key        = "open_bucket"
    range_key       = "idle_since"
    projection_type = "ALL"
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.context.key_arn
  }

  point_in_time_recovery {
    enabled = var.context.point_in_time_recovery
  }
}

module "record" {
  source                  = "../processor"
  context                 = var.context
  bus                     = var.bus
  name                    = "timeline"
  description             = "Every event -> the transaction's timeline"
  step                    = "record_timeline"
  pattern                 = var.pattern
  archive                 = var.archive
  timeout_seconds         = local.timeout_seconds
  visibility_seconds      = local.visibility_seconds
  batch_size              = var.batch_size
  batching_window_seconds = var.batching_window_seconds
  maximum_concurrency     = var.maximum_concurrency
  reserved_concurrency    = var.reserved_concurrency
  environment             = { POSTBUS_TIMELINE_TABLE = local.name }
  grants = [{
    sid        = "Record"
    actions    = ["dynamodb:BatchWriteItem"]
    resources  = [local.arn]
    conditions = []
  }]
}

module "sweep" {
  source        = "../scheduled_job"
  context       = var.context
  step          = "sweep"
  description   = "Transactions open for too long -> their last event again"
  every_minutes = var.sweep_every_minutes
  archive       = var.archive
  environment = merge(var.sweep_environment, {
    POSTBUS_TIMELINE_TABLE      = local.name
    POSTBUS_SWEEP_AFTER_SECONDS = tostring(var.sweep_after_seconds)
  })
  grants = concat([{
    sid        = "FindOpen"
    actions    = ["dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:Query"]
    resources  = [local.arn, "${local.arn}/index/open"]
    conditions = []
  }], var.sweep_grants)
}

# The sweeper tells its figures at every run, so silence is the sign of one that does not run.  Two runs, for the
# time of a run varies.
resource "aws_cloudwatch_metric_alarm" "oldest_open" {
  count               = var.context.alarm_topic_arn == null ? 0 : 1
  alarm_name          = "${local.name}-oldest-open"
  alarm_description   = "A transaction is open for more than ${var.alarm_open_seconds} s: `postbus trace` tells where it stands.  Or the sweeper, which tells so, does not run."
  namespace           = var.context.environment.POSTBUS_METRICS_NAMESPACE
  metric_name         = "OldestOpenSeconds"
  dimensions          = { service = "sweep" }
  statistic           = "Maximum"
  period              = 2 * 60 * var.sweep_every_minutes
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.alarm_open_seconds
  treat_missing_data  = "breaching"
  alarm_actions       = [var.context.alarm_topic_arn]
}

# Its silence is the other alarm's.
resource "aws_cloudwatch_metric_alarm" "oldest_held" {
  count               = var.context.alarm_topic_arn == null ? 0 : 1
  alarm_name          = "${local.name}-oldest-held"
  alarm_description   = "A payment that is held came in more than ${var.alarm_held_hours} h ago, and nobody has released or refused it: `postbus hold list`."
  namespace           = var.context.environment.POSTBUS_METRICS_NAMESPACE
  metric_name         = "OldestHeldSeconds"
  dimensions          = { service = "sweep" }
  statistic           = "Maximum"
  period              = 2 * 60 * var.sweep_every_minutes
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 3600 * var.alarm_held_hours
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.context.alarm_topic_arn]
}
