mock_provider "aws" {}

variables {
  context = jsondecode(file("../../tests/context.json"))

  name = "posting-dead-letters"
}

run "keeps_everything_encrypted_for_two_weeks_and_calls_someone" {
  command = plan

  assert {
    condition     = aws_sqs_queue.this.name == "test-postbus-posting-dead-letters" && aws_sqs_queue.this.message_retention_seconds == 1209600
    error_message = "dead letters are kept as long as SQS can"
  }

  assert {
    condition     = aws_sqs_queue.this.kms_master_key_id == var.context.key_arn
    error_message = "dead letters hold payments: they are encrypted with our key"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.not_empty[0].threshold == 0 && aws_cloudwatch_metric_alarm.not_empty[0].alarm_actions == toset([var.context.alarm_topic_arn])
    error_message = "the first dead letter must call someone"
  }

  assert {
    condition     = [for s in jsondecode(aws_sqs_queue.this.policy).Statement : "${s.Effect} ${s.Action}"] == ["Deny sqs:*"]
    error_message = "nobody was given the right to write, yet somebody has it"
  }
}

run "lets_only_named_senders_in" {
  command = plan

  variables {
    senders = { "events.amazonaws.com" = ["arn:aws:events:eu-central-1:111122223333:rule/test-postbus/*"] }
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.this.policy).Statement[0].Principal.Service == "events.amazonaws.com" && jsondecode(aws_sqs_queue.this.policy).Statement[0].Condition.ArnLike["aws:SourceArn"] == ["arn:aws:events:eu-central-1:111122223333:rule/test-postbus/*"]
    error_message = "the bus cannot write, or anybody's bus can"
  }
}

run "stays_quiet_where_the_target_keeps_no_alarms" {
  command = plan

  variables {
    context = {
      prefix          = ""
      arns            = { sqs = "arn:aws:sqs:eu-central-1:111122223333" }
      sqs_url         = "https://sqs"
      key_arn         = "key"
      alarm_topic_arn = null
    }
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.not_empty) == 0
    error_message = "an alarm with nobody to tell"
  }
}

run "takes_the_letters_of_one_fifo_queue" {
  command = plan

  variables {
    name       = "receive-dead-letters"
    fifo       = true
    queue_arns = ["arn:aws:sqs:eu-central-1:111122223333:test-postbus-receive.fifo"]
  }

  assert {
    condition     = aws_sqs_queue.this.fifo_queue && aws_sqs_queue.this.name == "test-postbus-receive-dead-letters.fifo" && endswith(output.url, "/test-postbus-receive-dead-letters.fifo")
    error_message = "a FIFO queue's messages could go nowhere at last"
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.this.redrive_allow_policy) == { redrivePermission = "byQueue", sourceQueueArns = ["arn:aws:sqs:eu-central-1:111122223333:test-postbus-receive.fifo"] }
    error_message = "another queue's messages would be mixed in"
  }

  assert {
    condition     = [for grant in output.grants.send : "${grant.sid} ${grant.resources[0]}"] == ["SendReceiveDeadLetters arn:aws:sqs:eu-central-1:111122223333:test-postbus-receive-dead-letters.fifo"]
    error_message = "a poison message could not be parked"
  }
}
