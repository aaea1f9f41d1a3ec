mock_provider "aws" {
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

  archive       = { bucket = "packages", key = "core.zip", hash = "hash" }
  step          = "sweep"
  description   = "open for too long -> again"
  every_minutes = 5
}

run "runs_every_few_minutes_with_dead_letters" {
  command = plan

  assert {
    condition     = aws_scheduler_schedule.this.schedule_expression == "rate(5 minutes)"
    error_message = "another rhythm than asked for"
  }

  assert {
    condition     = aws_scheduler_schedule.this.target[0].retry_policy[0].maximum_retry_attempts == 3
    error_message = "one failed call would skip a run"
  }

  assert {
    condition     = module.function.name == "test-postbus-sweep"
    error_message = "the function has another name than the command looks for"
  }

  assert {
    condition     = [for s in jsondecode(module.schedule_role.policy).Statement : s.Resource if s.Sid == "Invoke"] == [["arn:aws:lambda:eu-central-1:111122223333:function:test-postbus-sweep"]]
    error_message = "the schedule may call something else"
  }
}

run "knows_the_singular" {
  command = plan

  variables {
    every_minutes = 1
  }

  assert {
    condition     = aws_scheduler_schedule.this.schedule_expression == "rate(1 minute)"
    error_message = "AWS refuses rate(1 minutes)"
  }
}
