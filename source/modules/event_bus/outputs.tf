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
  description = "Put events on the bus.  admit: as a source of payments; enrich, decide: as those steps; again: whatever was told before."
  value = {
    for publisher, sources in local.publishers : publisher => [{
      sid       = "Publish"
      actions   = ["events:PutEvents"]
      resources = ["${var.context.arns.events}:event-bus/${local.name}"]
      # An emulator does not know the key, and would refuse.
      conditions = [
        for condition in [
          { test = "ForAllValues:StringEquals", variable = "events:source", values = sources },
          { test = "Null", variable = "events:source", values = ["false"] },
        ] : condition if var.context.is_aws
      ]
    }]
  }
}
