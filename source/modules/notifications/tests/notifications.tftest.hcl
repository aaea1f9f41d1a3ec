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

  bus     = { name = "test-postbus", arn = "arn:aws:events:eu-central-1:111122223333:event-bus/test-postbus", dead_letter_arn = "arn:aws:sqs:eu-central-1:111122223333:test-postbus-bus-dead-letters" }
  pattern = { source = [{ prefix = "postbus." }], replay-name = [{ exists = false }] }
}

run "tells_each_outcome_over_an_encrypted_topic" {
  command = plan

  assert {
    condition     = [for s in jsondecode(aws_sns_topic.this.policy).Statement : s.Action if s.Sid == "OnlyOverTls"] == ["sns:Publish"]
    error_message = "it could be told in the clear"
  }

  assert {
    condition     = aws_cloudwatch_event_target.topic.dead_letter_config[0].arn == var.bus.dead_letter_arn && aws_cloudwatch_event_target.topic.retry_policy[0].maximum_retry_attempts == 185
    error_message = "an event that cannot be delivered is lost: the target needs retries and dead letters"
  }

  assert {
    condition     = aws_cloudwatch_event_target.topic.event_bus_name == "test-postbus"
    error_message = "the rule stands on another bus"
  }

  assert {
    condition     = aws_sns_topic.this.kms_master_key_id == var.context.key_arn
    error_message = "outcomes are encrypted with our key"
  }

  assert {
    condition     = jsondecode(aws_sns_topic.this.policy).Statement[0].Condition.ArnEquals["aws:SourceArn"] == "arn:aws:events:eu-central-1:111122223333:rule/test-postbus/test-postbus-notify-outcomes"
    error_message = "somebody else could publish"
  }
}
