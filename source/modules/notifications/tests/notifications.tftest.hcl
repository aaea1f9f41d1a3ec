mock_provider "aws" {}

variables {
  context = jsondecode(file("../../tests/context.json"))

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
