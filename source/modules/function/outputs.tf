output "name" {
  value = aws_lambda_function.this.function_name
}

output "arn" {
  value = aws_lambda_function.this.arn
}

output "log_group" {
  value = aws_cloudwatch_log_group.this.name
}

output "alarms" {
  value = [for alarm in aws_cloudwatch_metric_alarm.trouble : alarm.arn]
}

output "grants" {
  description = "invoke: call it."
  value = {
    invoke = [{ sid = "Invoke", actions = ["lambda:InvokeFunction"], resources = [aws_lambda_function.this.arn], conditions = [] }]
  }
}
