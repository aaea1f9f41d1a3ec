mock_provider "aws" {}

variables {
  context = jsondecode(file("../../tests/context.json"))

  name          = "audit"
  force_destroy = false
}

run "is_private_versioned_and_encrypted" {
  command = plan

  assert {
    condition     = aws_s3_bucket.this.bucket == "test-postbus-audit-111122223333-eu-central-1" && !aws_s3_bucket.this.force_destroy
    error_message = "destroy would empty it unasked"
  }

  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "an overwritten object would be lost"
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default[0].kms_master_key_id == var.context.key_arn
    error_message = "objects are encrypted with our key"
  }

  assert {
    condition     = aws_s3_bucket_public_access_block.this.block_public_acls && aws_s3_bucket_public_access_block.this.block_public_policy && aws_s3_bucket_public_access_block.this.ignore_public_acls && aws_s3_bucket_public_access_block.this.restrict_public_buckets
    error_message = "the public could get in"
  }

  assert {
    condition     = length(aws_s3_bucket_lifecycle_configuration.this) == 0 && length(aws_s3_bucket_object_lock_configuration.this) == 0
    error_message = "nobody asked for deletion or for a lock"
  }
}

run "locks_and_expires_when_asked" {
  command = plan

  variables {
    object_lock_days = 365
    keep_days        = 3650
  }

  assert {
    condition     = aws_s3_bucket.this.object_lock_enabled && aws_s3_bucket_object_lock_configuration.this[0].rule[0].default_retention[0].mode == "GOVERNANCE"
    error_message = "an auditor could not rely on it"
  }

  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.this[0].rule[0].expiration[0].days == 3650
    error_message = "objects would stay for ever"
  }
}

run "what_is_short_lived_goes_and_the_rest_stays" {
  command = plan

  variables {
    short_lived = { "uploads/" = 1 }
  }

  assert {
    condition     = one(aws_s3_bucket_lifecycle_configuration.this[0].rule[*].filter[0].prefix) == "uploads/" && one(aws_s3_bucket_lifecycle_configuration.this[0].rule[*].expiration[0].days) == 1 && one(aws_s3_bucket_lifecycle_configuration.this[0].rule[*].noncurrent_version_expiration[0].noncurrent_days) == 1
    error_message = "what is short-lived would stay, or all of it would go"
  }
}
