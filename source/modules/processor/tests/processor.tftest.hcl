mock_provider "aws" {
  source = "../../tests"
}

variables {
  context = jsondecode(file("../../tests/context.json"))

  bus         = { name = "test-postbus", arn = "arn:aws:events:eu-central-1:111122223333:event-bus/test-postbus", dead_letter_arn = "arn:aws:sqs:eu-central-1:111122223333:test-postbus-bus-dead-letters" }
  archive     = { bucket = "packages", key = "core.zip", hash = "hash" }
  name        = "enrich"
  description = "TransactionAuthorized -> TransactionEnriched"
  pattern     = { source = ["postbus.inbound"] }
  step        = "enrich"
}

run "loses_nothing_between_rule_and_function" {
  command = plan

  assert {
    condition     = aws_cloudwatch_event_target.queue[0].dead_letter_config[0].arn == var.bus.dead_letter_arn && aws_cloudwatch_event_target.queue[0].retry_policy[0].maximum_retry_attempts == 185
    error_message = "an event that cannot be delivered is lost: the target needs retries and dead letters"
  }

  assert {
    condition     = aws_cloudwatch_event_target.queue[0].event_bus_name == "test-postbus"
    error_message = "the rule stands on another bus"
  }

  assert {
    condition     = aws_sqs_queue.this.visibility_timeout_seconds == 6 * 30
    error_message = "visibility must be six times the timeout: a message in work would come again"
  }

  assert {
    condition     = aws_sqs_queue.this.message_retention_seconds == 1209600
    error_message = "the queue must outlive any outage"
  }

  assert {
    condition     = aws_sqs_queue.this.kms_master_key_id == var.context.key_arn
    error_message = "messages are payments: they are encrypted with our key"
  }

  assert {
    condition     = aws_lambda_event_source_mapping.queue.function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "one failure would bring the whole batch again"
  }

  assert {
    condition     = aws_lambda_event_source_mapping.queue.batch_size == 10 && aws_lambda_event_source_mapping.queue.scaling_config[0].maximum_concurrency == 10
    error_message = "a burst must be bounded"
  }
}

run "outwaits_an_absence_of_days" {
  command = apply

  assert {
    condition     = jsondecode(output.redrive_policy) == { deadLetterTargetArn = "arn:aws:sqs:eu-central-1:111122223333:queue", maxReceiveCount = 1000 }
    error_message = "an outage of hours would park payments that only had to wait"
  }
}

run "lets_only_its_own_rule_write" {
  command = plan

  assert {
    condition     = [for s in jsondecode(aws_sqs_queue.this.policy).Statement : s.Condition.ArnEquals["aws:SourceArn"] if s.Effect == "Allow"] == [["arn:aws:events:eu-central-1:111122223333:rule/test-postbus/test-postbus-enrich"]]
    error_message = "another rule, or another account, could write"
  }
}

run "may_take_defer_and_park" {
  command = plan

  assert {
    condition     = [for s in jsondecode(module.function.policy).Statement : s.Action if s.Sid == "TakeFromOwnQueue"] == [["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"]]
    error_message = "without these a message is stuck"
  }

  assert {
    condition     = [for s in jsondecode(module.function.policy).Statement : s.Resource if s.Sid == "SendEnrichDeadLetters"] == [["arn:aws:sqs:eu-central-1:111122223333:test-postbus-enrich-dead-letters"]]
    error_message = "a poison message could not be parked"
  }

  assert {
    condition     = module.function.environment.POSTBUS_DEAD_LETTER_QUEUE_URL == "https://sqs.eu-central-1.amazonaws.com/111122223333/test-postbus-enrich-dead-letters"
    error_message = "the function would park elsewhere"
  }

  assert {
    condition     = module.function.environment.POSTBUS_BUS == "test-postbus"
    error_message = "the function would publish elsewhere"
  }
}

run "refuses_a_visibility_shorter_than_the_timeout" {
  command = plan

  variables {
    timeout_seconds    = 30
    visibility_seconds = 30
  }

  expect_failures = [aws_sqs_queue.this]
}

run "refuses_a_bus_without_a_pattern" {
  command = plan

  variables {
    pattern = null
  }

  expect_failures = [aws_sqs_queue.this]
}

run "refuses_a_pattern_without_a_bus" {
  command = plan

  variables {
    bus = null
  }

  expect_failures = [aws_sqs_queue.this]
}

run "refuses_to_park_at_the_first_hiccup" {
  command = plan

  variables {
    max_receive_count = 1
  }

  expect_failures = [var.max_receive_count]
}

run "calls_someone_when_the_queue_ages" {
  command = plan

  assert {
    condition     = aws_cloudwatch_metric_alarm.queue_age[0].threshold == 900
    error_message = "nobody would know that payments wait"
  }
}
