mock_provider "aws" {}

variables {
  context = jsondecode(file("../../tests/context.json"))

  source_name              = "visa"
  key_attribute            = "auth"
  bus                      = { name = "test-postbus", arn = "arn:aws:events:eu-central-1:111122223333:event-bus/test-postbus", dead_letter_arn = "arn:aws:sqs:eu-central-1:111122223333:test-postbus-bus-dead-letters" }
  archive                  = { bucket = "packages", key = "core.zip", hash = "hash" }
  bus_grants               = { publish = [{ sid = "Publish", actions = ["events:PutEvents"], resources = ["arn:aws:events:eu-central-1:111122223333:event-bus/test-postbus"], conditions = [] }] }
  grants                   = [{ sid = "Claim", actions = ["dynamodb:PutItem"], resources = ["arn:aws:dynamodb:eu-central-1:111122223333:table/claims"], conditions = [] }]
  environment              = { POSTBUS_CLAIMS_TABLE = "test-postbus-claims" }
  duplicate_window_seconds = 86400
  parallelization_factor   = 4
  patterns                 = [{ eventName = ["INSERT"] }, { eventName = ["MODIFY"] }]
}

run "tries_as_long_as_the_stream_keeps_a_record" {
  command = plan

  assert {
    condition     = output.pipe.source_parameters.dynamodb_stream_parameters.starting_position == "TRIM_HORIZON"
    error_message = "records written before the pipe runs would be lost"
  }

  assert {
    condition     = output.pipe.source_parameters.dynamodb_stream_parameters.maximum_retry_attempts == -1 && output.pipe.source_parameters.dynamodb_stream_parameters.maximum_record_age_in_seconds == 86400
    error_message = "a record would be given up before the stream forgets it"
  }

  assert {
    condition     = output.pipe.source_parameters.dynamodb_stream_parameters.on_partial_batch_item_failure == "AUTOMATIC_BISECT"
    error_message = "one record would hold back its batch"
  }

  assert {
    condition     = output.pipe.source_parameters.dynamodb_stream_parameters.dead_letter_config.arn == "arn:aws:sqs:eu-central-1:111122223333:test-postbus-pipe-visa-dead-letters"
    error_message = "what ends in nothing is lost"
  }

  assert {
    condition     = output.pipe.source_parameters.dynamodb_stream_parameters.batch_size == 10
    error_message = "a bus takes ten"
  }

  assert {
    condition     = length(output.pipe.source_parameters.filter_criteria.filters) == 2
    error_message = "a filter is missing"
  }

  assert {
    condition     = output.pipe.target_parameters.eventbridge_event_bus_parameters == { detail_type = "TransactionAuthorized", source = "postbus.inbound" }
    error_message = "no rule would take it"
  }
}

run "makes_the_pipe_from_that_definition" {
  command = plan

  assert {
    condition     = aws_pipes_pipe.this[0].source_parameters[0].dynamodb_stream_parameters[0].maximum_retry_attempts == -1 && aws_pipes_pipe.this[0].source_parameters[0].dynamodb_stream_parameters[0].on_partial_batch_item_failure == "AUTOMATIC_BISECT"
    error_message = "the pipe is another than its definition"
  }

  assert {
    condition     = aws_pipes_pipe.this[0].kms_key_identifier == var.context.key_arn && aws_pipes_pipe.this[0].log_configuration[0].level == "ERROR"
    error_message = "the pipe is neither encrypted nor heard"
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.pipe_state) == 1 && aws_cloudwatch_metric_alarm.pipe_state[0].treat_missing_data == "breaching"
    error_message = "a stopped pipe says nothing: silence must call someone"
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.record_age) == 1
    error_message = "nobody would know that the pipe is behind"
  }
}

run "keeps_the_table_whole" {
  command = plan

  assert {
    condition     = aws_dynamodb_table.this.name == "test-visa" && aws_dynamodb_table.this.stream_view_type == "NEW_AND_OLD_IMAGES"
    error_message = "the filter needs both images"
  }

  assert {
    condition     = aws_dynamodb_table.this.point_in_time_recovery[0].enabled && aws_dynamodb_table.this.deletion_protection_enabled && aws_dynamodb_table.this.server_side_encryption[0].kms_key_arn == var.context.key_arn
    error_message = "records could be lost or read"
  }
}

run "may_claim_and_quarantine_and_no_more" {
  command = plan

  assert {
    condition     = toset([for s in jsondecode(module.deduplicate.policy).Statement : s.Sid]) == toset(["WriteOwnLog", "Trace", "UseKey", "Claim", "SendQuarantineVisa"])
    error_message = "more, or less, than the step needs"
  }
}

run "refuses_more_filters_than_a_pipe_takes" {
  command = plan

  variables {
    patterns = [{}, {}, {}, {}, {}, {}]
  }

  expect_failures = [var.patterns]
}
