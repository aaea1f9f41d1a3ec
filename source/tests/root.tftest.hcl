mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
  }
}

# A plan knows no key yet.
override_module {
  target = module.encryption
  outputs = {
    key_arn = "arn:aws:kms:eu-central-1:111122223333:key/mrk-1"
    grants  = { use = [], use_directly = [] }
  }
}

variables {
  region = "eu-central-1"
}

run "has_the_names_of_the_design" {
  command = plan

  assert {
    condition     = output.visa_table == "visa" && output.visa_mock == "visa-mock"
    error_message = "without a prefix the table is visa and the generator visa-mock"
  }
  assert {
    condition     = length(setsubtract(["accounts", "balances", "claims", "credit_transfers", "ledger", "merchants", "rates", "timeline", "visa"], keys(output.deployment.tables))) == 0
    error_message = "a table is missing"
  }
  assert {
    condition     = length(setsubtract(["enrich", "posting", "timeline", "quarantine-visa", "quarantine-credit_transfers"], keys(output.deployment.queues))) == 0
    error_message = "a queue is missing"
  }
  assert {
    condition     = length(setsubtract(["bus", "business-rules", "enrich", "posting", "timeline", "pipe-visa", "pipe-credit_transfers", "sweep", "verify-ledger"], keys(output.deployment.dead_letters))) == 0
    error_message = "every asynchronous hop has its dead letters"
  }
  assert {
    condition     = output.deployment.dead_letters.posting == "https://sqs.eu-central-1.amazonaws.com/111122223333/postbus-posting-dead-letters"
    error_message = "the command would look for the dead letters elsewhere"
  }
  assert {
    condition     = length(setsubtract(["visa-mock", "deduplicate-visa", "deduplicate-credit_transfers", "enrich", "evaluate-rules", "check-conversion", "post", "record-timeline", "sweep", "verify-ledger"], keys(output.deployment.functions))) == 0
    error_message = "a function is missing"
  }
  assert {
    condition     = length(setsubtract([for name in ["enrich", "business-rules", "posting", "timeline", "audit", "notify-outcomes"] : "postbus-${name}"], keys(output.deployment.rules))) == 0
    error_message = "a rule is missing"
  }
}

run "has_the_names_of_the_iso_20022_front" {
  command = plan

  assert {
    condition     = output.deployment.tables.iso20022 == "postbus-iso20022" && length(setsubtract(["receive", "process", "decide", "release", "collect"], keys(output.deployment.queues))) == 0
    error_message = "a table or a step's queue is missing"
  }
  assert {
    condition     = length(setsubtract(["receive", "process", "decide", "release", "collect", "time-out-messages"], keys(output.deployment.dead_letters))) == 0
    error_message = "every asynchronous hop has its dead letters"
  }
  assert {
    condition     = length(setsubtract(["serve-iso20022", "receive-message", "process-message", "decide-message", "collect-outcomes", "release-message", "time-out-messages", "check-identity", "screen-parties", "check-fraud", "reserve-liquidity"], keys(output.deployment.functions))) == 0
    error_message = "a function is missing"
  }
  assert {
    condition     = contains(keys(output.deployment.rules), "postbus-collect")
    error_message = "no message would ever be answered"
  }
  assert {
    condition     = output.deployment.iso20022.client_secrets == { operator = "postbus-iso20022-client-operator" } && output.token_url == "https://postbus-111122223333.auth.eu-central-1.amazoncognito.com/oauth2/token"
    error_message = "a client would not find its credentials, or get no token"
  }
  assert {
    condition     = !contains(keys(output.deployment.functions), "read-broker")
    error_message = "a bridge that nobody asked for"
  }
}

run "leaves_the_iso_20022_front_out_where_nobody_wants_it" {
  command = plan

  variables {
    iso20022 = false
  }

  assert {
    condition     = output.deployment.iso20022 == null && output.api_url == null && !contains(keys(output.deployment.tables), "iso20022") && !contains(keys(output.deployment.rules), "postbus-collect") && !contains(keys(output.deployment.functions), "serve-iso20022")
    error_message = "something of it stays"
  }
}

run "bridges_a_broker_where_one_is_named" {
  command = plan

  # The longest prefix and many clients: all names must fit into their parameter.
  variables {
    name_prefix      = "abcdefghi-"
    iso20022_clients = { for number in range(10) : "a-client-with-a-long-name-${number}" => {} }
    mq_bridge = {
      broker = {
        host          = "mq.example"
        queue         = "payments.in"
        refused_queue = "payments.refused"
        exchange      = "payments"
        routing_key   = "answers"
        secret_arn    = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:broker-a1b2c3"
      }
    }
  }

  assert {
    condition     = contains(keys(output.client_secrets), "mq-bridge")
    error_message = "the API would not let it in"
  }
  assert {
    condition     = length(setsubtract(["read-broker", "write-broker"], keys(output.deployment.functions))) == 0 && length(setsubtract(["read-broker", "write-broker"], keys(output.deployment.dead_letters))) == 0 && contains(keys(output.deployment.queues), "write-broker")
    error_message = "the command would not find its functions, its queue or its dead letters"
  }
  assert {
    condition     = length(jsonencode({ for name, value in output.deployment : name => value if name != "log_groups" })) < 8000
    error_message = "the parameter takes 8192 characters, and the API's address is longer on AWS"
  }
}

