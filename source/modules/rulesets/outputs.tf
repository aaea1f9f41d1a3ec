output "bucket" {
  value = module.bucket.name
}

output "bucket_arn" {
  value = module.bucket.arn
}

output "environment" {
  description = "How a function finds the rulesets."
  value       = { POSTBUS_RULESETS_BUCKET = module.bucket.name }
}

output "grants" {
  description = "read: the ruleset in force."
  value = {
    read = [
      { sid = "ReadRulesets", actions = ["s3:GetObject"], resources = ["${module.bucket.arn}/*"], conditions = [] },
      # Without it a missing object answers 403, which cannot be told from a denied one.
      { sid = "ListRulesets", actions = ["s3:ListBucket"], resources = [module.bucket.arn], conditions = [] },
    ]
  }
}
