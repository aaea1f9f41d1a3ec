mock_provider "aws" {}

variables {
  context = jsondecode(file("../../tests/context.json"))
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
