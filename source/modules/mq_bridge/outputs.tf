output "functions" {
  value = { read = module.read.function_name, write = module.write.name }
}

output "log_groups" {
  value = { read = module.read.log_group, write = module.write.log_group }
}

output "queue_name" {
  value = local.writer
}

output "queue_url" {
  value = local.queue_url
}

output "dead_letter_urls" {
  value = { read = module.read.dead_letter_url, write = module.dead_letters.url }
}

output "alarms" {
  value = concat(
    module.read.alarms, module.write.alarms, module.dead_letters.alarms,
    aws_cloudwatch_metric_alarm.kept_back[*].arn, aws_cloudwatch_metric_alarm.refused[*].arn, aws_cloudwatch_metric_alarm.queue_age[*].arn,
  )
}
