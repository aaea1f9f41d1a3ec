mock_provider "aws" {
  source = "../../tests"
}

variables {
  context = jsondecode(file("../../tests/context.json"))

  archives              = { iso20022 = { bucket = "packages", key = "iso20022.zip", hash = "hash" }, screening = { bucket = "packages", key = "screening.zip", hash = "hash" } }
  bus                   = { name = "test-postbus", dead_letter_arn = "arn:aws:sqs:eu-central-1:111122223333:test-postbus-bus-dead-letters" }
  bus_grants            = { decide = [{ sid = "Publish", actions = ["events:PutEvents"], resources = ["arn:aws:events:eu-central-1:111122223333:event-bus/test-postbus"], conditions = [] }] }
  pattern               = { source = [{ prefix = "postbus." }] }
  accounts              = { environment = { POSTBUS_ACCOUNTS_TABLE = "test-postbus-accounts" }, grants = [{ sid = "ReadAccounts", actions = ["dynamodb:BatchGetItem"], resources = ["arn:aws:dynamodb:eu-central-1:111122223333:table/test-postbus-accounts"], conditions = [] }] }
  claims                = { environment = { POSTBUS_CLAIMS_TABLE = "test-postbus-claims" }, grants = { claim = [{ sid = "Claim", actions = ["dynamodb:PutItem"], resources = ["arn:aws:dynamodb:eu-central-1:111122223333:table/test-postbus-claims"], conditions = [] }], count = [{ sid = "Count", actions = ["dynamodb:UpdateItem"], resources = ["arn:aws:dynamodb:eu-central-1:111122223333:table/test-postbus-claims"], conditions = [] }] } }
  ledger                = { environment = { POSTBUS_LEDGER_TABLE = "test-postbus-ledger" }, grants = { read = [{ sid = "ReadOutcomes", actions = ["dynamodb:GetItem"], resources = ["arn:aws:dynamodb:eu-central-1:111122223333:table/test-postbus-ledger"], conditions = [] }], decide = [{ sid = "Decide", actions = ["dynamodb:GetItem", "dynamodb:PutItem"], resources = ["arn:aws:dynamodb:eu-central-1:111122223333:table/test-postbus-ledger"], conditions = [] }], mark_told = [{ sid = "MarkTold", actions = ["dynamodb:UpdateItem"], resources = ["arn:aws:dynamodb:eu-central-1:111122223333:table/test-postbus-ledger"], conditions = [] }], earmark = [{ sid = "Earmark", actions = ["dynamodb:UpdateItem"], resources = ["arn:aws:dynamodb:eu-central-1:111122223333:table/test-postbus-balances"], conditions = [] }] } }
  credit_transfers      = { table_name = "test-credit_transfers", grants = [{ sid = "SubmitCreditTransfers", actions = ["dynamodb:PutItem"], resources = ["arn:aws:dynamodb:eu-central-1:111122223333:table/test-credit_transfers"], conditions = [] }] }
  clients               = { operator = { agents = ["HARBDEFF"], debtor_accounts = ["DE89370400440532013000"] } }
  api                   = {}
  deadline_seconds      = { "pacs.008" = 60, none = 600, other = 300 }
  largest_message_mb    = 20
  message_days          = 3653
  check_timeout_seconds = 10
  checks                = { agreement = "{}", fraud_rules = "{}", sanctions_threshold = 85, sanctions_sample = false }
  timeout_seconds       = 30
  visibility_seconds    = null
  maximum_concurrency   = 20
  force_destroy         = false
  secret_recovery_days  = 30
  dns_suffix            = "amazonaws.com"
  fips_endpoints        = false
}

