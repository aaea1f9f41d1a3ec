mock_provider "aws" {
  source = "../../tests"
}

variables {
  context = jsondecode(file("../../tests/context.json"))

  archive             = { bucket = "packages", key = "iso20022.zip", hash = "hash" }
  name                = "receive"
  fifo                = true
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

run "hands_what_never_succeeds_to_a_fifo_queue_of_its_own" {
  command = plan

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

  assert {
    condition     = length(aws_cloudwatch_event_rule.this) == 0 && !can(module.function.environment.POSTBUS_BUS)
    error_message = "a rule knows one group only: one batch at a time for all transactions together"
  }
}

run "refuses_batches_that_fifo_queues_do_not_give" {
  command = plan

  variables {
    batch_size = 11
  }

  expect_failures = [aws_lambda_event_source_mapping.queue]
}

run "refuses_a_bus" {
  command = plan

  variables {
    bus     = { name = "test-postbus", dead_letter_arn = "arn:aws:sqs:eu-central-1:111122223333:test-postbus-bus-dead-letters" }
    pattern = { source = ["postbus.iso20022"] }
  }

  expect_failures = [aws_sqs_queue.this]
}
