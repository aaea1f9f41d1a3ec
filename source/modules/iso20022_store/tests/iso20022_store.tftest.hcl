mock_provider "aws" {}

variables {
  context = jsondecode(file("../../tests/context.json"))

  force_destroy = false
  keep_days     = 3653
}

run "keeps_what_became_of_every_message" {
  command = plan

  assert {
    condition     = aws_dynamodb_table.this.hash_key == "transaction_id" && aws_dynamodb_table.this.range_key == "part"
    error_message = "a transaction is one item collection"
  }

  assert {
    condition     = aws_dynamodb_table.this.server_side_encryption[0].kms_key_arn == var.context.key_arn && aws_dynamodb_table.this.point_in_time_recovery[0].enabled && aws_dynamodb_table.this.deletion_protection_enabled && aws_dynamodb_table.this.billing_mode == "PAY_PER_REQUEST"
    error_message = "the table could be read, lost or deleted"
  }

  assert {
    condition     = length(aws_dynamodb_table.this.ttl) == 0
    error_message = "nothing of a transaction may vanish by itself"
  }
}

run "finds_what_is_overdue_beside_what_waits_without_a_hot_partition" {
  command = plan

  assert {
    condition     = [for index in aws_dynamodb_table.this.global_secondary_index : "${index.name} ${index.hash_key} ${index.range_key} ${index.projection_type}"] == ["due open_shard due KEYS_ONLY", "open open_shard deadline KEYS_ONLY"]
    error_message = "the look for what is overdue would find nothing, or all in one partition"
  }
}

run "tells_ends_over_an_encrypted_topic" {
  command = plan

  assert {
    condition     = aws_sns_topic.statuses.kms_master_key_id == var.context.key_arn && [for s in jsondecode(aws_sns_topic.statuses.policy).Statement : "${s.Effect} ${s.Action}"] == ["Deny sns:Publish"]
    error_message = "ends could be read by others, or told in the clear"
  }
}

run "splits_what_may_be_done_by_need" {
  command = plan

  assert {
    condition     = toset(flatten([for grant in output.grants.read : grant.actions])) == toset(["dynamodb:GetItem", "dynamodb:Query"])
    error_message = "who reads could write"
  }

  assert {
    condition     = !anytrue([for action in flatten([for grants in [output.grants.read, output.grants.advance, output.grants.overdue, output.grants.incoming.read, output.grants.incoming.write, output.grants.outgoing.read, output.grants.outgoing.write, output.grants.notify] : [for grant in grants : grant.actions]]) : can(regex("Delete|Batch|\\*", action))])
    error_message = "history, messages and answers are written once, conditionally, and never deleted by a function"
  }

  assert {
    condition     = output.grants.overdue[0].resources == [for index in ["due", "open"] : "arn:aws:dynamodb:eu-central-1:111122223333:table/test-postbus-iso20022/index/${index}"]
    error_message = "who looks for what is overdue could look through everything"
  }

  assert {
    condition     = output.grants.incoming.write[0].resources == ["arn:aws:s3:::test-postbus-incoming-111122223333-eu-central-1/*"] && output.grants.outgoing.write[0].resources == ["arn:aws:s3:::test-postbus-outgoing-111122223333-eu-central-1/*"]
    error_message = "who writes what came in could write what goes out"
  }
}