run "gives_each_step_what_it_needs_and_no_more" {
  command = apply

  assert {
    condition = { for step, policy in output.policies : step => join(" ", sort([for s in jsondecode(policy).Statement : s.Sid if !contains(["WriteOwnLog", "Trace", "UseKey", "TakeFromOwnQueue"], s.Sid)])) } == {
      serve_iso20022    = "AdvanceTransactions ListIncoming ListOutgoing LookAtQueues ReadIncoming ReadOutgoing SendSteps WriteIncoming"
      receive_message   = "AdvanceTransactions ListIncoming ReadIncoming SendReceiveDeadLetters SendSteps"
      process_message   = "AdvanceTransactions CheckFraud CheckIdentity Claim ListIncoming ReadAccounts ReadIncoming ReserveLiquidity ScreenParties SendProcessDeadLetters SendSteps SubmitCreditTransfers WriteOutgoing"
      decide_message    = "AdvanceTransactions Decide ListIncoming MarkTold Publish ReadIncoming SendDecideDeadLetters SendSteps WriteOutgoing"
      collect_outcomes  = "AdvanceTransactions ReadOutcomes SendCollectDeadLetters SendSteps"
      release_message   = "AdvanceTransactions ListIncoming ListOutgoing ReadAccounts ReadIncoming ReadOutgoing SendReleaseDeadLetters SendSteps TellStatuses WriteOutgoing"
      time_out_messages = "AdvanceTransactions FindOverdue SendSteps"
      check_identity    = "ReadAccounts"
      screen_parties    = "ListSanctions ReadSanctions"
      check_fraud       = "Count"
      reserve_liquidity = "Earmark ReadAccounts"
    }
    error_message = "more, or less, than a step needs"
  }

  assert {
    condition     = alltrue([for policy in values(output.policies) : length(distinct([for s in jsondecode(policy).Statement : s.Sid])) == length(jsondecode(policy).Statement)])
    error_message = "IAM refuses a policy with one name twice"
  }
}

run "only_decide_voids_and_only_process_submits" {
  command = apply

  assert {
    condition     = [for step, policy in output.policies : step if strcontains(policy, "table/test-credit_transfers")] == ["process_message"]
    error_message = "payments could enter the pipeline unchecked"
  }

  assert {
    condition     = [for step, policy in output.policies : step if anytrue([for s in jsondecode(policy).Statement : strcontains(jsonencode(s.Resource), "table/test-postbus-ledger") && !alltrue([for action in flatten([s.Action]) : action == "dynamodb:GetItem"])])] == ["decide_message"]
    error_message = "a payment's outcome could be decided elsewhere"
  }

  assert {
    condition     = [for step, policy in output.policies : step if strcontains(policy, "table/test-postbus-balances")] == ["reserve_liquidity"]
    error_message = "balances could be moved by another function"
  }

  assert {
    condition     = [for step, policy in output.policies : step if strcontains(policy, "events:PutEvents")] == ["decide_message"]
    error_message = "another function could tell of outcomes that are none"
  }
}

run "sends_each_step_where_it_leads" {
  command = apply

  assert {
    condition     = [for s in jsondecode(output.policies.collect_outcomes).Statement : s.Resource if s.Sid == "SendSteps"] == [["arn:aws:sqs:eu-central-1:111122223333:test-postbus-release.fifo"]]
    error_message = "collect leads to release only"
  }

  assert {
    condition     = output.environments.collect_outcomes.POSTBUS_STEP_QUEUE_URLS == "release=https://sqs.eu-central-1.amazonaws.com/111122223333/test-postbus-release.fifo"
    error_message = "the release would be sent elsewhere"
  }

  assert {
    condition     = [for s in jsondecode(output.policies.release_message).Statement : s.Resource if s.Sid == "SendSteps"] == [[for step in ["process", "decide"] : "arn:aws:sqs:eu-central-1:111122223333:test-postbus-${step}.fifo"]]
    error_message = "what ends could not have the camt.056 processed that waits for it"
  }

  assert {
    condition     = { for name, url in output.queues : name => endswith(url, "/test-postbus-${name}.fifo") } == { receive = true, process = true, decide = true, release = true }
    error_message = "the names that are sent to are not those of the queues"
  }

  assert {
    condition     = output.environments.process_message.POSTBUS_DEADLINE_SECONDS == "none=600,other=300,pacs.008=60" && output.environments.serve_iso20022.POSTBUS_LARGEST_MESSAGE_BYTES == "20971520"
    error_message = "a function would read other limits"
  }
}

