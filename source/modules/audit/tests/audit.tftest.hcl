mock_provider "aws" {}

variables {
  context = jsondecode(file("../../tests/context.json"))

  bus                = { name = "test-postbus", arn = "arn:aws:events:eu-central-1:111122223333:event-bus/test-postbus", dead_letter_arn = "arn:aws:sqs:eu-central-1:111122223333:test-postbus-bus-dead-letters" }
  archive            = { bucket = "packages", key = "core.zip", hash = "hash" }
  pattern            = { source = [{ prefix = "postbus." }], replay-name = [{ exists = false }] }
  force_destroy      = false
  keep_days          = null
  object_lock_days   = 0
  buffer_mb          = 64
  buffer_seconds     = 300
  data_event_trail   = false
  trail_table_arns   = ["arn:aws:dynamodb:eu-central-1:111122223333:table/test-visa"]
  trail_bucket_arns  = []
  timeout_seconds    = 30
  visibility_seconds = null
}

run "writes_large_encrypted_batches_of_lines" {
  command = plan

  assert {
    condition     = aws_cloudwatch_event_target.firehose[0].dead_letter_config[0].arn == var.bus.dead_letter_arn && aws_cloudwatch_event_target.firehose[0].retry_policy[0].maximum_retry_attempts == 185
    error_message = "an event that cannot be delivered is lost: the target needs retries and dead letters"
  }

  assert {
    condition     = aws_cloudwatch_event_target.firehose[0].event_bus_name == "test-postbus"
    error_message = "the rule stands on another bus"
  }

  assert {
    condition     = aws_kinesis_firehose_delivery_stream.this.extended_s3_configuration[0].buffering_size == 64 && aws_kinesis_firehose_delivery_stream.this.extended_s3_configuration[0].buffering_interval == 300
    error_message = "one object per event costs more than the events"
  }

  assert {
    condition     = one(aws_kinesis_firehose_delivery_stream.this.extended_s3_configuration[0].processing_configuration[0].processors).type == "AppendDelimiterToRecord"
    error_message = "events would run into each other"
  }

  assert {
    condition     = aws_kinesis_firehose_delivery_stream.this.server_side_encryption[0].key_arn == var.context.key_arn && aws_kinesis_firehose_delivery_stream.this.extended_s3_configuration[0].kms_key_arn == var.context.key_arn
    error_message = "events are encrypted with our key on their way and at rest"
  }

  assert {
    condition     = length(output.forward) == 0 && length(aws_cloudtrail.data_events) == 0
    error_message = "nobody asked for a forwarder or a trail"
  }
}

run "forwards_by_a_function_where_rules_do_not_reach" {
  command = plan

  variables {
    context = merge(var.context, { target = { has_rule_dead_letters = true, has_firehose_rule_target = false } })
  }

  assert {
    condition     = length(output.forward) == 1 && length(aws_cloudwatch_event_rule.this) == 0
    error_message = "events would be written twice or not at all"
  }
}

run "keeps_a_trail_when_asked" {
  command = plan

  variables {
    data_event_trail = true
  }

  assert {
    condition     = length(aws_cloudtrail.data_events) == 1 && aws_cloudtrail.data_events[0].enable_log_file_validation
    error_message = "the trail could be changed unseen"
  }
}

run "delivers_events_and_cannot_touch_the_trail" {
  command = plan

  assert {
    condition     = [for s in jsondecode(module.firehose_role.policy).Statement : [for resource in s.Resource : regex("/[^/]+/\\*$", resource)] if s.Sid == "Deliver"] == [["/events/*", "/undelivered/*"]]
    error_message = "what delivers events could write over the trail that says who read them"
  }
}
