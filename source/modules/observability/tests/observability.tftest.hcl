mock_provider "aws" {}

variables {
  context = jsondecode(file("../../tests/context.json"))

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
