mock_provider "aws" {}

variables {
  context = jsondecode(file("../../tests/context.json"))
}

run "keeps_claims_safe_and_lets_them_expire" {
  command = plan

  assert {
    condition     = aws_dynamodb_table.claims.server_side_encryption[0].kms_key_arn == var.context.key_arn && aws_dynamodb_table.claims.point_in_time_recovery[0].enabled && aws_dynamodb_table.claims.deletion_protection_enabled && aws_dynamodb_table.claims.billing_mode == "PAY_PER_REQUEST"
    error_message = "the table could be read, lost or deleted"
  }

  assert {
    condition     = aws_dynamodb_table.claims.ttl[0].attribute_name == "expires_at" && aws_dynamodb_table.claims.ttl[0].enabled
    error_message = "claims would pile up"
  }
}
