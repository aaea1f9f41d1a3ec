# The system of record: one outcome item per transaction (a posting's entries embedded), one balance item per
# account, currency and shard; and the job that adds it all up again and again.

locals {
  ledger_name   = "${var.context.prefix}postbus-ledger"
  balances_name = "${var.context.prefix}postbus-balances"
  ledger_arn    = "${var.context.arns.dynamodb}:table/${local.ledger_name}"
  balances_arn  = "${var.context.arns.dynamodb}:table/${local.balances_name}"

  mark_told = { sid = "MarkTold", actions = ["dynamodb:GetItem", "dynamodb:UpdateItem"], resources = [local.ledger_arn], conditions = [] }

  environment = {
    POSTBUS_LEDGER_TABLE   = local.ledger_name
    POSTBUS_BALANCES_TABLE = local.balances_name
    POSTBUS_SHARDS         = tostring(var.shards)
  }
}

resource "aws_dynamodb_table" "ledger" {
  name                        = local.ledger_name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "transaction_id"
  deletion_protection_enabled = var.context.protect_from_deletion

  attribute {
    name = "transaction_id"
    type = "S"
  }

  attribute {
    name = "attention"
    type = "S"
  }

  attribute {
    name = "decided_at"
    type = "S"
  }

  # Sparse: only what someone must still look at; a posting costs it nothing.
  global_secondary_index {
    name            = "attention"
    hash_key        = "attention"
    range_key       = "decided_at"
    projection_type = "ALL"
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.context.key_arn
  }

  point_in_time_recovery {
    enabled = var.context.point_in_time_recovery
  }
}

resource "aws_dynamodb_table" "balances" {
  name                        = local.balances_name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "balance_key"
  deletion_protection_enabled = var.context.protect_from_deletion

  attribute {
    name = "balance_key"
    type = "S"
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.context.key_arn
  }

  point_in_time_recovery {
    enabled = var.context.point_in_time_recovery
  }
}

module "verify" {
  source          = "../scheduled_job"
  context         = var.context
  step            = "verify_ledger"
  description     = "Adds up the ledger: balances equal their entries, debits equal credits"
  every_minutes   = var.verify_every_minutes
  timeout_seconds = 900  # it reads the whole ledger
  memory_mb       = 1769 # a whole processor: adding up is its work
  archive         = var.archive
  environment     = local.environment
  grants = [{
    sid        = "ReadLedger"
    actions    = ["dynamodb:Scan"]
    resources  = [local.ledger_arn, local.balances_arn]
    conditions = []
  }]
}

# Told at every run, so silence is the sign of a check that does not run.  Two runs, for the time of a run varies.
resource "aws_cloudwatch_metric_alarm" "imbalance" {
  count               = var.context.alarm_topic_arn == null ? 0 : 1
  alarm_name          = "${local.ledger_name}-imbalance"
  alarm_description   = "The ledger does not add up: run `postbus ledger verify`, stop posting until it is explained.  Or the check itself does not run."
  namespace           = var.context.environment.POSTBUS_METRICS_NAMESPACE
  metric_name         = "LedgerImbalance"
  dimensions          = { service = "verify_ledger" }
  statistic           = "Maximum"
  period              = 2 * 60 * var.verify_every_minutes
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "breaching"
  alarm_actions       = [var.context.alarm_topic_arn]
}

# A busy account may move under one check, but not under six in a row; an alarm looks back a day at most.
resource "aws_cloudwatch_metric_alarm" "unconfirmed" {
  count               = var.context.alarm_topic_arn == null ? 0 : 1
  alarm_name          = "${local.ledger_name}-unconfirmed"
  alarm_description   = "Places in the ledger could not be checked in six runs in a row, or in any of a day, for they kept moving: run `postbus ledger verify` when it is quiet."
  namespace           = var.context.environment.POSTBUS_METRICS_NAMESPACE
  metric_name         = "LedgerUnconfirmed"
  dimensions          = { service = "verify_ledger" }
  statistic           = "Minimum"
  period              = min(6 * 60 * var.verify_every_minutes, 86400)
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching" # the silence is the other alarm's
  alarm_actions       = [var.context.alarm_topic_arn]
}
