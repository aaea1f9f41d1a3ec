output "functions" {
  value = { read = module.read.function_name, write = module.write.function_name }
}

output "log_groups" {
  value = { read = module.read.log_group, write = module.write.log_group }
}

output "queue_name" {
  value = module.write.queue_name
}

output "queue_url" {
  value = module.write.queue_url
}

output "dead_letter_urls" {
  value = { read = module.read.dead_letter_url, write = module.write.dead_letter_url }
}

output "alarms" {
  value = concat(
    module.read.alarms, module.write.alarms,
    aws_cloudwatch_metric_alarm.kept_back[*].arn, aws_cloudwatch_metric_alarm.refused[*].arn,
  )
}
