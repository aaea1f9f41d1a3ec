mock_provider "aws" {
  source = "../../tests"
}

variables {
  context = jsondecode(file("../../tests/context.json"))

  archive             = { bucket = "packages", key = "iso20022.zip", hash = "hash" }
  name                = "receive"
  step                = "receive_message"
  description         = "ACCP -> ACTC"
  maximum_concurrency = 20
  environment         = { POSTBUS_ISO20022_TABLE = "test-postbus-iso20022" }
}

run "works_on_many_transactions_at_once_and_on_each_in_order" {
  command = plan

  assert {
    condition     = aws_sqs_queue.this.fifo_queue && aws_sqs_queue.this.name == "test-postbus-receive.fifo"
    error_message = "two steps of one transaction could run at once"
  }

  assert {
    condition     = aws_sqs_queue.this.deduplication_scope == "messageGroup" && aws_sqs_queue.this.fifo_throughput_limit == "perMessageGroupId"
    error_message = "all transactions together would be held to 300 steps a second"
  }

  assert {
    condition     = !aws_sqs_queue.this.content_based_deduplication
    error_message = "a step sent again within five minutes would vanish: its attempt has to count"
  }

  assert {
    condition     = aws_lambda_event_source_mapping.queue.batch_size == 10 && aws_lambda_event_source_mapping.queue.scaling_config[0].maximum_concurrency == 20
    error_message = "a burst must be bounded"
  }
}

run "loses_no_step" {
  command = plan

  assert {
    condition     = aws_sqs_queue.this.visibility_timeout_seconds == 6 * 30
    error_message = "visibility must be six times the timeout: a message in work would come again"
  }

  assert {
    condition     = aws_sqs_queue.this.message_retention_seconds == 1209600
    error_message = "the queue must outlive any outage"
  }

  assert {
    condition     = aws_lambda_event_source_mapping.queue.function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "one failure would bring the whole batch again"
  }

  assert {
    condition     = aws_sqs_queue.this.kms_master_key_id == var.context.key_arn
    error_message = "the queue is encrypted with our key"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.queue_age[0].threshold == 900
    error_message = "nobody would know that steps wait"
  }
}

run "hands_what_never_succeeds_to_a_fifo_queue_of_its_own" {
  command = apply

  assert {
    condition     = jsondecode(aws_sqs_queue.this.redrive_policy) == { deadLetterTargetArn = "arn:aws:sqs:eu-central-1:111122223333:queue", maxReceiveCount = 1000 }
    error_message = "an outage of hours would park steps that only had to wait"
  }

  assert {
    condition     = output.dead_letter_url == "https://sqs.eu-central-1.amazonaws.com/111122223333/test-postbus-receive-dead-letters.fifo"
    error_message = "SQS refuses dead letters of another kind than the queue's"
  }
}

run "may_take_defer_and_park" {
  command = plan

  assert {
    condition     = [for s in jsondecode(module.function.policy).Statement : s.Resource if s.Sid == "TakeFromOwnQueue"] == [["arn:aws:sqs:eu-central-1:111122223333:test-postbus-receive.fifo"]]
    error_message = "it could take another step's messages, or not its own"
  }

  assert {
    condition     = [for s in jsondecode(module.function.policy).Statement : s.Resource if s.Sid == "SendReceiveDeadLetters"] == [["arn:aws:sqs:eu-central-1:111122223333:test-postbus-receive-dead-letters.fifo"]]
    error_message = "a poison message could not be parked"
  }

  assert {
    condition     = module.function.environment.POSTBUS_QUEUE_URL == output.queue_url && module.function.environment.POSTBUS_DEAD_LETTER_QUEUE_URL == output.dead_letter_url && module.function.environment.POSTBUS_ISO20022_TABLE == "test-postbus-iso20022"
    error_message = "the function would look elsewhere"
  }
}

run "lets_nobody_in_by_the_queues_own_policy" {
  command = plan

  assert {
    condition     = [for s in jsondecode(aws_sqs_queue.this.policy).Statement : "${s.Effect} ${s.Action}"] == ["Deny sqs:*"]
    error_message = "steps are sent by grant only, and over TLS only"
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

run "refuses_batches_that_fifo_queues_do_not_give" {
  command = plan

  variables {
    batch_size = 11
  }

  expect_failures = [var.batch_size]
}
