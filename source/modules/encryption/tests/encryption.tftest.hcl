mock_provider "aws" {
}

variables {
  prefix               = "test-"
  partition            = "aws"
  account_id           = "111122223333"
  region               = "eu-central-1"
  deletion_window_days = 30
}

run "has_a_statement_for_every_service_and_no_wildcard" {
  command = plan

  assert {
    condition     = aws_kms_key.this.multi_region && aws_kms_key.this.enable_key_rotation
    error_message = "a second region needs a replica of the key; a key is rotated"
  }

  assert {
    condition     = toset([for s in jsondecode(aws_kms_key.this.policy).Statement : s.Sid]) == toset(["Administration", "GrantsForServices", "ThroughDynamoDb", "ThroughSqs", "ThroughS3", "ThroughSns", "ThroughLambda", "ThroughFirehose", "ThroughPipes", "ThroughStepFunctions", "ThroughSecretsManager", "ThroughEvents", "ThroughScheduler", "ForEventBridge", "ForCloudWatchAlarms", "ForTopics", "ForLogs", "ForLogDelivery", "ForTrail"])
    error_message = "a service lost its statement, or an unknown one has come"
  }

  assert {
    condition     = alltrue([for s in jsondecode(aws_kms_key.this.policy).Statement : alltrue([for action in flatten([s.Action]) : !strcontains(action, "*")])])
    error_message = "an action of the key is a wildcard"
  }

  assert {
    condition     = alltrue([for s in jsondecode(aws_kms_key.this.policy).Statement : s.Principal != "*" && try(s.Principal.AWS, "") != "*"])
    error_message = "the key is open to everyone"
  }

  assert {
    condition     = alltrue([for s in jsondecode(aws_kms_key.this.policy).Statement : can(s.Condition) if s.Sid != "Administration"])
    error_message = "a service is not held to this account"
  }

  assert {
    condition     = [for s in jsondecode(aws_kms_key.this.policy).Statement : s.Condition.StringEquals["kms:ViaService"] if s.Sid == "ThroughSqs"] == ["sqs.eu-central-1.amazonaws.com"]
    error_message = "the key may be used through another service than queues"
  }

  assert {
    condition     = [for s in jsondecode(aws_kms_key.this.policy).Statement : s.Principal.Service if s.Sid == "ForCloudWatchAlarms"] == ["cloudwatch.amazonaws.com"]
    error_message = "an alarm cannot reach the encrypted topic"
  }

  assert {
    condition     = !contains(flatten([for s in jsondecode(aws_kms_key.this.policy).Statement : s.Action if s.Sid == "Administration"]), "kms:Decrypt")
    error_message = "administering the key must not read data"
  }
}

run "gives_a_month_to_think_again" {
  command = plan

  variables {
    deletion_window_days = 3
  }

  expect_failures = [var.deletion_window_days]
}
