# Who was first with an identity or a business fingerprint, and how often a token paid within the hour.
# Claims are for a time: expires_at is compared with the event's time, since deletion lags behind.

locals {
  name = "${var.context.prefix}postbus-claims"
  arn  = "${var.context.arns.dynamodb}:table/${local.name}"
}

resource "aws_dynamodb_table" "claims" {
  name                        = local.name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "claim_key"
  deletion_protection_enabled = var.context.protect_from_deletion

  attribute {
    name = "claim_key"
    type = "S"
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.context.key_arn
  }

  point_in_time_recovery {
    enabled = var.context.point_in_time_recovery
  }
}
