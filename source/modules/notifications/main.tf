# Tells whoever subscribes how each payment ended: rule -> topic.  What is replayed is not told twice.

locals {
  name      = "${var.context.prefix}postbus-outcomes"
  topic_arn = "${var.context.arns.sns}:${local.name}"
  rule_name = "${var.context.prefix}postbus-notify-outcomes"
  rule_arn  = "${var.context.arns.events}:rule/${var.bus.name}/${local.rule_name}"
}

resource "aws_sns_topic" "this" {
  name              = local.name
  kms_master_key_id = var.context.key_arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([{
      Sid       = "FromRule"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = local.topic_arn
      Condition = { ArnEquals = { "aws:SourceArn" = local.rule_arn } }
      }],
      # An emulator speaks plain HTTP.
      [for statement in [{
        Sid       = "OnlyOverTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = local.topic_arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }] : statement if var.context.is_aws],
    )
  })
}

resource "aws_cloudwatch_event_rule" "this" {
  name           = local.rule_name
  description    = "How a payment ended -> topic"
  event_bus_name = var.bus.name
  event_pattern  = jsonencode(var.pattern)
}

resource "aws_cloudwatch_event_target" "topic" {
  rule           = aws_cloudwatch_event_rule.this.name
  event_bus_name = var.bus.name
  target_id      = "topic"
  arn            = aws_sns_topic.this.arn

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
