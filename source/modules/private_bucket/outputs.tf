output "name" {
  description = "Known once the bucket is closed to the public."
  value       = aws_s3_bucket.this.id
  depends_on  = [aws_s3_bucket_policy.this]
}

output "arn" {
  description = "Made from the name."
  value       = local.arn
}
