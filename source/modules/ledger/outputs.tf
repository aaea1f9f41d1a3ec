output "ledger_table" {
  value = local.ledger_name
}

output "balances_table" {
  value = local.balances_name
}

output "environment" {
  description = "How a function finds the ledger."
  value       = local.environment
}

output "verify" {
  value = { function_name = module.verify.function_name, dead_letter_url = module.verify.dead_letter_url, log_group = module.verify.log_group }
}

output "alarms" {
  value = concat(module.verify.alarms, aws_cloudwatch_metric_alarm.imbalance[*].arn, aws_cloudwatch_metric_alarm.unconfirmed[*].arn)
}

output "grants" {
  description = "read: an outcome.  decide: that, and write one conditionally.  mark_told: that its announcement was accepted.  post: book postings.  earmark: set money aside and give it back.  attend: find what waits for someone, and mark it told."
  value = {
    read = [{ sid = "ReadOutcomes", actions = ["dynamodb:GetItem"], resources = [local.ledger_arn], conditions = [] }]
    decide = [
      { sid = "Decide", actions = ["dynamodb:GetItem", "dynamodb:PutItem"], resources = [local.ledger_arn], conditions = [] },
      # Voiding frees the money set aside for the transaction, in the same write.
      { sid = "FreeEarmark", actions = ["dynamodb:UpdateItem"], resources = [local.balances_arn], conditions = [] },
    ]
    post = [{
      sid        = "Post"
      actions    = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
      resources  = [local.ledger_arn, local.balances_arn]
      conditions = []
    }]
    mark_told = [local.mark_told]
    earmark = [
      {
        sid        = "Earmark"
        actions    = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
        resources  = [local.ledger_arn]
        conditions = []
      },
      { sid = "SetAside", actions = ["dynamodb:GetItem", "dynamodb:UpdateItem"], resources = [local.balances_arn], conditions = [] },
    ]
    attend = [
      { sid = "Attend", actions = ["dynamodb:Query"], resources = ["${local.ledger_arn}/index/attention"], conditions = [] },
      local.mark_told,
    ]
  }
}
