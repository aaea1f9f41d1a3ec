output "table_name" {
  value = local.table_name
}

output "stream_arn" {
  description = "Of the input table."
  value       = aws_dynamodb_table.this.stream_arn
}

output "pipe" {
  description = "The full definition, whether or not the target has pipes."
  value       = local.pipe
}

output "patterns" {
  description = "The pipe's filters and what they feed."
  value       = { for number, pattern in var.patterns : number => { pattern = jsonencode(pattern), target = local.function_name } }
}

output "quarantine_url" {
  value = module.quarantine.url
}

output "dead_letter_url" {
  value = module.pipe_dead_letters.url
}

output "function_name" {
  value = local.function_name
}

output "log_groups" {
  value = concat([module.deduplicate.log_group], aws_cloudwatch_log_group.pipe[*].name)
}

output "alarms" {
  value = concat(
    module.quarantine.alarms, module.pipe_dead_letters.alarms, module.deduplicate.alarms,
    aws_cloudwatch_metric_alarm.pipe_fails[*].arn, aws_cloudwatch_metric_alarm.pipe_state[*].arn,
    aws_cloudwatch_metric_alarm.record_age[*].arn,
  )
}

output "grants" {
  description = "write: put records into the table.  submit: records, one by one or together."
  value = {
    submit = [{ sid = "Submit${replace(title(replace(var.source_name, "_", " ")), " ", "")}", actions = ["dynamodb:BatchWriteItem", "dynamodb:PutItem"], resources = [local.table_arn], conditions = [] }]
    write  = [{ sid = "WriteRecords", actions = ["dynamodb:BatchWriteItem"], resources = [local.table_arn], conditions = [] }]
  }
}
