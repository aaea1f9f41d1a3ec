output "bucket" {
  value = module.bucket.name
}

output "pattern" {
  description = "The rule's pattern and what it feeds."
  value       = { pattern = jsonencode(var.pattern), target = "audit" }
}

output "rule" {
  value = { name = local.name, arn = local.rule_arn }
}

output "forward" {
  description = "The forwarding function where there is one: empty, or one element."
  value       = module.forward
}

output "trail_bucket_arns" {
  description = "Buckets whose reads and writes the trail records, where there is one."
  value       = local.trail_bucket_arns
}

output "log_group" {
  value = local.log_group
}

output "alarms" {
  value = concat(flatten(module.forward[*].alarms), aws_cloudwatch_metric_alarm.stale[*].arn)
}
