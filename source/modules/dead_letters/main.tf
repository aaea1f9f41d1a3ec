# Where what cannot go on waits for an operator: an encrypted queue that keeps it as long as SQS can, says who
# may write to it, and alarms on the first message.

locals {
  name = "${var.context.prefix}postbus-${var.name}${var.fifo ? ".fifo" : ""}"
  arn  = "${var.context.arns.sqs}:${local.name}"

  from_services = [
    for service, sources in var.senders : {
      Sid       = "From${title(split(".", service)[0])}"
      Effect    = "Allow"
      Principal = { Service = service }
      Action    = "sqs:SendMessage"
      Resource  = local.arn
      Condition = { ArnLike = { "aws:SourceArn" = sources } }
    }
  ]
  only_over_tls = {
    Sid       = "OnlyOverTls"
    Effect    = "Deny"
    Principal = "*"
    Action    = "sqs:*"
    Resource  = local.arn
    Condition = { Bool = { "aws:SecureTransport" = "false" } }
  }
}

# policy stands on the queue itself: as a resource of its own it would wait for the queue to settle.
resource "aws_sqs_queue" "this" {
  name                              = local.name
  fifo_queue                        = var.fifo
  message_retention_seconds         = 1209600
  visibility_timeout_seconds        = 30
  kms_master_key_id                 = var.context.key_arn
  kms_data_key_reuse_period_seconds = 300
  policy = jsonencode({
    Version = "2012-10-17"
    # An emulator speaks plain HTTP.
    Statement = concat(local.from_services, [for statement in [local.only_over_tls] : statement if var.context.is_aws])
  })
  redrive_allow_policy = var.queue_arns == null ? null : jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = var.queue_arns
  })
}

resource "aws_cloudwatch_metric_alarm" "not_empty" {
  count               = var.context.alarm_topic_arn == null ? 0 : 1
  alarm_name          = "${local.name}-not-empty"
  alarm_description   = "Messages wait in ${local.name}: look with `postbus dlq show`, mend the cause, then `postbus dlq redrive`."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = local.name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.context.alarm_topic_arn]
}
