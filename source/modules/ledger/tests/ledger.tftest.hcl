mock_provider "aws" {
}

variables {
  context = {
    prefix                 = "test-"
    partition              = "aws"
    account_id             = "111122223333"
    region                 = "eu-central-1"
    sqs_url                = "https://sqs.eu-central-1.amazonaws.com/111122223333"
    key_arn                = "arn:aws:kms:eu-central-1:111122223333:key/mrk-1"
    key_grants             = [{ sid = "UseKey", actions = ["kms:Decrypt"], resources = ["arn:aws:kms:eu-central-1:111122223333:key/mrk-1"], conditions = [] }]
    key_grants_direct      = [{ sid = "UseKey", actions = ["kms:Decrypt"], resources = ["arn:aws:kms:eu-central-1:111122223333:key/mrk-1"], conditions = [] }]
    alarm_topic_arn        = "arn:aws:sns:eu-central-1:111122223333:test-postbus-alarms"
    log_retention_days     = 30
    log_level              = "INFO"
    architecture           = "arm64"
    python_version         = "3.13"
    tracing                = true
    point_in_time_recovery = true
    protect_from_deletion  = true
    environment            = { POSTBUS_METRICS_NAMESPACE = "Postbus" }
    target                 = { has_pipes = true, has_rule_dead_letters = true, has_firehose_rule_target = true, has_execution_logs = true }
    arns = {
      cloudtrail = "arn:aws:cloudtrail:eu-central-1:111122223333"
      cloudwatch = "arn:aws:cloudwatch:eu-central-1:111122223333"
      dynamodb   = "arn:aws:dynamodb:eu-central-1:111122223333"
      events     = "arn:aws:events:eu-central-1:111122223333"
      firehose   = "arn:aws:firehose:eu-central-1:111122223333"
      lambda     = "arn:aws:lambda:eu-central-1:111122223333"
      logs       = "arn:aws:logs:eu-central-1:111122223333"
      sns        = "arn:aws:sns:eu-central-1:111122223333"
      sqs        = "arn:aws:sqs:eu-central-1:111122223333"
      states     = "arn:aws:states:eu-central-1:111122223333"
    }
  }

  archive              = { bucket = "packages", key = "core.zip", hash = "hash" }
  shards               = 64
  verify_every_minutes = 60
}

run "keeps_the_books_safe" {
  command = plan

  assert {
    condition     = aws_dynamodb_table.ledger.server_side_encryption[0].kms_key_arn == var.context.key_arn && aws_dynamodb_table.ledger.point_in_time_recovery[0].enabled && aws_dynamodb_table.ledger.deletion_protection_enabled && aws_dynamodb_table.ledger.billing_mode == "PAY_PER_REQUEST"
    error_message = "the table could be read, lost or deleted"
  }

  assert {
    condition     = aws_dynamodb_table.balances.server_side_encryption[0].kms_key_arn == var.context.key_arn && aws_dynamodb_table.balances.point_in_time_recovery[0].enabled && aws_dynamodb_table.balances.deletion_protection_enabled && aws_dynamodb_table.balances.billing_mode == "PAY_PER_REQUEST"
    error_message = "the table could be read, lost or deleted"
  }

  assert {
    condition     = aws_dynamodb_table.ledger.hash_key == "transaction_id" && aws_dynamodb_table.balances.hash_key == "balance_key"
    error_message = "one outcome per transaction, one item per balance"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.imbalance[0].threshold == 0
    error_message = "one wrong place must call someone"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.imbalance[0].treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.imbalance[0].period == 7200
    error_message = "a check that does not run would pass for books that add up"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.unconfirmed[0].statistic == "Minimum" && aws_cloudwatch_metric_alarm.unconfirmed[0].metric_name == "LedgerUnconfirmed" && aws_cloudwatch_metric_alarm.unconfirmed[0].threshold == 0 && aws_cloudwatch_metric_alarm.unconfirmed[0].period == 21600
    error_message = "a place that is never checked would pass for one that is right"
  }

  assert {
    condition     = alltrue([for grants in values(output.grants) : alltrue([for grant in grants : !contains(grant.actions, "dynamodb:DeleteItem")])])
    error_message = "nothing may delete a posting"
  }
}

run "shards_enough" {
  command = plan

  variables {
    shards = 8
  }

  expect_failures = [var.shards]
}
