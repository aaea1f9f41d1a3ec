# One source of payments: its table, the pipe that reads the table's stream, and the function inside the pipe
# that reads each record, checks it for duplicates and turns it into TransactionAuthorized.
#
# A stream keeps a record for 24 hours, and so long the pipe tries: a record's own fault goes to quarantine and
# stops nobody; what cannot be delivered at all ends in the pipe's dead letters; `postbus reconcile` finds what
# a longer absence has lost.

locals {
  table_name    = "${var.context.prefix}${var.source_name}"
  table_arn     = "${var.context.arns.dynamodb}:table/${local.table_name}"
  pipe_name     = "${var.context.prefix}postbus-${var.source_name}"
  function_name = "${var.context.prefix}postbus-deduplicate-${var.source_name}"
  log_group     = "/aws/vendedlogs/pipes/${local.pipe_name}"
  age_metric    = "RecordAgeSeconds-${var.source_name}"

  # The one definition of the pipe.  Where the target has no pipes it is only printed, and a runner beside the
  # emulator does what it says.
  pipe = {
    name       = local.pipe_name
    source     = aws_dynamodb_table.this.stream_arn
    enrichment = module.deduplicate.arn
    target     = var.bus.arn
    log_group  = local.log_group
    source_parameters = {
      filter_criteria = { filters = [for pattern in var.patterns : { pattern = jsonencode(pattern) }] }
      dynamodb_stream_parameters = {
        starting_position                  = "TRIM_HORIZON"
        batch_size                         = 10 # the most one PutEvents takes
        maximum_batching_window_in_seconds = 0
        parallelization_factor             = var.parallelization_factor
        on_partial_batch_item_failure      = "AUTOMATIC_BISECT"
        maximum_record_age_in_seconds      = 86400
        maximum_retry_attempts             = -1
        dead_letter_config                 = { arn = module.pipe_dead_letters.named_arn }
      }
    }
    target_parameters = {
      eventbridge_event_bus_parameters = { detail_type = "TransactionAuthorized", source = "postbus.inbound" }
    }
  }
}

resource "aws_dynamodb_table" "this" {
  name                        = local.table_name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = var.key_attribute
  stream_enabled              = true
  stream_view_type            = "NEW_AND_OLD_IMAGES"
  deletion_protection_enabled = var.context.protect_from_deletion

  attribute {
    name = var.key_attribute
    type = "S"
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.context.key_arn
  }

  point_in_time_recovery {
    enabled = var.context.point_in_time_recovery
  }
}

module "quarantine" {
  source  = "../dead_letters"
  context = var.context
  name    = "quarantine-${var.source_name}"
}

module "pipe_dead_letters" {
  source  = "../dead_letters"
  context = var.context
  name    = "pipe-${var.source_name}-dead-letters"
}

module "deduplicate" {
  source      = "../function"
  context     = var.context
  name        = local.function_name
  description = "${var.source_name} records -> TransactionAuthorized v1, or quarantine"
  step        = "deduplicate"
  archive     = var.archive
  grants      = concat(module.quarantine.grants.send, var.grants)
  environment = merge({
    POSTBUS_SOURCE                   = var.source_name
    POSTBUS_INPUT_TABLE              = local.table_name
    POSTBUS_QUARANTINE_QUEUE_URL     = module.quarantine.url
    POSTBUS_DUPLICATE_WINDOW_SECONDS = tostring(var.duplicate_window_seconds)
    }, length(var.fingerprint_fields) == 0 ? {} : {
    POSTBUS_FINGERPRINT_FIELDS = join(",", var.fingerprint_fields)
  }, var.environment)
}

module "pipe_role" {
  count   = var.context.target.has_pipes ? 1 : 0
  source  = "../role"
  context = var.context
  name    = "${local.pipe_name}-pipe"
  service = "pipes.amazonaws.com"
  grants = concat(
    [{
      sid        = "ReadStream"
      actions    = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"]
      resources  = [aws_dynamodb_table.this.stream_arn]
      conditions = []
    }],
    module.deduplicate.grants.invoke,
    module.pipe_dead_letters.grants.send,
    var.bus_grants.publish,
    var.context.key_grants_direct,
  )
}

resource "aws_cloudwatch_log_group" "pipe" {
  count             = var.context.target.has_pipes ? 1 : 0
  name              = local.log_group
  retention_in_days = var.context.log_retention_days
  kms_key_id        = var.context.key_arn
}

