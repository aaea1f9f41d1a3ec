# A customer's message broker beside the API: what waits in a queue there is handed in, and what answers it is
# published there.
#
#   broker's queue ◀─ read_broker λ ─▶ ISO 20022 API           every minute, message by message
#   topic ─▶ queue ─▶ write_broker λ ─▶ broker's exchange      each final status, confirmed by the broker
#
# Both are clients of the API like any other, with credentials of their own.

locals {
  # How long a run takes messages: almost until the next begins.
  read_seconds = 55

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
  timeout_seconds      = local.read_seconds + 75
  archive              = var.archive
  reserved_concurrency = var.reserved_concurrency
  network              = var.network
  grants               = local.secret_grants
  environment = merge(local.environment, {
    POSTBUS_BROKER_QUEUE         = var.broker.queue
    POSTBUS_BROKER_REFUSED_QUEUE = var.broker.refused_queue
    POSTBUS_BROKER_IN_HAND       = "10" # handed out before the first is done with
    POSTBUS_READ_SECONDS         = tostring(local.read_seconds)
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

# Two at once, for each holds a connection; few in a batch, for each message has two exchanges to wait for.
module "write" {
  source               = "../processor"
  context              = var.context
  name                 = "write-broker"
  description          = "A final status -> its outgoing message, on the broker"
  step                 = "write_broker"
  senders              = { "sns.amazonaws.com" = [var.topic_arn] }
  archive              = var.archive
  timeout_seconds      = 60
  batch_size           = 2
  maximum_concurrency  = 2
  max_receive_count    = 100 # tries, about a day
  alarm_question       = "is the broker away, or does its exchange lead to no queue?"
  reserved_concurrency = var.reserved_concurrency
  network              = var.network
  grants               = local.secret_grants
  environment = merge(local.environment, {
    POSTBUS_BROKER_EXCHANGE    = var.broker.exchange
    POSTBUS_BROKER_ROUTING_KEY = var.broker.routing_key
  })
}

resource "aws_sns_topic_subscription" "write" {
  topic_arn            = var.topic_arn
  protocol             = "sqs"
  endpoint             = module.write.queue_arn
  raw_message_delivery = true
  redrive_policy       = jsonencode({ deadLetterTargetArn = module.write.dead_letter_arn })
}
