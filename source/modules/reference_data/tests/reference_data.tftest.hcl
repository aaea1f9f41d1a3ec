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
}

run "keeps_reference_data_safe" {
  command = plan

  assert {
    condition     = aws_dynamodb_table.this["accounts"].server_side_encryption[0].kms_key_arn == var.context.key_arn && aws_dynamodb_table.this["accounts"].point_in_time_recovery[0].enabled && aws_dynamodb_table.this["accounts"].deletion_protection_enabled && aws_dynamodb_table.this["accounts"].billing_mode == "PAY_PER_REQUEST"
    error_message = "the table could be read, lost or deleted"
  }

  assert {
    condition     = aws_dynamodb_table.this["merchants"].server_side_encryption[0].kms_key_arn == var.context.key_arn && aws_dynamodb_table.this["merchants"].point_in_time_recovery[0].enabled && aws_dynamodb_table.this["merchants"].deletion_protection_enabled && aws_dynamodb_table.this["merchants"].billing_mode == "PAY_PER_REQUEST"
    error_message = "the table could be read, lost or deleted"
  }

  assert {
    condition     = aws_dynamodb_table.this["rates"].server_side_encryption[0].kms_key_arn == var.context.key_arn && aws_dynamodb_table.this["rates"].point_in_time_recovery[0].enabled && aws_dynamodb_table.this["rates"].deletion_protection_enabled && aws_dynamodb_table.this["rates"].billing_mode == "PAY_PER_REQUEST"
    error_message = "the table could be read, lost or deleted"
  }

  assert {
    condition     = alltrue([for grants in values(output.grants) : grants[0].actions == ["dynamodb:BatchGetItem"]])
    error_message = "reference data is read, never written, by the pipeline"
  }

  assert {
    condition     = toset(aws_dynamodb_table.this["accounts"].global_secondary_index[*].name) == toset(["iban", "other_id", "agent_bic"]) && length(aws_dynamodb_table.this["merchants"].global_secondary_index) == 0
    error_message = "a message's account could not be found"
  }

  assert {
    condition     = alltrue([for grant in output.find_account_grants : grant.actions == ["dynamodb:Query"] && alltrue([for resource in grant.resources : can(regex(":table/.*accounts/index/[a-z_]+$", resource))])])
    error_message = "accounts are found by their indexes, and by nothing more"
  }
}
