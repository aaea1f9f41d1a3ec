mock_provider "aws" {
  source = "../../tests"
}

variables {
  context = jsondecode(file("../../tests/context.json"))

  bus                 = { name = "test-postbus", arn = "arn:aws:events:eu-central-1:111122223333:event-bus/test-postbus", dead_letter_arn = "arn:aws:sqs:eu-central-1:111122223333:test-postbus-bus-dead-letters" }
  archive             = { bucket = "packages", key = "core.zip", hash = "hash" }
  pattern             = { source = ["postbus.business_rules"] }
  ledger              = "dynamodb"
  http_ledger         = null
  environment         = { POSTBUS_LEDGER_TABLE = "test-postbus-ledger" }
  grants              = [{ sid = "Post", actions = ["dynamodb:PutItem"], resources = ["arn:aws:dynamodb:eu-central-1:111122223333:table/test-postbus-ledger"], conditions = [] }]
  maximum_concurrency = 5
  retry_hours         = 72
  timeout_seconds     = 30
  visibility_seconds  = null
}

run "is_not_parked_while_its_ledger_is_away" {
  command = apply

  assert {
    condition     = jsondecode(module.processor.redrive_policy).maxReceiveCount == 1000
    error_message = "168 hours at one try every 11 minutes, which is what the jitter makes of 15, are some 900 receives"
  }
}

run "outlives_an_outage_of_the_ledger" {
  command = plan

  assert {
    condition     = module.processor.environment.POSTBUS_RETRY_HOURS == "72"
    error_message = "the function would give up at another time"
  }

  assert {
    condition     = module.processor.visibility_seconds == 180
    error_message = "visibility must be six times the timeout"
  }

  assert {
    condition     = !can(module.processor.environment.POSTBUS_HTTP_LEDGER_URL)
    error_message = "the default ledger knows no URL"
  }
}

run "reads_its_credentials_and_nothing_else_secret" {
  command = plan

  variables {
    ledger      = "http"
    http_ledger = { url = "https://ledger.example", secret_arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:ledger-a1b2c3" }
  }

  assert {
    condition     = [for s in jsondecode(module.processor.policy).Statement : s.Resource if s.Sid == "ReadCredentials"] == [["arn:aws:secretsmanager:eu-central-1:111122223333:secret:ledger-a1b2c3"]]
    error_message = "the function cannot read its credentials, or can read others"
  }

  assert {
    condition     = module.processor.environment.POSTBUS_HTTP_LEDGER_URL == "https://ledger.example" && module.processor.environment.POSTBUS_LEDGER == "http"
    error_message = "the function would book elsewhere"
  }
}

run "refuses_an_external_ledger_it_was_told_nothing_of" {
  command = plan

  variables {
    ledger = "http"
  }

  expect_failures = [output.processor]
}

run "refuses_to_outwait_its_queue" {
  command = plan

  variables {
    retry_hours = 169
  }

  expect_failures = [var.retry_hours]
}

run "opens_its_secret_and_nothing_else_with_the_secrets_key" {
  command = plan

  variables {
    ledger = "http"
    http_ledger = {
      url        = "https://ledger.example"
      secret_arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:ledger-a1b2c3"
      key_arn    = "arn:aws:kms:eu-central-1:111122223333:key/theirs"
    }
  }

  assert {
    condition     = [for s in jsondecode(module.processor.policy).Statement : s.Condition if s.Sid == "UseCredentialsKey"] == [{ StringEquals = { "kms:ViaService" = ["secretsmanager.eu-central-1.amazonaws.com"] } }]
    error_message = "the function could decrypt whatever else that key encrypts"
  }
}

run "sends_no_credentials_in_the_clear" {
  command = plan

  variables {
    ledger      = "http"
    http_ledger = { url = "http://127.0.0.1:8080", secret_arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:ledger-a1b2c3" }
  }

  expect_failures = [output.processor]
}
