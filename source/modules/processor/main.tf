# Works on messages: one queue -> one function.
#
# The queue bounds how much runs at once, batches, retries what a dependency's absence stopped and hands what
# never succeeds to its dead letters; the function reports failures message by message.
#
# Given a bus, a rule of the queue's name brings the events there.  A FIFO queue is sent to by grant: its group is
# the transaction, so that its steps come one after the other and everyone else's beside them.  The deduplication
# id is the sender's, and names the attempt: sent again on purpose within five minutes, a step is taken again.
# After a group's first failure the rest of that group comes back with it.

locals {
  name               = "${var.context.prefix}postbus-${var.name}${var.fifo ? ".fifo" : ""}"
  function_name      = "${var.context.prefix}postbus-${replace(var.step, "_", "-")}"
  queue_arn          = "${var.context.arns.sqs}:${local.name}"
  queue_url          = "${var.context.sqs_url}/${local.name}"
  visibility_seconds = coalesce(var.visibility_seconds, 6 * var.timeout_seconds)

  buses     = [for bus in [var.bus] : bus if bus != null] # none or one
  rule_arns = [for bus in local.buses : "${var.context.arns.events}:rule/${bus.name}/${local.name}"]
  senders   = merge(var.senders, { for arn in local.rule_arns : "events.amazonaws.com" => [arn] })

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
  fifo       = var.fifo
  queue_arns = [local.queue_arn]
  senders    = var.senders
}

resource "aws_sqs_queue" "this" {
  name                              = local.name
  fifo_queue                        = var.fifo
  content_based_deduplication       = var.fifo ? false : null
  deduplication_scope               = var.fifo ? "messageGroup" : null # these two let the throughput grow with the groups
  fifo_throughput_limit             = var.fifo ? "perMessageGroupId" : null
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
    Statement = concat(
      [for service, sources in local.senders : {
        Sid       = "From${title(split(".", service)[0])}"
        Effect    = "Allow"
        Principal = { Service = service }
        Action    = "sqs:SendMessage"
        Resource  = local.queue_arn
        Condition = { ArnEquals = { "aws:SourceArn" = sources } }
      }],
      # An emulator speaks plain HTTP.
      [for statement in [{
        Sid       = "OnlyOverTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = local.queue_arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }] : statement if var.context.is_aws],
    )
  })

  lifecycle {
    precondition {
      condition     = !(var.fifo && var.bus != null)
      error_message = "${local.name}: no rule feeds a FIFO queue, for it knows one group only: one message at a time for all transactions."
    }

    precondition {
      condition     = (var.bus == null) == (var.pattern == null)
      error_message = "${local.name}: a bus needs a pattern, which says what of it comes, and a pattern a bus."
    }

    precondition {
      condition     = local.visibility_seconds > var.timeout_seconds
      error_message = "${local.name}: visibility (${local.visibility_seconds} s) must exceed the function's timeout (${var.timeout_seconds} s), or messages come twice while the first is being worked on."
    }
  }
}

resource "aws_cloudwatch_event_rule" "this" {
  count          = length(local.buses)
  name           = local.name
  description    = "${var.description} (by way of the queue of the same name)"
  event_bus_name = var.bus.name
  event_pattern  = jsonencode(var.pattern)
}

resource "aws_cloudwatch_event_target" "queue" {
  count          = length(local.buses)
  rule           = aws_cloudwatch_event_rule.this[0].name
  event_bus_name = var.bus.name
  target_id      = "queue"
  arn            = aws_sqs_queue.this.arn

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

module "function" {
  source               = "../function"
  context              = var.context
  name                 = local.function_name
  description          = var.description
  step                 = var.step
  archive              = var.archive
  memory_mb            = var.memory_mb
  timeout_seconds      = var.timeout_seconds
  reserved_concurrency = var.reserved_concurrency
  network              = var.network
  grants               = concat(local.queue_grants, module.dead_letters.grants.send, var.grants)
  environment = merge(
    { for bus in local.buses : "POSTBUS_BUS" => bus.name },
    { POSTBUS_QUEUE_URL = local.queue_url, POSTBUS_DEAD_LETTER_QUEUE_URL = module.dead_letters.url },
    var.environment,
  )
}

resource "aws_lambda_event_source_mapping" "queue" {
  event_source_arn                   = aws_sqs_queue.this.arn
  function_name                      = module.function.arn
  batch_size                         = var.batch_size
  maximum_batching_window_in_seconds = var.batching_window_seconds
  function_response_types            = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = var.maximum_concurrency
  }

  lifecycle {
    precondition {
      condition     = !var.fifo || var.batch_size <= 10 && var.batching_window_seconds == null
      error_message = "${local.name}: a FIFO queue gives at most 10 messages, and knows no batching window."
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "queue_age" {
  count               = var.context.alarm_topic_arn == null ? 0 : 1
  alarm_name          = "${local.name}-queue-age"
  alarm_description   = "The oldest message in ${local.name} waits longer than ${var.alarm_age_seconds} s: ${coalesce(var.alarm_question, "is ${local.function_name}, or what it depends on, away?")}"
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
