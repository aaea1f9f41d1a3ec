output "key_arn" {
  value = aws_kms_key.this.arn
}

output "grants" {
  description = "use: what services keep under the key.  use_directly: the same for a role whose service does not say on whose behalf it asks (pipes, workflows)."
  value = {
    use = [{
      sid       = "UseKey"
      actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
      resources = [aws_kms_key.this.arn]
      conditions = [{
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = [for service in values(local.through) : "${service}.${var.region}.amazonaws.com"]
      }]
    }]
    use_directly = [{
      sid        = "UseKey"
      actions    = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
      resources  = [aws_kms_key.this.arn]
      conditions = []
    }]
  }
}
