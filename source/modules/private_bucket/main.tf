# Keeps objects: every version, encrypted with our key, reachable over TLS only and by nobody outside.

locals {
  name = "${var.context.prefix}postbus-${var.name}-${var.context.account_id}-${var.context.region}"
  arn  = "arn:${var.context.partition}:s3:::${local.name}"
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:data_event_trail records access, with more detail than access logs
  #checkov:skip=CKV_AWS_144:a copy in another region is the operator's choice; names and key are ready for it
  #checkov:skip=CKV2_AWS_62:nobody waits for new objects
  bucket              = local.name
  force_destroy       = var.force_destroy
  object_lock_enabled = var.object_lock_days > 0
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.context.key_arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    # An emulator speaks plain HTTP.
    Statement = concat(var.statements, [for statement in [{
      Sid       = "OnlyOverTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [local.arn, "${local.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }] : statement if var.context.is_aws])
  })

  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  count  = var.keep_days == null && length(var.short_lived) == 0 ? 0 : 1
  bucket = aws_s3_bucket.this.id

  dynamic "rule" {
    for_each = var.keep_days == null ? [] : [var.keep_days]
    content {
      id     = "retention"
      status = "Enabled"

      filter {}

      expiration {
        days = rule.value
      }

      noncurrent_version_expiration {
        noncurrent_days = rule.value
      }

      abort_incomplete_multipart_upload {
        days_after_initiation = 7
      }
    }
  }

  dynamic "rule" {
    for_each = var.short_lived
    content {
      id     = "short-lived ${rule.key}"
      status = "Enabled"

      filter {
        prefix = rule.key
      }

      expiration {
        days = rule.value
      }

      noncurrent_version_expiration {
        noncurrent_days = rule.value
      }

      abort_incomplete_multipart_upload {
        days_after_initiation = rule.value
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

# GOVERNANCE: a version cannot be deleted or overwritten before its time, except by a role that has been given
# s3:BypassGovernanceRetention on purpose.
resource "aws_s3_bucket_object_lock_configuration" "this" {
  count  = var.object_lock_days > 0 ? 1 : 0
  bucket = aws_s3_bucket.this.id

  rule {
    default_retention {
      mode = "GOVERNANCE"
      days = var.object_lock_days
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}
