output "table" {
  value = local.name
}

output "environment" {
  description = "How a function finds the claims."
  value       = { POSTBUS_CLAIMS_TABLE = local.name }
}

output "grants" {
  description = "claim: take a claim or read the one that stands.  count: count a token's transactions."
  value = {
    claim = [{ sid = "Claim", actions = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"], resources = [local.arn], conditions = [] }]
    count = [{ sid = "Count", actions = ["dynamodb:GetItem", "dynamodb:UpdateItem"], resources = [local.arn], conditions = [] }]
  }
}
