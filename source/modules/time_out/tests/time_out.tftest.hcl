mock_provider "aws" {
  source = "../../tests"
}

variables {
  context = jsondecode(file("../../tests/context.json"))

  archive         = { bucket = "packages", key = "iso20022.zip", hash = "hash" }
  step            = "time_out_messages"
  description     = "what is overdue -> decide"
  definition_file = "../../../statemachines/time_out.asl.json"
  environment     = { POSTBUS_ISO20022_TABLE = "test-postbus-iso20022" }
  grants          = []
}

run "looks_every_15_seconds" {
  command = plan

  assert {
    condition     = aws_scheduler_schedule.this.schedule_expression == "rate(1 minute)" && aws_scheduler_schedule.this.flexible_time_window[0].mode == "OFF"
    error_message = "another rhythm: four looks fill one minute"
  }

  assert {
    condition     = aws_sfn_state_machine.this.type == "EXPRESS"
    error_message = "a standard workflow would cost forty times as much"
  }
}

run "starts_its_own_workflow_which_calls_its_own_function" {
  command = apply

  assert {
    condition     = jsondecode(aws_sfn_state_machine.this.definition).States["Time out"].Arguments.FunctionName == "arn:aws:lambda:eu-central-1:111122223333:function:function"
    error_message = "it would look at something else"
  }

  assert {
    condition     = aws_scheduler_schedule.this.target[0].arn == "arn:aws:states:eu-central-1:111122223333:stateMachine:machine" && aws_scheduler_schedule.this.target[0].dead_letter_config[0].arn == "arn:aws:sqs:eu-central-1:111122223333:queue"
    error_message = "a minute that could not be started must leave a trace"
  }

  assert {
    condition     = [for s in jsondecode(module.schedule_role.policy).Statement : s.Resource if s.Sid == "Start"] == [["arn:aws:states:eu-central-1:111122223333:stateMachine:test-postbus-time-out"]]
    error_message = "the schedule may start something else"
  }

  assert {
    condition     = [for s in jsondecode(module.role.policy).Statement : s.Resource if s.Sid == "Invoke"] == [["arn:aws:lambda:eu-central-1:111122223333:function:test-postbus-time-out-messages"]]
    error_message = "the workflow may call something else"
  }
}

run "calls_someone_when_nobody_looks" {
  command = plan

  assert {
    condition     = aws_cloudwatch_metric_alarm.absent[0].treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.absent[0].comparison_operator == "LessThanThreshold"
    error_message = "nothing would time out, and nobody would know"
  }

  assert {
    condition     = aws_sfn_state_machine.this.encryption_configuration[0].type == "CUSTOMER_MANAGED_KMS_KEY" && !aws_sfn_state_machine.this.logging_configuration[0].include_execution_data
    error_message = "executions are encrypted with our key, and not logged"
  }
}
