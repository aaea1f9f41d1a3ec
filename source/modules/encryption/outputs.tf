output "key_arn" {
  value = aws_kms_key.this.arn
}

output "grants" {
  description = "use: read and write what the key protects, by way of the services that keep it."
  value = {
    use = [{
      sid       = "UseKey"
      actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
      resources = [aws_kms_key.this.arn]
      conditions = [{
        test     = "StringLike"
        variable = "kms:ViaService"
        values   = [for service in values(local.through) : "${service}.${var.region}.${var.dns_suffix}"]
      }]
    }]
  }
}
