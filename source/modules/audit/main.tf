# Every fact once, for as long as the auditors want it: rule -> Firehose -> bucket, in large batches of one
# event per line.  Where the target's rules do not reach Firehose, a function carries the batches over.

locals {
  name       = "${var.context.prefix}postbus-audit"
  stream_arn = "${var.context.arns.firehose}:deliverystream/${local.name}"
  rule_arn   = "${var.context.arns.events}:rule/${var.bus.name}/${local.name}"
  log_group  = "/aws/kinesisfirehose/${local.name}"
  trail_arn  = "${var.context.arns.cloudtrail}:trail/${local.name}"
  direct     = var.context.target.has_firehose_rule_target

  # Of its own bucket only the events: a record of the trail's own writes would be written without end.
  trail_bucket_arns = concat(var.trail_bucket_arns, ["${module.bucket.arn}/events"])
  trail_statements = var.data_event_trail ? [
    {
      Sid       = "TrailLooks"
      Effect    = "Allow"
      Principal = { Service = "cloudtrail.amazonaws.com" }
      Action    = "s3:GetBucketAcl"
      Resource  = module.bucket.arn
      Condition = { StringEquals = { "aws:SourceArn" = local.trail_arn } }
    },
    {
      Sid       = "TrailWrites"
      Effect    = "Allow"
      Principal = { Service = "cloudtrail.amazonaws.com" }
      Action    = "s3:PutObject"
      Resource  = "${module.bucket.arn}/trail/*"
      Condition = { StringEquals = { "aws:SourceArn" = local.trail_arn } }
    },
  ] : []
}

module "bucket" {
  source           = "../private_bucket"
  context          = var.context
  name             = "audit"
  force_destroy    = var.force_destroy
  keep_days        = var.keep_days
  object_lock_days = var.object_lock_days
  statements       = local.trail_statements
}

resource "aws_cloudwatch_log_group" "firehose" {
  name              = local.log_group
  retention_in_days = var.context.log_retention_days
  kms_key_id        = var.context.key_arn
}

resource "aws_cloudwatch_log_stream" "firehose" {
  name           = "delivery"
  log_group_name = aws_cloudwatch_log_group.firehose.name
}

module "firehose_role" {
  source  = "../role"
  context = var.context
  name    = "${local.name}-firehose"
  service = "firehose.amazonaws.com"
  grants = concat([
    {
      sid        = "Deliver"
      actions    = ["s3:AbortMultipartUpload", "s3:PutObject"]
      resources  = ["${module.bucket.arn}/events/*", "${module.bucket.arn}/undelivered/*"] # not trail/*
      conditions = []
    },
    {
      sid        = "FindBucket"
      actions    = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
      resources  = [module.bucket.arn]
      conditions = []
    },
    {
      sid        = "WriteOwnLog"
      actions    = ["logs:PutLogEvents"]
      resources  = ["${var.context.arns.logs}:log-group:${local.log_group}:log-stream:delivery"]
      conditions = []
    },
  ], var.context.key_grants)
}

resource "aws_kinesis_firehose_delivery_stream" "this" {
  name        = local.name
  destination = "extended_s3"

  server_side_encryption {
    enabled  = true
    key_type = "CUSTOMER_MANAGED_CMK"
    key_arn  = var.context.key_arn
  }

  extended_s3_configuration {
    role_arn            = module.firehose_role.arn
    bucket_arn          = "arn:${var.context.partition}:s3:::${module.bucket.name}"
    kms_key_arn         = var.context.key_arn
    prefix              = "events/!{timestamp:yyyy/MM/dd/HH}/"
    error_output_prefix = "undelivered/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/"
    buffering_size      = var.buffer_mb
    buffering_interval  = var.buffer_seconds
    compression_format  = local.direct ? "GZIP" : "UNCOMPRESSED"

    cloudwatch_logging_options {
      enabled         = true
      log_group_name  = aws_cloudwatch_log_group.firehose.name
      log_stream_name = aws_cloudwatch_log_stream.firehose.name
    }

    # One event per line.
    dynamic "processing_configuration" {
      for_each = local.direct ? [1] : []
      content {
        enabled = true

        processors {
          type = "AppendDelimiterToRecord"
          parameters {
            parameter_name  = "Delimiter"
            parameter_value = "\\n"
          }
        }
      }
    }
  }

  # UTC, as the provider says unasked; an emulator does not say it back.
  lifecycle {
    ignore_changes = [extended_s3_configuration[0].custom_time_zone]
  }
}

