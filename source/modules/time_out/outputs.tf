output "function_name" {
  value = local.function_name
}

output "workflow_arn" {
  value = local.arn
}

output "dead_letter_url" {
  value = module.dead_letters.url
}

output "log_groups" {
  value = [module.function.log_group, local.log_group]
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
  value = concat(module.dead_letters.alarms, module.function.alarms, aws_cloudwatch_metric_alarm.absent[*].arn)
}
