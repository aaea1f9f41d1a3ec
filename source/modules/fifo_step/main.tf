# One step of a message's way: encrypted FIFO queue -> function.
#
# The group is the transaction, so that its steps come one after the other and everyone else's beside them.  The
# deduplication id is the sender's, and names the attempt: sent again on purpose within five minutes, a step is
# taken again.  After a group's first failure the rest of that group comes back with it.

locals {
  name               = "${var.context.prefix}postbus-${var.name}.fifo"
  function_name      = "${var.context.prefix}postbus-${replace(var.step, "_", "-")}"
  queue_arn          = "${var.context.arns.sqs}:${local.name}"
  queue_url          = "${var.context.sqs_url}/${local.name}"
  visibility_seconds = coalesce(var.visibility_seconds, 6 * var.timeout_seconds)

  # The function may also set a message's visibility (deferral) and park a poison message at once.
  queue_grants = [{
    sid        = "TakeFromOwnQueue"
    actions    = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"]
    resources  = [local.queue_arn]
    conditions = []
  }]
}

module "dead_letters" {
  source     = "../dead_letters"
  context    = var.context
  name       = "${var.name}-dead-letters"
  fifo       = true
  queue_arns = [local.queue_arn]
}

resource "aws_sqs_queue" "this" {
  name                              = local.name
  fifo_queue                        = true
  content_based_deduplication       = false
  deduplication_scope               = "messageGroup" # these two make the throughput grow with the groups
  fifo_throughput_limit             = "perMessageGroupId"
  visibility_timeout_seconds        = local.visibility_seconds
  message_retention_seconds         = 1209600
  kms_master_key_id                 = var.context.key_arn
  kms_data_key_reuse_period_seconds = 300
  redrive_policy = jsonencode({
    deadLetterTargetArn = module.dead_letters.arn
    maxReceiveCount     = var.max_receive_count
  })
  policy = jsonencode({
    Version = "2012-10-17"
    # An emulator speaks plain HTTP; who may send has a grant.
    Statement = [for statement in [{
      Sid       = "OnlyOverTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:*"
      Resource  = local.queue_arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }] : statement if var.context.is_aws]
  })

  lifecycle {
    precondition {
      condition     = local.visibility_seconds > var.timeout_seconds
      error_message = "${local.name}: visibility (${local.visibility_seconds} s) must exceed the function's timeout (${var.timeout_seconds} s), or messages come twice while the first is being worked on."
    }
  }
}

module "function" {
  source          = "../function"
  context         = var.context
  name            = local.function_name
  description     = var.description
  step            = var.step
  archive         = var.archive
  memory_mb       = var.memory_mb
  timeout_seconds = var.timeout_seconds
  grants          = concat(local.queue_grants, module.dead_letters.grants.send, var.grants)
  environment = merge({
    POSTBUS_QUEUE_URL             = local.queue_url
    POSTBUS_DEAD_LETTER_QUEUE_URL = module.dead_letters.url
  }, var.environment)
}

resource "aws_lambda_event_source_mapping" "queue" {
  event_source_arn        = aws_sqs_queue.this.arn
  function_name           = module.function.arn
  batch_size              = var.batch_size
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = var.maximum_concurrency
  }
}

resource "aws_cloudwatch_metric_alarm" "queue_age" {
  count               = var.context.alarm_topic_arn == null ? 0 : 1
  alarm_name          = "${local.name}-queue-age"
  alarm_description   = "The oldest message in ${local.name} waits longer than ${var.alarm_age_seconds} s: is ${local.function_name}, or what it depends on, away?"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = local.name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.alarm_age_seconds
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.context.alarm_topic_arn]
}
