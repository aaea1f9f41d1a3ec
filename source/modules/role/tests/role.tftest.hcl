mock_provider "aws" {}

variables {
  context = jsondecode(file("../../tests/context.json"))

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
