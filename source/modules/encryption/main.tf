# One customer-managed key for everything at rest, with one policy statement for each service that uses it.
#
# Two kinds of statement: a service that acts for itself is named as the principal and held to this account's
# resources; a service that acts for whoever calls it is named by kms:ViaService, and the caller needs the
# grant below in its role as well.

locals {
  account = "arn:${var.partition}:iam::${var.account_id}:root"

  # Every field so named may be read and written through the service by principals of this account.
  through = {
    DynamoDb       = "dynamodb"
    Sqs            = "sqs"
    S3             = "s3"
    Sns            = "sns"
    Lambda         = "lambda"
    Firehose       = "firehose"
    Pipes          = "pipes"
    StepFunctions  = "states"
    SecretsManager = "secretsmanager"
    Events         = "events"
    Scheduler      = "scheduler"
  }

  through_statements = [
    for name, service in local.through : {
      Sid       = "Through${name}"
      Effect    = "Allow"
      Principal = { AWS = local.account }
      Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"]
      Resource  = "*" # in a key's policy: this key
      Condition = {
        StringEquals = {
          "kms:CallerAccount" = var.account_id
          "kms:ViaService"    = "${service}.${var.region}.${var.dns_suffix}"
        }
      }
    }
  ]

  # principal, and the condition that holds it to this account.
  services = {
    EventBridge = {
      principal = "events.${var.dns_suffix}"
      condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }
    CloudWatchAlarms = {
      principal = "cloudwatch.${var.dns_suffix}"
      condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }
    Topics = {
      principal = "sns.${var.dns_suffix}"
      condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }
    Logs = {
      principal = "logs.${var.region}.${var.dns_suffix}"
      condition = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "arn:${var.partition}:logs:${var.region}:${var.account_id}:log-group:*" } }
    }
    LogDelivery = {
      principal = "delivery.logs.${var.dns_suffix}"
      condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }
    Trail = {
      principal = "cloudtrail.${var.dns_suffix}"
      condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }
  }

  service_statements = [
    for name, service in local.services : {
      Sid       = "For${name}"
      Effect    = "Allow"
      Principal = { Service = service.principal }
      Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"]
      Resource  = "*"
      Condition = service.condition
    }
  ]

  administration = {
    Sid       = "Administration"
    Effect    = "Allow"
    Principal = { AWS = local.account }
    Action = [
      "kms:CancelKeyDeletion", "kms:CreateAlias", "kms:DeleteAlias", "kms:DescribeKey", "kms:DisableKey",
      "kms:DisableKeyRotation", "kms:EnableKey", "kms:EnableKeyRotation", "kms:GetKeyPolicy",
      "kms:GetKeyRotationStatus", "kms:ListGrants", "kms:ListKeyPolicies", "kms:ListKeyRotations",
      "kms:ListResourceTags", "kms:PutKeyPolicy", "kms:ReplicateKey", "kms:RevokeGrant",
      "kms:RotateKeyOnDemand", "kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource",
      "kms:UpdateAlias", "kms:UpdateKeyDescription", "kms:UpdatePrimaryRegion",
    ]
    Resource = "*"
  }

  # DynamoDB, Firehose and Lambda keep using the key on the caller's behalf; only they may be given that.
  grants_for_services = {
    Sid       = "GrantsForServices"
    Effect    = "Allow"
    Principal = { AWS = local.account }
    Action    = "kms:CreateGrant"
    Resource  = "*"
    Condition = {
      Bool         = { "kms:GrantIsForAWSResource" = "true" }
      StringEquals = { "kms:CallerAccount" = var.account_id }
    }
  }
}

resource "aws_kms_key" "this" {
  description             = "${var.prefix}postbus: everything at rest"
  multi_region            = true
  enable_key_rotation     = true
  deletion_window_in_days = var.deletion_window_days

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat([local.administration, local.grants_for_services], [for s in local.through_statements : s], [for s in local.service_statements : s])
  })
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.prefix}postbus"
  target_key_id = aws_kms_key.this.key_id
}
