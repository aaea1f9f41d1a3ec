output "arn" {
  description = "Known once the queue exists."
  value       = aws_sqs_queue.this.arn
}

output "named_arn" {
  description = "The same ARN made from the name: does not wait for the queue."
  value       = local.arn
}

output "url" {
  description = "Made from the name: does not wait for the queue."
  value       = "${var.context.sqs_url}/${local.name}"
}

output "alarms" {
  value = aws_cloudwatch_metric_alarm.not_empty[*].arn
}

output "grants" {
  description = "send: put a message here."
  value = {
    send = [{ sid = "Send${replace(title(replace(var.name, "/[-_]/", " ")), " ", "")}", actions = ["sqs:SendMessage"], resources = [local.arn], conditions = [] }]
  }
}