run "refuses_a_folder_without_schemas" {
  command = plan

  variables {
    iso20022_schema_dir = "tests"
  }

  expect_failures = [var.iso20022_schema_dir]
}

run "speaks_fips_140_where_asked_to" {
  command = plan

  variables {
    fips_endpoints = true
  }

  assert {
    condition     = output.token_url == "https://postbus-111122223333.auth-fips.eu-central-1.amazoncognito.com/oauth2/token"
    error_message = "clients would send their credentials to another endpoint"
  }
}

run "refuses_a_client_that_may_do_nothing_known" {
  command = plan

  variables {
    iso20022_clients = { operator = { scopes = ["admin"] } }
  }

  expect_failures = [var.iso20022_clients]
}

run "refuses_an_agent_that_is_no_bic" {
  command = plan

  variables {
    iso20022_clients = { operator = { agents = ["harbour"] } }
  }

  expect_failures = [var.iso20022_clients]
}

run "refuses_an_account_with_spaces" {
  command = plan

  variables {
    iso20022_clients = { operator = { agents = ["*", "HARBDEFFXXX"], debtor_accounts = ["DE89 3704"] } }
  }

  expect_failures = [var.iso20022_clients]
}

run "refuses_deadlines_that_leave_messages_open_for_ever" {
  command = plan

  variables {
    iso20022_deadline_seconds = { "pacs.008" = 60 }
  }

  expect_failures = [var.iso20022_deadline_seconds]
}

run "puts_the_prefix_before_every_name" {
  command = plan

  variables {
    name_prefix = "blue-"
  }

  assert {
    condition     = alltrue([for name in concat(values(output.deployment.tables), values(output.deployment.functions), keys(output.deployment.rules), [output.deployment.bus, output.deployment.archive]) : startswith(name, "blue-")])
    error_message = "two deployments in one account would share something"
  }
  assert {
    condition     = alltrue([for url in concat(values(output.deployment.queues), values(output.deployment.dead_letters)) : startswith(element(split("/", url), 4), "blue-")])
    error_message = "two deployments in one account would share a queue"
  }
}

run "prints_the_pipes_where_the_target_has_none" {
  command = plan

  variables {
    target = { is_aws = false, has_pipes = false, has_rule_dead_letters = false, has_firehose_rule_target = false, has_execution_logs = false, has_tracing = false, has_alarms = false }
  }

  assert {
    condition     = length(setsubtract(["visa", "credit_transfers"], keys(output.pipes))) == 0
    error_message = "the runner beside an emulator would have nothing to run"
  }
  assert {
    condition     = contains(keys(output.deployment.queues), "audit")
    error_message = "where rules do not reach Firehose, a queue and a function carry the events over"
  }
}

run "replays_reach_neither_archive_nor_audit_nor_subscribers" {
  command = plan

  assert {
    condition = alltrue([for name in ["archive", "audit", "notify-outcomes"] : alltrue([
      jsondecode(output.event_patterns[name].pattern)["replay-name"] == [{ exists = false }],
      jsondecode(output.event_patterns[name].pattern).detail.metadata.replay == [{ exists = false }],
    ])])
    error_message = "a replay would be archived, audited or told again"
  }
  assert {
    condition     = alltrue([for name, found in output.event_patterns : can(jsondecode(found.pattern)) && found.target != ""])
    error_message = "a pattern feeds nothing"
  }
}

run "lets_only_this_regions_records_in" {
  command = plan

  assert {
    condition     = alltrue([for name, found in output.event_patterns : contains(jsondecode(found.pattern).dynamodb.NewImage.home_region.S, "eu-central-1") if startswith(name, "pipe-")])
    error_message = "two regions would post the same payment"
  }
}

run "takes_in_the_payments_it_was_given" {
  command = plan

  variables {
    home_region = "eu-west-1"
  }

  assert {
    condition     = alltrue([for name, found in output.event_patterns : jsondecode(found.pattern).dynamodb.NewImage.home_region.S[0] == "eu-west-1" if startswith(name, "pipe-")])
    error_message = "another region's payments would be left out"
  }
}

run "refuses_a_prefix_that_names_could_not_carry" {
  command = plan

  variables {
    name_prefix = "Blue"
  }

  expect_failures = [var.name_prefix]
}

run "refuses_what_is_no_region" {
  command = plan

  variables {
    region = "Frankfurt"
  }

  expect_failures = [var.region]
}

run "refuses_an_unknown_ledger" {
  command = plan

  variables {
    ledger = "paper"
  }

  expect_failures = [var.ledger]
}

run "refuses_a_posting_system_in_the_clear" {
  command = plan

  variables {
    ledger      = "http"
    http_ledger = { url = "http://ledger.example", secret_arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:ledger-a1b2c3" }
  }

  expect_failures = [var.http_ledger]
}

run "looks_for_lost_records" {
  command = plan

  assert {
    condition     = contains(keys(output.deployment.dead_letters), "reconcile") && contains(keys(output.deployment.functions), "reconcile")
    error_message = "the command would not find the job"
  }
}

run "records_who_wrote_the_functions_code" {
  command = plan

  assert {
    condition     = alltrue([for bucket in [module.packages.bucket_arn, module.rulesets.bucket_arn] : anytrue([for recorded in module.audit.trail_bucket_arns : recorded == bucket])])
    error_message = "whoever changes what the functions run, or what they decide by, would leave no trace"
  }
}
