mock_provider "aws" {}

variables {
  context = jsondecode(file("../../tests/context.json"))

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

run "looks_back_a_day_at_most" {
  command = plan

  variables {
    verify_every_minutes = 720
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.unconfirmed[0].period == 86400 && aws_cloudwatch_metric_alarm.imbalance[0].period == 86400
    error_message = "CloudWatch takes no longer period"
  }
}

run "shards_enough" {
  command = plan

  variables {
    shards = 8
  }

  expect_failures = [var.shards]
}
