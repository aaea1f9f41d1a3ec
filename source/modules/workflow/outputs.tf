output "arn" {
  value = local.arn
}

output "pattern" {
  description = "The rule's pattern and what it feeds."
  value       = { pattern = jsonencode(var.pattern), target = local.name }
}

output "rule_name" {
  value = aws_cloudwatch_event_rule.this.name
}

output "rule_arn" {
  value = local.rule_arn
}

output "dead_letter_url" {
  value = module.dead_letters.url
}

output "log_group" {
  value = local.log_group
}

output "alarms" {
  value = concat(module.dead_letters.alarms, [for alarm in aws_cloudwatch_metric_alarm.trouble : alarm.arn])
}
