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

  name    = "test-postbus-step"
  service = "lambda.amazonaws.com"
  grants  = [{ sid = "Read", actions = ["dynamodb:GetItem"], resources = ["arn:aws:dynamodb:eu-central-1:111122223333:table/t"], conditions = [] }]
}

run "writes_exactly_what_was_granted" {
  command = plan

  assert {
    condition     = jsondecode(aws_iam_role_policy.grants.policy).Statement == [{ Action = ["dynamodb:GetItem"], Effect = "Allow", Resource = ["arn:aws:dynamodb:eu-central-1:111122223333:table/t"], Sid = "Read" }]
    error_message = "the policy says something else than the grant"
  }

  assert {
    condition     = aws_iam_role.this.name == "test-postbus-step-eu-central-1"
    error_message = "a second region would find the name taken"
  }
}

run "carries_conditions" {
  command = plan

  variables {
    grants = [{ sid = "Tell", actions = ["cloudwatch:PutMetricData"], resources = ["*"], conditions = [{ test = "StringEquals", variable = "cloudwatch:namespace", values = ["Postbus"] }] }]
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.grants.policy).Statement[0].Condition.StringEquals["cloudwatch:namespace"] == ["Postbus"]
    error_message = "the condition is gone"
  }
}

run "holds_other_services_to_this_account" {
  command = plan

  variables {
    service = "events.amazonaws.com"
  }

  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "111122223333"
    error_message = "another account could have the service take the role"
  }
}

run "refuses_wildcard_actions" {
  command = plan

  variables {
    grants = [{ sid = "All", actions = ["dynamodb:*"], resources = ["*"], conditions = [] }]
  }

  expect_failures = [var.grants]
}
