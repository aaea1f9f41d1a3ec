# What a payment is enriched and judged with: accounts by token, merchants by id, rates by pair of currencies.

locals {
  keys = { accounts = "token", merchants = "merchant_id", rates = "pair" }

  # What a payment message calls an account: each sparse, read by whoever takes messages.
  indexes = { accounts = ["iban", "other_id", "agent_bic"], merchants = [], rates = [] }

  names = { for table, key in local.keys : table => "${var.context.prefix}postbus-${table}" }
}

resource "aws_dynamodb_table" "this" {
  for_each = local.keys

  name                        = local.names[each.key]
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = each.value
  deletion_protection_enabled = var.context.protect_from_deletion

  attribute {
    name = each.value
    type = "S"
  }

  dynamic "attribute" {
    for_each = local.indexes[each.key]
    content {
      name = attribute.value
      type = "S"
    }
  }

  dynamic "global_secondary_index" {
    for_each = local.indexes[each.key]
    content {
      name               = global_secondary_index.value
      hash_key           = global_secondary_index.value
      projection_type    = "INCLUDE"
      non_key_attributes = ["currency", "status"]
    }
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.context.key_arn
  }

  point_in_time_recovery {
    enabled = var.context.point_in_time_recovery
  }
}
