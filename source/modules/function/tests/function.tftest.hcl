mock_provider "aws" {}

variables {
  context = jsondecode(file("../../tests/context.json"))

  name        = "test-postbus-step"
  description = "in -> out"
  step        = "enrich"
  archive     = { bucket = "packages", key = "core.zip", hash = "hash" }
  grants      = [{ sid = "Read", actions = ["dynamodb:GetItem"], resources = ["arn:aws:dynamodb:eu-central-1:111122223333:table/t"], conditions = [] }]
}

run "is_updated_by_the_hash_of_its_inputs_and_encrypted" {
  command = plan

  assert {
    condition     = aws_lambda_function.this.source_code_hash == "hash" && aws_lambda_function.this.s3_key == "core.zip"
    error_message = "a changed source would not be deployed"
  }

  assert {
    condition     = aws_lambda_function.this.handler == "postbus.functions.enrich.handler.lambda_handler" && aws_lambda_function.this.runtime == "python3.13" && aws_lambda_function.this.architectures == tolist(["arm64"])
    error_message = "it would run something else"
  }

  assert {
    condition     = aws_lambda_function.this.kms_key_arn == var.context.key_arn && aws_cloudwatch_log_group.this.kms_key_id == var.context.key_arn
    error_message = "environment and log are encrypted with our key"
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.retention_in_days == 30
    error_message = "logs are kept for ever"
  }
}

run "may_do_what_was_granted_and_write_its_own_log" {
  command = plan

  assert {
    condition     = toset([for s in jsondecode(module.role.policy).Statement : s.Sid]) == toset(["WriteOwnLog", "Trace", "UseKey", "Read"])
    error_message = "more, or less, than was granted"
  }

  assert {
    condition     = [for s in jsondecode(module.role.policy).Statement : s.Resource if s.Sid == "WriteOwnLog"] == [["arn:aws:logs:eu-central-1:111122223333:log-group:/aws/lambda/test-postbus-step:*"]]
    error_message = "it could write into another's log"
  }

  assert {
    condition     = [for s in jsondecode(module.role.policy).Statement : s.Sid if contains(s.Resource, "*")] == ["Trace"]
    error_message = "a resource is a wildcard where the service has another form"
  }
}

run "is_attached_to_a_network_only_where_it_is_told_to" {
  command = plan

  variables {
    network = { subnet_ids = ["subnet-1", "subnet-2"], security_group_ids = ["sg-1"] }
  }

  assert {
    condition     = aws_lambda_function.this.vpc_config[0].subnet_ids == toset(["subnet-1", "subnet-2"]) && aws_lambda_function.this.vpc_config[0].security_group_ids == toset(["sg-1"])
    error_message = "it would not reach what is in that network"
  }

  assert {
    condition     = contains([for s in jsondecode(module.role.policy).Statement : s.Sid], "AttachToNetwork")
    error_message = "Lambda could not attach it"
  }
}

run "calls_someone_for_errors_and_throttles" {
  command = plan

  assert {
    condition     = keys(aws_cloudwatch_metric_alarm.trouble) == ["Errors", "Throttles"]
    error_message = "an alarm is missing"
  }
}
