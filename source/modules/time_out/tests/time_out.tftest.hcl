mock_provider "aws" {
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-central-1:111122223333:queue" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/role" }
  }
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:eu-central-1:111122223333:function:function" }
  }
  mock_resource "aws_sfn_state_machine" {
    defaults = { arn = "arn:aws:states:eu-central-1:111122223333:stateMachine:machine" }
  }
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
