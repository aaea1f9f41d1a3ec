output "bus" {
  description = "What a rule needs."
  value = {
    name            = aws_cloudwatch_event_bus.this.name
    arn             = "${var.context.arns.events}:event-bus/${local.name}"
    dead_letter_arn = module.dead_letters.named_arn
  }
}

output "archive" {
  value = { name = aws_cloudwatch_event_archive.this.name, arn = "${var.context.arns.events}:archive/${local.name}" }
}

output "archive_pattern" {
  description = "The archive's pattern and what it feeds."
  value       = { pattern = jsonencode(var.archive_pattern), target = "archive" }
}

output "dead_letter_url" {
  value = module.dead_letters.url
}

output "alarms" {
  value = module.dead_letters.alarms
}

output "grants" {
  description = "publish: put events on the bus."
  value = {
    publish = [{ sid = "Publish", actions = ["events:PutEvents"], resources = ["${var.context.arns.events}:event-bus/${local.name}"], conditions = [] }]
  }
}
