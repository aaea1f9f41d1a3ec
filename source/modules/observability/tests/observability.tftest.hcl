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

  metrics_namespace = "Postbus"
  tracing_share     = 0.01
  alarms            = ["arn:aws:cloudwatch:eu-central-1:111122223333:alarm:test-a"]
  queues            = ["test-postbus-posting"]
  dead_letters      = ["test-postbus-posting-dead-letters"]
  pipes             = ["test-postbus-visa"]
  rules             = ["test-postbus-posting"]
  functions         = ["test-postbus-post"]
  workflow_arn      = "arn:aws:states:eu-central-1:111122223333:stateMachine:test-postbus-business-rules"
}

run "shows_the_path_and_lets_alarms_through" {
  command = plan

  assert {
    condition     = [for s in jsondecode(aws_sns_topic.alarms.policy).Statement : s.Action if s.Sid == "OnlyOverTls"] == ["sns:Publish"]
    error_message = "it could be told in the clear"
  }

  assert {
    condition     = aws_sns_topic.alarms.kms_master_key_id == var.context.key_arn && jsondecode(aws_sns_topic.alarms.policy).Statement[0].Principal.Service == "cloudwatch.amazonaws.com"
    error_message = "alarms would reach nobody"
  }

  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 10
    error_message = "a chart is missing"
  }

  assert {
    condition     = aws_xray_sampling_rule.this[0].fixed_rate == 0.01
    error_message = "every payment would be traced, and paid for"
  }
}
