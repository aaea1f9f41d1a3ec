output "table" {
  value = local.name
}

output "record" {
  value = module.record
}

output "sweep" {
  value = { function_name = module.sweep.function_name, dead_letter_url = module.sweep.dead_letter_url, log_group = module.sweep.log_group }
}

output "alarms" {
  value = concat(module.record.alarms, module.sweep.alarms, aws_cloudwatch_metric_alarm.oldest_open[*].arn, aws_cloudwatch_metric_alarm.oldest_held[*].arn)
}
