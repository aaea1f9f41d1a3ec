locals {
  functions = { "read-broker" = module.read, "write-broker" = module.write }
}

output "queues" {
  description = "Step to the URL of its queue; the other waits on the broker."
  value       = { "write-broker" = module.write.queue_url }
}

output "queue_names" {
  value = [module.write.queue_name]
}

output "dead_letters" {
  description = "Step to the URL of its dead letters."
  value       = { for name, function in local.functions : name => function.dead_letter_url }
}

output "functions" {
  description = "Step to the name of its function."
  value       = { for name, function in local.functions : name => function.function_name }
}

output "log_groups" {
  value = [for function in values(local.functions) : function.log_group]
}

output "alarms" {
  value = concat(
    module.read.alarms, module.write.alarms,
    aws_cloudwatch_metric_alarm.kept_back[*].arn, aws_cloudwatch_metric_alarm.refused[*].arn,
  )
}
