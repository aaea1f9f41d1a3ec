mock_provider "aws" {}

variables {
  context = jsondecode(file("../../tests/context.json"))

  archive_days    = 90
  archive_pattern = { source = [{ prefix = "postbus." }], replay-name = [{ exists = false }] }
}

run "is_encrypted_archived_and_has_dead_letters" {
  command = plan

  assert {
    condition     = aws_cloudwatch_event_bus.this.kms_key_identifier == var.context.key_arn
    error_message = "the bus is not encrypted with our key"
  }

  assert {
    condition     = aws_cloudwatch_event_bus.this.dead_letter_config[0].arn == "arn:aws:sqs:eu-central-1:111122223333:test-postbus-bus-dead-letters"
    error_message = "the bus has no dead letters"
  }

  assert {
    condition     = aws_cloudwatch_event_archive.this.retention_days == 90
    error_message = "the archive keeps another time than asked for"
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_archive.this.event_pattern)["replay-name"] == [{ exists = false }]
    error_message = "a replay would be archived again"
  }

  assert {
    condition     = alltrue([for grants in values(output.grants) : grants[0].actions == ["events:PutEvents"]])
    error_message = "publishing is one action"
  }

  assert {
    condition     = output.grants.admit[0].conditions == [{ test = "ForAllValues:StringEquals", variable = "events:source", values = ["postbus.inbound"] }, { test = "Null", variable = "events:source", values = ["false"] }]
    error_message = "a pipe could approve its own payments"
  }

  assert {
    condition     = alltrue([for publisher in ["enrich", "decide"] : !contains(output.grants[publisher][0].conditions[0].values, "postbus.inbound")])
    error_message = "a later step could make payments up"
  }
}

run "keeps_whole_days" {
  command = plan

  variables {
    archive_days = 1.5
  }

  expect_failures = [var.archive_days]
}
