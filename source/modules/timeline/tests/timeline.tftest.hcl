mock_provider "aws" {}

variables {
  context = jsondecode(file("../../tests/context.json"))

  bus                     = { name = "test-postbus", arn = "arn:aws:events:eu-central-1:111122223333:event-bus/test-postbus", dead_letter_arn = "arn:aws:sqs:eu-central-1:111122223333:test-postbus-bus-dead-letters" }
  archive                 = { bucket = "packages", key = "core.zip", hash = "hash" }
  pattern                 = { source = [{ prefix = "postbus." }] }
  batch_size              = 10
  batching_window_seconds = 0
  maximum_concurrency     = 2
  timeout_seconds         = 30
  visibility_seconds      = null
  sweep_every_minutes     = 5
  sweep_after_seconds     = 600
  sweep_environment       = { POSTBUS_BUS = "test-postbus" }
  sweep_grants            = [{ sid = "Publish", actions = ["events:PutEvents"], resources = ["arn:aws:events:eu-central-1:111122223333:event-bus/test-postbus"], conditions = [] }]
  alarm_open_seconds      = 3600
  alarm_held_hours        = 24
}

run "finds_what_got_stuck" {
  command = plan

  assert {
    condition     = aws_dynamodb_table.this.server_side_encryption[0].kms_key_arn == var.context.key_arn && aws_dynamodb_table.this.point_in_time_recovery[0].enabled && aws_dynamodb_table.this.deletion_protection_enabled && aws_dynamodb_table.this.billing_mode == "PAY_PER_REQUEST"
    error_message = "the table could be read, lost or deleted"
  }

  assert {
    condition     = [for index in aws_dynamodb_table.this.global_secondary_index : index.range_key] == ["idle_since"]
    error_message = "the sweeper could not ask for the longest idle"
  }

  assert {
    condition     = module.record.environment.POSTBUS_TIMELINE_TABLE == "test-postbus-timeline"
    error_message = "the recorder would write elsewhere"
  }

  assert {
    condition     = module.record.visibility_seconds == 6 * 90
    error_message = "a batch could be cut off, or come back while it is being recorded"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.oldest_open[0].metric_name == "OldestOpenSeconds" && aws_cloudwatch_metric_alarm.oldest_open[0].threshold == 3600
    error_message = "nobody would know of the oldest"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.oldest_open[0].treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.oldest_open[0].period == 2 * 60 * var.sweep_every_minutes
    error_message = "a sweeper that does not run would pass for one that finds nothing"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.oldest_held[0].metric_name == "OldestHeldSeconds" && aws_cloudwatch_metric_alarm.oldest_held[0].threshold == 86400
    error_message = "a held payment could be forgotten"
  }
}

run "a_short_visibility_is_no_shorter_than_a_batch" {
  command = plan

  variables {
    timeout_seconds    = 20
    visibility_seconds = 30
  }

  assert {
    condition     = module.record.visibility_seconds == 100
    error_message = "a batch could come back while it is being recorded"
  }
}
