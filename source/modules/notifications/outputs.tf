output "topic_arn" {
  value = aws_sns_topic.this.arn
}

output "pattern" {
  description = "The rule's pattern and what it feeds."
  value       = { pattern = jsonencode(var.pattern), target = "outcomes" }
}

output "rule" {
  value = { name = aws_cloudwatch_event_rule.this.name, arn = local.rule_arn }
}
