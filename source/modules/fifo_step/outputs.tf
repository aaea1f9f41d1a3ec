output "queue_url" {
  description = "Made from the name: does not wait for the queue."
  value       = local.queue_url
}

output "queue_name" {
  value = local.name
}

output "dead_letter_url" {
  value = module.dead_letters.url
}

output "function_name" {
  value = local.function_name
}

output "log_group" {
  value = module.function.log_group
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

output "visibility_seconds" {
  value = local.visibility_seconds
}
