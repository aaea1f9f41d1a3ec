mock_provider "aws" {
  source = "../../tests"
}

variables {
  context = jsondecode(file("../../tests/context.json"))

  archive        = { bucket = "packages", key = "core.zip", hash = "hash" }
  every_hours    = 23
  input_tables   = { visa = "test-visa", credit_transfers = "test-credit_transfers" }
  ledger_table   = "test-postbus-ledger"
  timeline_table = "test-postbus-timeline"
}

run "compares_every_source_with_what_came_of_it" {
  command = plan

  assert {
    condition     = module.job.environment.POSTBUS_INPUT_TABLES == "credit_transfers=test-credit_transfers,visa=test-visa" && module.job.environment.POSTBUS_LEDGER_TABLE == "test-postbus-ledger" && module.job.environment.POSTBUS_TIMELINE_TABLE == "test-postbus-timeline"
    error_message = "records of a source could be lost and nobody would look for them"
  }

  assert {
    condition     = output.function_name == "test-postbus-reconcile" && output.dead_letter_url == "https://sqs.eu-central-1.amazonaws.com/111122223333/test-postbus-reconcile-dead-letters"
    error_message = "the command would not find the job"
  }
}

run "reads_and_changes_nothing" {
  command = plan

  assert {
    condition = { for s in jsondecode(module.job.policy).Statement : s.Sid => { actions = s.Action, tables = s.Resource } if length(regexall("dynamodb:|events:", jsonencode(s.Action))) > 0 } == {
      ReadInputs    = { actions = ["dynamodb:Scan"], tables = [for table in ["test-credit_transfers", "test-visa"] : "arn:aws:dynamodb:eu-central-1:111122223333:table/${table}"] }
      LookForTraces = { actions = ["dynamodb:BatchGetItem", "dynamodb:Query"], tables = [for table in ["test-postbus-ledger", "test-postbus-timeline"] : "arn:aws:dynamodb:eu-central-1:111122223333:table/${table}"] }
    }
    error_message = "it could not look everywhere, or do more than look: what is missing is brought in by a person's command"
  }
}

run "calls_someone_for_what_is_lost_and_when_nobody_looks" {
  command = plan

  assert {
    condition     = aws_cloudwatch_metric_alarm.missing[0].alarm_name == "test-postbus-missing" && aws_cloudwatch_metric_alarm.missing[0].metric_name == "MissingTransactions" && aws_cloudwatch_metric_alarm.missing[0].threshold == 0 && aws_cloudwatch_metric_alarm.missing[0].treat_missing_data == "breaching"
    error_message = "a lost payment would be missed by nobody"
  }

  assert {
    condition     = var.every_hours * 3600 < aws_cloudwatch_metric_alarm.missing[0].period
    error_message = "a day without a run would alarm"
  }

  assert {
    condition = { for name, alarm in aws_cloudwatch_metric_alarm.unsettled : alarm.alarm_name => "${alarm.metric_name} ${alarm.statistic} ${alarm.comparison_operator} ${alarm.threshold} ${alarm.dimensions.service} ${alarm.period} ${length(alarm.alarm_actions)}" } == {
      test-postbus-changed        = "ChangedTransactions Maximum GreaterThanThreshold 0 reconcile 86400 1"
      test-postbus-without-effect = "ReversalsWithoutEffect Maximum GreaterThanThreshold 0 reconcile 86400 1"
    }
    error_message = "nobody would be told of what cannot be brought in"
  }
}

run "every_alarm_is_told" {
  command = apply

  assert {
    condition     = length(setsubtract(concat(aws_cloudwatch_metric_alarm.missing[*].arn, values(aws_cloudwatch_metric_alarm.unsettled)[*].arn, module.job.alarms), output.alarms)) == 0 && length(aws_cloudwatch_metric_alarm.unsettled) == 2
    error_message = "the dashboard would not show it"
  }
}

run "refuses_a_day_without_a_look" {
  command = plan

  variables {
    every_hours = 24
  }

  expect_failures = [var.every_hours]
}
