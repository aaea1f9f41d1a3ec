mock_provider "aws" {}

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
    condition     = toset([for s in jsondecode(aws_kms_key.this.policy).Statement : s.Sid]) == toset(["Administration", "GrantsForServices", "Describe", "ThroughDynamoDb", "ThroughEvents", "ThroughFirehose", "ThroughLambda", "ThroughS3", "ThroughSecretsManager", "ThroughSns", "ThroughSqs", "ThroughStepFunctions", "ForEventBridgeBus", "ForEventBridgeQueues", "ForEventBridgeTopics", "ForCloudWatchAlarms", "ForSubscriptions", "ForLogs", "ForLogDelivery", "ForTrail", "ForPipeRoles", "ForWorkflowRoles"])
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
    condition     = [for s in jsondecode(aws_kms_key.this.policy).Statement : s.Condition.ArnLike["kms:EncryptionContext:aws:sqs:arn"] if s.Sid == "ForEventBridgeQueues"] == ["arn:aws:sqs:eu-central-1:111122223333:test-postbus-*"]
    error_message = "rules could not write to the queues, or could to queues of others"
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
