mock_provider "aws" {
  source = "../../tests"
}

variables {
  context = jsondecode(file("../../tests/context.json"))

  archive   = { bucket = "packages", key = "mq.zip", hash = "hash" }
  topic_arn = "arn:aws:sns:eu-central-1:111122223333:test-postbus-iso20022"
  api       = { url = "https://api.example/live", secret_arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:api" }
  broker = {
    host          = "mq.example"
    queue         = "payments.in"
    refused_queue = "payments.refused"
    exchange      = "payments"
    routing_key   = "answers"
    secret_arn    = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:broker"
  }
}

run "an_answer_is_tried_for_long_and_never_dropped" {
  command = apply

  override_resource {
    target = module.write.module.dead_letters.aws_sqs_queue.this
    values = { arn = "arn:aws:sqs:eu-central-1:111122223333:test-postbus-write-broker-dead-letters" }
  }

  assert {
    condition     = jsondecode(module.write.redrive_policy).maxReceiveCount == 100 && jsondecode(module.write.redrive_policy).deadLetterTargetArn == "arn:aws:sqs:eu-central-1:111122223333:test-postbus-write-broker-dead-letters"
    error_message = "an answer that the broker does not take would be lost, or given up too soon"
  }

  assert {
    condition     = module.write.visibility_seconds == 360
    error_message = "an answer would be published twice while the first try lasts"
  }

  assert {
    condition     = jsondecode(aws_sns_topic_subscription.write.redrive_policy).deadLetterTargetArn == "arn:aws:sqs:eu-central-1:111122223333:test-postbus-write-broker-dead-letters" && aws_sns_topic_subscription.write.raw_message_delivery
    error_message = "a status that could not be told would be lost, or come in an envelope"
  }

  assert {
    condition     = [for s in jsondecode(module.write.queue_policy).Statement : s.Condition.ArnEquals["aws:SourceArn"] if s.Effect == "Allow"] == [[var.topic_arn]]
    error_message = "another topic could have messages published"
  }
}

run "the_functions_may_read_their_two_secrets_and_no_others" {
  command = plan

  variables {
    secret_key_arns = ["arn:aws:kms:eu-central-1:111122223333:key/secrets"]
  }

  assert {
    condition     = [for s in jsondecode(module.write.policy).Statement : s.Resource if s.Sid == "ReadCredentials"] == [[var.api.secret_arn, var.broker.secret_arn]]
    error_message = "another secret, or none"
  }

  assert {
    condition     = [for s in jsondecode(module.write.policy).Statement : s.Condition.StringEquals["kms:ViaService"] if s.Sid == "UseCredentialsKey"] == [["secretsmanager.eu-central-1.amazonaws.com"]]
    error_message = "the key would open more than secrets"
  }

  assert {
    condition     = !contains(keys(module.write.environment), "POSTBUS_BROKER_PASSWORD") && module.write.environment.POSTBUS_BROKER_ROUTING_KEY == "answers" && module.write.environment.POSTBUS_BROKER_PORT == "5671"
    error_message = "it would write elsewhere, or carry a secret in the open"
  }
}

run "a_stuck_or_silent_reader_calls_someone" {
  command = plan

  assert {
    condition     = aws_cloudwatch_metric_alarm.kept_back[0].statistic == "Minimum" && aws_cloudwatch_metric_alarm.kept_back[0].treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.kept_back[0].dimensions.service == "read_broker"
    error_message = "messages could wait on the broker for ever"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.refused[0].threshold == 0
    error_message = "nobody would know of a refused message"
  }
}

run "has_the_names_that_the_command_looks_for" {
  command = plan

  assert {
    condition     = output.functions == { for name in ["read-broker", "write-broker"] : name => "test-postbus-${name}" } && output.log_groups == [for name in ["read-broker", "write-broker"] : "/aws/lambda/test-postbus-${name}"]
    error_message = "a function, or its log, would not be found"
  }

  assert {
    condition     = output.dead_letters == { for name in ["read-broker", "write-broker"] : name => "https://sqs.eu-central-1.amazonaws.com/111122223333/test-postbus-${name}-dead-letters" }
    error_message = "what could not be read or told would wait where nobody looks"
  }

  assert {
    condition     = output.queues == { "write-broker" = "https://sqs.eu-central-1.amazonaws.com/111122223333/test-postbus-write-broker" } && output.queue_names == ["test-postbus-write-broker"]
    error_message = "answers that wait would be seen by nobody"
  }
}

run "what_is_refused_does_not_come_back" {
  command = plan

  variables {
    broker = { host = "mq.example", queue = "payments", refused_queue = "payments", routing_key = "answers", secret_arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:broker" }
  }

  expect_failures = [var.broker]
}

run "answers_are_not_read_as_messages" {
  command = plan

  variables {
    broker = { host = "mq.example", queue = "payments", refused_queue = "refused", routing_key = "payments", secret_arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:broker" }
  }

  expect_failures = [var.broker]
}

run "the_host_is_a_name_that_a_certificate_can_be_for" {
  command = plan

  variables {
    broker = { host = "amqps://mq.example:5671", queue = "payments", refused_queue = "refused", routing_key = "answers", secret_arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:broker" }
  }

  expect_failures = [var.broker]
}