module "rule_role" {
  count   = local.direct ? 1 : 0
  source  = "../role"
  context = var.context
  name    = "${local.name}-rule"
  service = "events.amazonaws.com"
  grants  = [{ sid = "Put", actions = ["firehose:PutRecord", "firehose:PutRecordBatch"], resources = [local.stream_arn], conditions = [] }]
}

resource "aws_cloudwatch_event_rule" "this" {
  count          = local.direct ? 1 : 0
  name           = local.name
  description    = "Every event, once -> audit bucket"
  event_bus_name = var.bus.name
  event_pattern  = jsonencode(var.pattern)
}

resource "aws_cloudwatch_event_target" "firehose" {
  count          = local.direct ? 1 : 0
  rule           = aws_cloudwatch_event_rule.this[0].name
  event_bus_name = var.bus.name
  target_id      = "firehose"
  arn            = aws_kinesis_firehose_delivery_stream.this.arn
  role_arn       = module.rule_role[0].arn

  dynamic "retry_policy" {
    for_each = var.context.target.has_rule_dead_letters ? [1] : []
    content {
      maximum_event_age_in_seconds = 86400
      maximum_retry_attempts       = 185
    }
  }

  dynamic "dead_letter_config" {
    for_each = var.context.target.has_rule_dead_letters ? [1] : []
    content {
      arn = var.bus.dead_letter_arn
    }
  }
}

module "forward" {
  count                = local.direct ? 0 : 1
  source               = "../processor"
  context              = var.context
  bus                  = var.bus
  name                 = "audit"
  description          = "Every event, once -> audit bucket"
  step                 = "forward_audit"
  pattern              = var.pattern
  archive              = var.archive
  timeout_seconds      = var.timeout_seconds
  visibility_seconds   = var.visibility_seconds
  maximum_concurrency  = 2
  reserved_concurrency = var.reserved_concurrency
  environment          = { POSTBUS_AUDIT_STREAM = local.name }
  grants               = [{ sid = "Put", actions = ["firehose:PutRecordBatch"], resources = [local.stream_arn], conditions = [] }]
}

# Who read or wrote a payment's data by way of the API.
resource "aws_cloudtrail" "data_events" {
  #checkov:skip=CKV_AWS_67:it records this deployment's own tables and buckets, and they are in one region
  #checkov:skip=CKV_AWS_252:nobody acts on a delivered log file
  #checkov:skip=CKV2_AWS_10:the trail is evidence, read when asked for; alarms come from the services' own metrics
  count                         = var.data_event_trail ? 1 : 0
  name                          = local.name
  s3_bucket_name                = module.bucket.name
  s3_key_prefix                 = "trail"
  kms_key_id                    = var.context.key_arn
  enable_log_file_validation    = true
  include_global_service_events = false
  is_multi_region_trail         = false

  advanced_event_selector {
    name = "Tables"
    field_selector {
      field  = "eventCategory"
      equals = ["Data"]
    }
    field_selector {
      field  = "resources.type"
      equals = ["AWS::DynamoDB::Table"]
    }
    field_selector {
      field       = "resources.ARN"
      starts_with = var.trail_table_arns
    }
  }

  advanced_event_selector {
    name = "Buckets"
    field_selector {
      field  = "eventCategory"
      equals = ["Data"]
    }
    field_selector {
      field  = "resources.type"
      equals = ["AWS::S3::Object"]
    }
    field_selector {
      field       = "resources.ARN"
      starts_with = [for arn in local.trail_bucket_arns : "${arn}/"]
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "stale" {
  count               = var.context.alarm_topic_arn != null && local.direct ? 1 : 0
  alarm_name          = "${local.name}-stale"
  alarm_description   = "Events wait in ${local.name} for longer than an hour: see ${local.log_group}."
  namespace           = "AWS/Firehose"
  metric_name         = "DeliveryToS3.DataFreshness"
  dimensions          = { DeliveryStreamName = local.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = 3600
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.context.alarm_topic_arn]
}
