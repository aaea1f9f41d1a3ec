# One customer-managed key for everything at rest, with policy statements for each service that uses it.
#
# Three kinds: a service that acts for whoever calls it is named by kms:ViaService, and the caller needs the grant
# below besides; a service that acts for itself is the principal, held to what it encrypts by the encryption
# context (source conditions stop EventBridge from reaching an encrypted topic); the roles that pipes and
# workflows take on are named by their names.

locals {
  account = "arn:${var.partition}:iam::${var.account_id}:root"

  through = {
    DynamoDb       = "dynamodb"
    Events         = "events"
    Firehose       = "firehose"
    Lambda         = "lambda"
    S3             = "s3"
    SecretsManager = "secretsmanager"
    Sns            = "sns"
    Sqs            = "sqs"
    StepFunctions  = "states"
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
          "kms:ViaService"    = "${service}.${var.region}.amazonaws.com"
        }
      }
    }
  ]

  ours = { for service in ["cloudtrail", "events", "logs", "sns", "sqs"] : service => "arn:${var.partition}:${service}:${var.region}:${var.account_id}" }

  services = {
    EventBridgeBus    = { principal = "events.amazonaws.com", context = { "aws:events:event-bus:arn" = "${local.ours.events}:event-bus/${var.prefix}postbus" } }
    EventBridgeQueues = { principal = "events.amazonaws.com", context = { "aws:sqs:arn" = "${local.ours.sqs}:${var.prefix}postbus-*" } }
    EventBridgeTopics = { principal = "events.amazonaws.com", context = { "aws:sns:topicArn" = "${local.ours.sns}:${var.prefix}postbus-*" } }
    CloudWatchAlarms  = { principal = "cloudwatch.amazonaws.com", context = { "aws:sns:topicArn" = "${local.ours.sns}:${var.prefix}postbus-*" } }
    Subscriptions     = { principal = "sns.amazonaws.com", context = { "aws:sqs:arn" = "${local.ours.sqs}:*" } }
    Logs              = { principal = "logs.${var.region}.amazonaws.com", context = { "aws:logs:arn" = "${local.ours.logs}:log-group:*" } }
    LogDelivery       = { principal = "delivery.logs.amazonaws.com", context = { "SourceArn" = "${local.ours.logs}:*" } }
    Trail             = { principal = "cloudtrail.amazonaws.com", context = { "aws:cloudtrail:arn" = "${local.ours.cloudtrail}:trail/${var.prefix}postbus-*" } }
  }
  service_statements = [
    for name, service in local.services : {
      Sid       = "For${name}"
      Effect    = "Allow"
      Principal = { Service = service.principal }
      Action    = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"]
      Resource  = "*"
      Condition = { ArnLike = { for key, value in service.context : "kms:EncryptionContext:${key}" => value } }
    }
  ]

  # Describing a key has no encryption context.
  description = {
    Sid       = "Describe"
    Effect    = "Allow"
    Principal = { Service = ["cloudtrail.amazonaws.com", "events.amazonaws.com", "logs.${var.region}.amazonaws.com"] }
    Action    = "kms:DescribeKey"
    Resource  = "*"
    Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
  }

  role_statements = [
    for name, suffix in { Pipe = "pipe", Workflow = "workflow" } : {
      Sid                      = "For${name}Roles"
      Effect                   = "Allow"
      Principal                = { AWS = local.account }
      Action                   = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
      Resource                 = "*"
      Condition                = { ArnLike = { "aws:PrincipalArn" = "arn:${var.partition}:iam::${var.account_id}:role/${var.prefix}postbus-*-${suffix}-${var.region}" } }
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
    Version = "2012-10-17"
    Statement = concat(
      [local.administration, local.grants_for_services, local.description],
      local.through_statements, local.service_statements, local.role_statements,
    )
  })
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.prefix}postbus"
  target_key_id = aws_kms_key.this.key_id
}
