output "function_name" {
  value = module.job.function_name
}

output "dead_letter_url" {
  value = module.job.dead_letter_url
}

output "log_group" {
  value = module.job.log_group
}

output "alarms" {
  value = concat(module.job.alarms, aws_cloudwatch_metric_alarm.missing[*].arn, values(aws_cloudwatch_metric_alarm.unsettled)[*].arn)
}
