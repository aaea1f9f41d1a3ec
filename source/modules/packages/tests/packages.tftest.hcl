mock_provider "aws" {
}

variables {
  context = {
    prefix                 = "test-"
    partition              = "aws"
    account_id             = "111122223333"
    region                 = "eu-central-1"
    sqs_url                = "https://sqs.eu-central-1.amazonaws.com/111122223333"
    key_arn                = "arn:aws:kms:eu-central-1:111122223333:key/mrk-1"
    key_grants             = [{ sid = "UseKey", actions = ["kms:Decrypt"], resources = ["arn:aws:kms:eu-central-1:111122223333:key/mrk-1"], conditions = [] }]
    key_grants_direct      = [{ sid = "UseKey", actions = ["kms:Decrypt"], resources = ["arn:aws:kms:eu-central-1:111122223333:key/mrk-1"], conditions = [] }]
    alarm_topic_arn        = "arn:aws:sns:eu-central-1:111122223333:test-postbus-alarms"
    log_retention_days     = 30
    log_level              = "INFO"
    architecture           = "arm64"
    python_version         = "3.13"
    tracing                = true
    point_in_time_recovery = true
    protect_from_deletion  = true
    environment            = { POSTBUS_METRICS_NAMESPACE = "Postbus" }
    target                 = { has_pipes = true, has_rule_dead_letters = true, has_firehose_rule_target = true, has_execution_logs = true }
    arns = {
      cloudtrail = "arn:aws:cloudtrail:eu-central-1:111122223333"
      cloudwatch = "arn:aws:cloudwatch:eu-central-1:111122223333"
      dynamodb   = "arn:aws:dynamodb:eu-central-1:111122223333"
      events     = "arn:aws:events:eu-central-1:111122223333"
      firehose   = "arn:aws:firehose:eu-central-1:111122223333"
      lambda     = "arn:aws:lambda:eu-central-1:111122223333"
      logs       = "arn:aws:logs:eu-central-1:111122223333"
      sns        = "arn:aws:sns:eu-central-1:111122223333"
      sqs        = "arn:aws:sqs:eu-central-1:111122223333"
      states     = "arn:aws:states:eu-central-1:111122223333"
    }
  }

  packages       = ["core"]
  platform       = "linux-arm64"
  python_version = "3.13"
  builder_python = "python3"
}

run "plans_without_an_archive_on_disk" {
  command = plan

  assert {
    condition     = output.archives.core.hash == sha256("core ${local.input_hash}")
    error_message = "the hash must be known before anything is built"
  }

  assert {
    condition     = terraform_data.build["core"].triggers_replace[0] == local.input_hash
    error_message = "a changed source would not be built"
  }

  assert {
    condition     = length(local.inputs) > 30 && !contains(local.inputs, "source/src/postbus/cli/app.py")
    error_message = "the hash covers something else than the package"
  }
}

run "an_operators_schemas_are_built_into_the_package_that_checks_messages_and_into_no_other" {
  command = plan

  variables {
    packages   = ["core", "iso20022"]
    schema_dir = "tests/schemas"
  }

  assert {
    condition     = local.schema_hash == sha256("pacs.099.001.01.xsd ${filesha256("tests/schemas/pacs.099.001.01.xsd")}")
    error_message = "a changed schema would not be built in"
  }
  assert {
    condition     = terraform_data.build["iso20022"].triggers_replace[0] == sha256("${local.input_hash} ${local.schema_hash}") && output.archives.iso20022.hash == sha256("iso20022 ${terraform_data.build["iso20022"].triggers_replace[0]}")
    error_message = "functions would keep the package without it"
  }
  assert {
    condition     = terraform_data.build["core"].triggers_replace[0] == local.input_hash
    error_message = "packages without schemas would be built again for nothing"
  }
}