resource "aws_pipes_pipe" "this" {
  count              = var.context.target.has_pipes ? 1 : 0
  name               = local.pipe.name
  description        = "Approved ${var.source_name} records, once each, to the bus"
  role_arn           = module.pipe_role[0].arn
  source             = local.pipe.source
  enrichment         = local.pipe.enrichment
  target             = local.pipe.target
  kms_key_identifier = var.context.key_arn

  source_parameters {
    filter_criteria {
      dynamic "filter" {
        for_each = local.pipe.source_parameters.filter_criteria.filters
        content {
          pattern = filter.value.pattern
        }
      }
    }

    dynamodb_stream_parameters {
      starting_position                  = local.pipe.source_parameters.dynamodb_stream_parameters.starting_position
      batch_size                         = local.pipe.source_parameters.dynamodb_stream_parameters.batch_size
      maximum_batching_window_in_seconds = local.pipe.source_parameters.dynamodb_stream_parameters.maximum_batching_window_in_seconds
      parallelization_factor             = local.pipe.source_parameters.dynamodb_stream_parameters.parallelization_factor
      on_partial_batch_item_failure      = local.pipe.source_parameters.dynamodb_stream_parameters.on_partial_batch_item_failure
      maximum_record_age_in_seconds      = local.pipe.source_parameters.dynamodb_stream_parameters.maximum_record_age_in_seconds
      maximum_retry_attempts             = local.pipe.source_parameters.dynamodb_stream_parameters.maximum_retry_attempts

      dead_letter_config {
        arn = local.pipe.source_parameters.dynamodb_stream_parameters.dead_letter_config.arn
      }
    }
  }

  target_parameters {
    eventbridge_event_bus_parameters {
      detail_type = local.pipe.target_parameters.eventbridge_event_bus_parameters.detail_type
      source      = local.pipe.target_parameters.eventbridge_event_bus_parameters.source
    }
  }

  log_configuration {
    level = "ERROR" # and never the payload

    cloudwatch_logs_log_destination {
      log_group_arn = aws_cloudwatch_log_group.pipe[0].arn
    }
  }
}

# A pipe that fails says so itself.
resource "aws_cloudwatch_metric_alarm" "pipe_fails" {
  count               = var.context.alarm_topic_arn != null && var.context.target.has_pipes ? 1 : 0
  alarm_name          = "${local.pipe_name}-pipe-fails"
  alarm_description   = "The pipe ${local.pipe_name} fails again and again and retries; payments wait in the stream, for 24 hours at most."
  namespace           = "AWS/EventBridge/Pipes"
  metric_name         = "ExecutionFailed"
  dimensions          = { PipeName = local.pipe_name }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.context.alarm_topic_arn]
}

# A pipe that is stopped, or may no longer read, says nothing; but a running one asks the stream several times a
# second, so silence is the sign.
resource "aws_cloudwatch_metric_alarm" "pipe_state" {
  count               = var.context.alarm_topic_arn != null && var.context.target.has_pipes ? 1 : 0
  alarm_name          = "${local.pipe_name}-pipe-state"
  alarm_description   = "Nobody reads the stream of ${local.table_name}: is the pipe ${local.pipe_name} RUNNING?"
  namespace           = "AWS/DynamoDB"
  metric_name         = "SuccessfulRequestLatency"
  dimensions          = { TableName = local.table_name, StreamLabel = aws_dynamodb_table.this.stream_label, Operation = "GetRecords" }
  statistic           = "SampleCount"
  period              = 300
  evaluation_periods  = 2
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = [var.context.alarm_topic_arn]
}

# The age of the oldest record of each batch, as the function inside the pipe logs it.
resource "aws_cloudwatch_log_metric_filter" "record_age" {
  count          = var.context.alarm_topic_arn == null ? 0 : 1
  name           = "record-age"
  log_group_name = module.deduplicate.log_group
  pattern        = "{ $.oldest_record_seconds = * }"

  metric_transformation {
    namespace = var.context.environment.POSTBUS_METRICS_NAMESPACE
    name      = local.age_metric
    value     = "$.oldest_record_seconds"
    unit      = "Seconds"
  }
}

resource "aws_cloudwatch_metric_alarm" "record_age" {
  count               = var.context.alarm_topic_arn == null ? 0 : 1
  alarm_name          = "${local.pipe_name}-record-age"
  alarm_description   = "Records of ${local.table_name} are older than 900 s when they enter: the pipe is behind; after 24 hours the stream forgets them."
  namespace           = var.context.environment.POSTBUS_METRICS_NAMESPACE
  metric_name         = local.age_metric
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = 900
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.context.alarm_topic_arn]
}
