output "pattern" {
  description = "The rule's pattern and what it feeds; null without a bus."
  value       = one([for bus in local.buses : { pattern = jsonencode(var.pattern), target = local.function_name }])
}

output "rule_name" {
  value = one(aws_cloudwatch_event_rule.this[*].name)
}

output "rule_arn" {
  value = one(local.rule_arns)
}

output "queue_url" {
  description = "Made from the name: does not wait for the queue."
  value       = local.queue_url
}

output "queue_arn" {
  value = aws_sqs_queue.this.arn
}

output "queue_name" {
  value = local.name
}

output "queue_policy" {
  description = "Who may write to the queue, as written."
  value       = aws_sqs_queue.this.policy
}

output "dead_letter_url" {
  value = module.dead_letters.url
}

output "dead_letter_arn" {
  value = module.dead_letters.arn
}

output "function_name" {
  value = local.function_name
}

output "log_group" {
  value = module.function.log_group
}

output "redrive_policy" {
  description = "How often a message is tried, as written."
  value       = aws_sqs_queue.this.redrive_policy
}

output "visibility_seconds" {
  value = local.visibility_seconds
}

output "policy" {
  description = "What the function may do, as written."
  value       = module.function.policy
}

output "environment" {
  description = "What the function reads."
  value       = module.function.environment
}

output "alarms" {
  value = concat(module.dead_letters.alarms, module.function.alarms, aws_cloudwatch_metric_alarm.queue_age[*].arn)
}
