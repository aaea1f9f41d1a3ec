# A customer's message broker beside the API: what waits in a queue there is handed in, and what answers it is
# published there.
#
#   broker's queue ◀─ read_broker λ ─▶ ISO 20022 API           every minute, message by message
#   topic ─▶ queue ─▶ write_broker λ ─▶ broker's exchange      each final status, confirmed by the broker
#
# Both are clients of the API like any other, with credentials of their own.

locals {
  writer        = "${var.context.prefix}postbus-write-broker"
  queue_arn     = "${var.context.arns.sqs}:${local.writer}"
  queue_url     = "${var.context.sqs_url}/${local.writer}"
  write_seconds = 60

  environment = {
    POSTBUS_API_URL             = var.api.url
    POSTBUS_API_SECRET_ID       = var.api.secret_arn
    POSTBUS_BROKER_HOST         = var.broker.host
    POSTBUS_BROKER_PORT         = tostring(var.broker.port)
    POSTBUS_BROKER_VIRTUAL_HOST = var.broker.virtual_host
    POSTBUS_BROKER_SECRET_ID    = var.broker.secret_arn
  }

  # The key of a secret opens secrets for this function, and nothing else.  An emulator does not know the condition.
  through_secrets_manager = [
    for condition in [{ test = "StringEquals", variable = "kms:ViaService", values = ["secretsmanager.${var.context.region}.amazonaws.com"] }] :
    condition if var.context.is_aws
  ]
  secret_grants = concat(
    [{ sid = "ReadCredentials", actions = ["secretsmanager:GetSecretValue"], resources = [var.api.secret_arn, var.broker.secret_arn], conditions = [] }],
    length(var.secret_key_arns) == 0 ? [] : [{ sid = "UseCredentialsKey", actions = ["kms:Decrypt"], resources = var.secret_key_arns, conditions = local.through_secrets_manager }],
  )
}

# The last message of a run may need as long as the API's and the broker's patience together.
module "read" {
  source               = "../scheduled_job"
  context              = var.context
  step                 = "read_broker"
  description          = "A broker's queue -> the ISO 20022 API"
  every_minutes        = 1
  timeout_seconds      = var.read_seconds + 75
  archive              = var.archive
  reserved_concurrency = var.reserved_concurrency
  network              = var.network
  grants               = local.secret_grants
  environment = merge(local.environment, {
    POSTBUS_BROKER_QUEUE         = var.broker.queue
    POSTBUS_BROKER_REFUSED_QUEUE = var.broker.refused_queue
    POSTBUS_BROKER_IN_HAND       = tostring(var.in_hand)
    POSTBUS_READ_SECONDS         = tostring(var.read_seconds)
  })
}

# One run may keep a message back; when every run does, one is stuck.  Silence is a reader that does not get through.
resource "aws_cloudwatch_metric_alarm" "kept_back" {
  count               = var.context.alarm_topic_arn == null ? 0 : 1
  alarm_name          = "${var.context.prefix}postbus-read-broker-kept-back"
  alarm_description   = "For 15 minutes every run has kept messages of the broker back, or none has got as far as reading it: ${module.read.log_group} says why.  None is lost."
  namespace           = var.context.environment.POSTBUS_METRICS_NAMESPACE
  metric_name         = "BrokerMessagesKeptBack"
  dimensions          = { service = "read_broker" }
  statistic           = "Minimum"
  period              = 900
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "breaching"
  alarm_actions       = [var.context.alarm_topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "refused" {
  count               = var.context.alarm_topic_arn == null ? 0 : 1
  alarm_name          = "${var.context.prefix}postbus-read-broker-refused"
  alarm_description   = "The API has refused messages of the broker: they wait there in ${var.broker.refused_queue}, each with its postbus-reason."
  namespace           = var.context.environment.POSTBUS_METRICS_NAMESPACE
  metric_name         = "BrokerMessagesRefused"
  dimensions          = { service = "read_broker" }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.context.alarm_topic_arn]
}

module "dead_letters" {
  source  = "../dead_letters"
  context = var.context
  name    = "write-broker-dead-letters"
  senders = { "sns.amazonaws.com" = [var.topic_arn] }
}

resource "aws_sqs_queue" "write" {
  name                              = local.writer
  visibility_timeout_seconds        = 6 * local.write_seconds
  message_retention_seconds         = 1209600
  kms_master_key_id                 = var.context.key_arn
  kms_data_key_reuse_period_seconds = 300
  redrive_policy = jsonencode({
    deadLetterTargetArn = module.dead_letters.arn
    maxReceiveCount     = var.max_receive_count
  })
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([{
      Sid       = "FromTopic"
      Effect    = "Allow"
      Principal = { Service = "sns.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = local.queue_arn
      Condition = { ArnEquals = { "aws:SourceArn" = var.topic_arn } }
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
}

resource "aws_sns_topic_subscription" "write" {
  topic_arn            = var.topic_arn
  protocol             = "sqs"
  endpoint             = aws_sqs_queue.write.arn
  raw_message_delivery = true
  redrive_policy       = jsonencode({ deadLetterTargetArn = module.dead_letters.arn })
}

module "write" {
  source               = "../function"
  context              = var.context
  name                 = local.writer
  description          = "A final status -> its outgoing message, on the broker"
  step                 = "write_broker"
  archive              = var.archive
  timeout_seconds      = local.write_seconds
  reserved_concurrency = var.reserved_concurrency
  network              = var.network
  environment = merge(local.environment, {
    POSTBUS_QUEUE_URL             = local.queue_url
    POSTBUS_DEAD_LETTER_QUEUE_URL = module.dead_letters.url
    POSTBUS_BROKER_EXCHANGE       = var.broker.exchange
    POSTBUS_BROKER_ROUTING_KEY    = var.broker.routing_key
  })
  grants = concat(
    [{
      sid        = "TakeFromOwnQueue"
      actions    = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"]
      resources  = [local.queue_arn]
      conditions = []
    }],
    module.dead_letters.grants.send, local.secret_grants,
  )
}

# Two at once, for each holds a connection; few in a batch, for each message has two exchanges to wait for.
resource "aws_lambda_event_source_mapping" "write" {
  event_source_arn        = aws_sqs_queue.write.arn
  function_name           = module.write.arn
  batch_size              = 2
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = 2
  }
}

resource "aws_cloudwatch_metric_alarm" "queue_age" {
  count               = var.context.alarm_topic_arn == null ? 0 : 1
  alarm_name          = "${local.writer}-queue-age"
  alarm_description   = "The oldest answer in ${local.writer} waits longer than 15 minutes: is the broker away, or does its exchange lead to no queue?"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = local.writer }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = 900
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.context.alarm_topic_arn]
}
