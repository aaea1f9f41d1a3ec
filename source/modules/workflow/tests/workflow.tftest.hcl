mock_provider "aws" {}

variables {
  context = jsondecode(file("../../tests/context.json"))

  bus             = { name = "test-postbus", arn = "arn:aws:events:eu-central-1:111122223333:event-bus/test-postbus", dead_letter_arn = "arn:aws:sqs:eu-central-1:111122223333:test-postbus-bus-dead-letters" }
  name            = "business-rules"
  description     = "TransactionEnriched -> a decision"
  pattern         = { source = ["postbus.enrichment"] }
  definition_file = "./tests/definition.asl.json"
  substitutions   = { task_arn = "arn:aws:lambda:eu-central-1:111122223333:function:task" }
  grants          = [{ sid = "Task", actions = ["lambda:InvokeFunction"], resources = ["arn:aws:lambda:eu-central-1:111122223333:function:task"], conditions = [] }]
}

run "loses_nothing_between_rule_and_workflow" {
  command = plan

  assert {
    condition     = aws_cloudwatch_event_target.workflow.dead_letter_config[0].arn == var.bus.dead_letter_arn && aws_cloudwatch_event_target.workflow.retry_policy[0].maximum_retry_attempts == 185
    error_message = "an event that cannot be delivered is lost: the target needs retries and dead letters"
  }

  assert {
    condition     = aws_cloudwatch_event_target.workflow.event_bus_name == "test-postbus"
    error_message = "the rule stands on another bus"
  }

  assert {
    condition     = aws_sfn_state_machine.this.type == "EXPRESS" && aws_sfn_state_machine.this.logging_configuration[0].level == "ERROR" && !aws_sfn_state_machine.this.logging_configuration[0].include_execution_data
    error_message = "failures are logged, payments are not"
  }

  assert {
    condition     = aws_sfn_state_machine.this.encryption_configuration[0].type == "CUSTOMER_MANAGED_KMS_KEY"
    error_message = "executions hold payments: they are encrypted with our key"
  }

  assert {
    condition     = jsondecode(aws_sfn_state_machine.this.definition).States.Park.Arguments.QueueUrl == "https://sqs.eu-central-1.amazonaws.com/111122223333/test-postbus-business-rules-dead-letters"
    error_message = "what is caught would be parked elsewhere"
  }

  assert {
    condition     = keys(aws_cloudwatch_metric_alarm.trouble) == ["ExecutionThrottled", "ExecutionsAborted", "ExecutionsFailed", "ExecutionsTimedOut"]
    error_message = "an alarm is missing"
  }
}

run "may_call_its_tasks_park_and_no_more" {
  command = plan

  assert {
    condition     = toset([for s in jsondecode(module.role.policy).Statement : s.Sid]) == toset(["SendBusinessRulesDeadLetters", "DeliverLog", "Trace", "UseKey", "Task"])
    error_message = "more, or less, than the workflow needs"
  }

  assert {
    condition     = jsondecode(module.rule_role.policy).Statement == [{ Action = ["states:StartExecution"], Effect = "Allow", Resource = ["arn:aws:states:eu-central-1:111122223333:stateMachine:test-postbus-business-rules"], Sid = "Start" }]
    error_message = "the rule may start something else"
  }
}
