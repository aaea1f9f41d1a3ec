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
