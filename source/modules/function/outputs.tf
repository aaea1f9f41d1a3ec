output "name" {
  value = aws_lambda_function.this.function_name
}

output "arn" {
  value = aws_lambda_function.this.arn
}

output "log_group" {
  value = aws_cloudwatch_log_group.this.name
}

output "policy" {
  description = "What its role may do, as written."
  value       = module.role.policy
}

output "environment" {
  description = "What it reads."
  value       = aws_lambda_function.this.environment[0].variables
}

output "alarms" {
  value = [for alarm in aws_cloudwatch_metric_alarm.trouble : alarm.arn]
}

output "grants" {
  description = "invoke: call it."
  value = {
    invoke = [{ sid = "Invoke", actions = ["lambda:InvokeFunction"], resources = [local.arn], conditions = [] }]
  }
}

output "reserved_concurrency" {
  description = "The most calls at once; -1 for no bound of its own."
  value       = aws_lambda_function.this.reserved_concurrent_executions
}
