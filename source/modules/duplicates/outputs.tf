output "table" {
  value = local.name
}

output "environment" {
  description = "How a function finds the claims."
  value       = { POSTBUS_CLAIMS_TABLE = local.name }
}

output "grants" {
  description = "claim: take a claim, or learn the one that stands.  count: count a token's transactions."
  value = {
    claim = [{ sid = "Claim", actions = ["dynamodb:PutItem"], resources = [local.arn], conditions = [] }]
    count = [{ sid = "Count", actions = ["dynamodb:UpdateItem"], resources = [local.arn], conditions = [] }]
  }
}
