output "arn" {
  description = "Usable at once: whoever takes it waits for the grants."
  value       = aws_iam_role.this.arn
  depends_on  = [aws_iam_role_policy.grants]
}

output "policy" {
  description = "The policy as written, for tests."
  value       = aws_iam_role_policy.grants.policy
}