run "asks_every_check_that_it_may_call" {
  command = apply

  assert {
    condition     = output.environments.process_message.POSTBUS_CHECK_FUNCTIONS == "test-postbus-check-identity,test-postbus-screen-parties,test-postbus-check-fraud"
    error_message = "a check would be left out, or asked out of turn"
  }

  assert {
    condition     = toset([for s in jsondecode(output.policies.process_message).Statement : s.Resource[0] if s.Action == ["lambda:InvokeFunction"]]) == toset([for name in concat(split(",", output.environments.process_message.POSTBUS_CHECK_FUNCTIONS), [output.environments.process_message.POSTBUS_LIQUIDITY_FUNCTION]) : "arn:aws:lambda:eu-central-1:111122223333:function:${name}"])
    error_message = "a check stands there and nobody asks it, or the other way round"
  }
}

run "reserves_nothing_where_the_balances_are_elsewhere" {
  command = apply

  variables {
    reserves = false
  }

  assert {
    condition     = output.environments.process_message.POSTBUS_LIQUIDITY_FUNCTION == "none"
    error_message = "every transfer would be refused for balances that nobody keeps here"
  }
}

run "tells_process_what_each_client_may_have_debited" {
  command = apply

  assert {
    condition     = jsondecode(output.environments.process_message.POSTBUS_CLIENTS) == { client-id = { agents = ["HARBDEFF"], debtor_accounts = ["DE89370400440532013000"] } }
    error_message = "a client could debit another's accounts, or not its own"
  }

  assert {
    condition     = [for step, environment in output.environments : step if can(environment.POSTBUS_CLIENTS)] == ["process_message"]
    error_message = "accounts stand in the settings of a function that has no use for them"
  }
}

run "lets_a_client_without_lists_debit_nothing" {
  command = apply

  variables {
    clients = { operator = {} }
  }

  assert {
    condition     = output.environments.process_message.POSTBUS_CLIENTS == "{}"
    error_message = "what is left out would be all there is"
  }
}

run "keeps_what_clients_may_debit_within_a_functions_environment" {
  command = plan

  variables {
    clients = { operator = { debtor_accounts = [for number in range(120) : "DE8937040044053201${number + 1000}"] } }
  }

  expect_failures = [var.clients]
}

run "gives_a_whole_message_the_time_it_takes" {
  command = apply

  assert {
    condition     = module.process.visibility_seconds == 6 * 4 * 30 && module.receive.visibility_seconds == 6 * 30
    error_message = "a message in work would come again"
  }
}

run "tells_of_every_queue_and_function" {
  command = apply

  assert {
    condition     = keys(output.dead_letters) == ["decide", "process", "receive", "release", "time-out-messages"] && length(output.queue_names) == 4
    error_message = "dead letters that no operator would find"
  }

  assert {
    condition     = toset(keys(output.functions)) == toset(["serve-iso20022", "time-out-messages", "receive-message", "process-message", "decide-message", "release-message", "check-identity", "screen-parties", "check-fraud", "reserve-liquidity"])
    error_message = "a function that no dashboard shows"
  }
}

run "rings_when_what_was_to_be_taken_back_stays_with_another_ledger" {
  command = apply

  assert {
    condition     = aws_cloudwatch_log_metric_filter.being_sent[0].log_group_name == "/aws/lambda/test-postbus-decide-message" && aws_cloudwatch_log_metric_filter.being_sent[0].metric_transformation[0].value == "$.transfers_being_sent"
    error_message = "the figure would be looked for where it is not logged"
  }

  assert {
    condition     = [for alarm in aws_cloudwatch_metric_alarm.being_sent : [alarm.namespace, alarm.metric_name, alarm.threshold, alarm.statistic]] == [for filter in aws_cloudwatch_log_metric_filter.being_sent : [filter.metric_transformation[0].namespace, filter.metric_transformation[0].name, 0, "Sum"]]
    error_message = "the alarm would look at another metric than the one that is kept"
  }

  assert {
    condition     = contains(output.alarms, aws_cloudwatch_metric_alarm.being_sent[0].arn) && aws_cloudwatch_metric_alarm.being_sent[0].alarm_actions == toset([var.context.alarm_topic_arn])
    error_message = "nobody would hear of it"
  }
}
