# Where ISO 20022 messages and what became of them are kept: the table of statuses, the messages as they came and
# as they were answered, and the topic that tells how each ended.
#
# One item collection per transaction: its head, and one part for each status, transfer and decision.

locals {
  table_name = "${var.context.prefix}postbus-iso20022"
  table_arn  = "${var.context.arns.dynamodb}:table/${local.table_name}"
  topic_name = "${var.context.prefix}postbus-statuses"
  topic_arn  = "${var.context.arns.sns}:${local.topic_name}"
}

resource "aws_dynamodb_table" "this" {
  name                        = local.table_name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "transaction_id"
  range_key                   = "part"
  deletion_protection_enabled = var.context.protect_from_deletion

  attribute {
    name = "transaction_id"
    type = "S"
  }

  attribute {
    name = "part"
    type = "S"
  }

  attribute {
    name = "open_shard"
    type = "N"
  }

  attribute {
    name = "deadline"
    type = "N"
  }

  attribute {
    name = "due"
    type = "N"
  }

  # Sparse: only what is open, spread over shards.  Keys alone: whoever finds something reads where it stands.
  global_secondary_index {
    name            = "open"
    hash_key        = "open_shard"
    range_key       = "deadline"
    projection_type = "KEYS_ONLY"
  }

  # Of these only what the clock may end: what waits for an operator takes no look's time.
  global_secondary_index {
    name            = "due"
    hash_key        = "open_shard"
    range_key       = "due"
    projection_type = "KEYS_ONLY"
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.context.key_arn
  }

  point_in_time_recovery {
    enabled = var.context.point_in_time_recovery
  }
}

module "incoming" {
  source        = "../private_bucket"
  context       = var.context
  name          = "incoming"
  force_destroy = var.force_destroy
  keep_days     = var.keep_days
  # Uploaded and not handed in.  Where nothing lasts anyway, the rule is not worth the minute that it takes.
  short_lived = { for prefix in ["uploads/"] : prefix => 1 if var.context.is_aws }
}

module "outgoing" {
  source        = "../private_bucket"
  context       = var.context
  name          = "outgoing"
  force_destroy = var.force_destroy
  keep_days     = var.keep_days
}

resource "aws_sns_topic" "statuses" {
  name              = local.topic_name
  kms_master_key_id = var.context.key_arn
  # Who publishes or subscribes has a grant; an emulator speaks plain HTTP.
  policy = !var.context.is_aws ? null : jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyOverTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sns:Publish"
      Resource  = local.topic_arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}
