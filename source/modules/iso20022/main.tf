# The path of an ISO 20022 message:
#
#   client ─▶ API ─▶ serve_iso20022 λ     ACCP: message to the incoming bucket
#     │
#     ▼
#   queue ─▶ receive_message λ            ACTC
#     │
#     ▼
#   queue ─▶ process_message λ            PDNG | ACSP | RJCT: validation, then the checks
#     │  ├─▶ check_identity λ, screen_parties λ, check_fraud λ, reserve_liquidity λ
#     ▼  └─▶ queue ─▶ decide_message λ    cancellations, acceptances, operators' decisions, what is overdue
#   credit_transfers                      the posting pipeline; its outcomes come back by the bus:
#     ┊
#   bus ─▶ queue ─▶ collect_outcomes λ    each transfer's end
#     │
#     ▼
#   queue ─▶ release_message λ            ACSC | PART | RJCT | CANC: answer to the outgoing bucket, topic
#
# Each step is one function behind its own FIFO queue, grouped by transaction; from the bus a standard queue, for
# a rule can set only one group for all.

module "store" {
  source        = "../iso20022_store"
  context       = var.context
  force_destroy = var.force_destroy
  keep_days     = var.message_days
}

locals {
  # What process asks about each transfer, in this order; a transfer that one refuses goes no further.
  checks = ["check_identity", "screen_parties", "check_fraud"]

  # Who may send which step: the next ones, or any for those who take up what got stuck.
  sends = {
    serve    = ["receive", "process", "decide", "release"]
    receive  = ["process", "decide", "release"]
    process  = ["decide", "release"]
    decide   = ["process", "release"]
    collect  = ["release"]
    release  = ["process", "decide"]
    time_out = ["receive", "process", "decide", "release"]
  }
  step_names = { for step in ["receive", "process", "decide", "release"] : step => "${var.context.prefix}postbus-${step}.fifo" }
  send_grants = {
    for sender, steps in local.sends : sender => [{
      sid        = "SendSteps"
      actions    = ["sqs:SendMessage"]
      resources  = [for step in steps : "${var.context.arns.sqs}:${local.step_names[step]}"]
      conditions = []
    }]
  }

  # A message is read as a tree of up to 35 times its length, twice where a cancellation is answered.
  reading_memory_mb = max(512, 256 + 40 * var.largest_message_mb)

  environments = {
    for sender, steps in local.sends : sender => merge(
      module.store.environment,
      {
        POSTBUS_BUS                   = var.bus.name
        POSTBUS_DEADLINE_SECONDS      = join(",", [for message, seconds in var.deadline_seconds : "${message}=${seconds}"])
        POSTBUS_LARGEST_MESSAGE_BYTES = tostring(var.largest_message_mb * 1024 * 1024)
        POSTBUS_STEP_QUEUE_URLS       = join(",", [for step in steps : "${step}=${var.context.sqs_url}/${local.step_names[step]}"])
      },
    )
  }
}

# nothing -> ACCP: what clients call.
module "api" {
  source               = "../iso20022_api"
  context              = var.context
  archive              = var.archives.iso20022
  clients              = var.clients
  token_minutes        = var.api.token_minutes
  throttle             = var.api.throttle
  method_throttles     = var.api.method_throttles
  usage_plan           = var.api.usage_plan
  custom_domain        = var.api.custom_domain
  web_acl_arn          = var.api.web_acl_arn
  access_logs          = var.api.access_logs
  account_log_role     = var.api.account_log_role
  reserved_concurrency = var.reserved_concurrency
  secret_recovery_days = var.secret_recovery_days
  dns_suffix           = var.dns_suffix
  fips_endpoints       = var.fips_endpoints
  environment          = local.environments.serve
  grants = concat(
    module.store.grants.advance, module.store.grants.incoming.read, module.store.grants.incoming.write,
    module.store.grants.outgoing.read, local.send_grants.serve,
    [{
      sid        = "LookAtQueues"
      actions    = ["sqs:GetQueueAttributes"]
      resources  = [for step in local.sends.serve : "${var.context.arns.sqs}:${local.step_names[step]}"]
      conditions = []
    }],
  )
}

# ACCP -> ACTC
module "receive" {
  source              = "../processor"
  context             = var.context
  name                = "receive"
  fifo                = true
  step                = "receive_message"
  memory_mb           = local.reading_memory_mb
  description         = "ACCP -> ACTC"
  archive             = var.archives.iso20022
  timeout_seconds     = var.timeout_seconds
  visibility_seconds  = var.visibility_seconds
  maximum_concurrency = var.maximum_concurrency
  environment         = local.environments.receive
  grants              = concat(module.store.grants.advance, module.store.grants.incoming.read, local.send_grants.receive)
}

# Asked by process, each with a role and a time limit of its own; one that does not answer has not said yes.
module "check" {
  source = "../function"
  for_each = {
    check_identity = {
      description = "a transfer -> whether both parties are who they should be"
      archive     = var.archives.iso20022
      environment = var.accounts.environment
      grants      = var.accounts.grants
    }
    screen_parties = {
      description = "a transfer -> which names are on the sanctions list"
      archive     = var.archives.screening
      environment = {
        POSTBUS_SANCTIONS_BUCKET    = module.sanctions.name
        POSTBUS_SANCTIONS_SAMPLE    = var.checks.sanctions_sample ? "on" : "off"
        POSTBUS_SANCTIONS_THRESHOLD = tostring(var.checks.sanctions_threshold)
      }
      grants = [
        { sid = "ReadSanctions", actions = ["s3:GetObject"], resources = ["${module.sanctions.arn}/*"], conditions = [] },
        # Without it a missing list answers 403, which cannot be told from a denied one.
        { sid = "ListSanctions", actions = ["s3:ListBucket"], resources = [module.sanctions.arn], conditions = [] },
      ]
    }
    check_fraud = {
      description = "a transfer -> whether it looks like fraud"
      archive     = var.archives.iso20022
      environment = merge(var.claims.environment, { POSTBUS_FRAUD_RULES = var.checks.fraud_rules })
      grants      = var.claims.grants.count
    }
    reserve_liquidity = {
      description = "a transfer -> its money set aside, or too little of it"
      archive     = var.archives.iso20022
      environment = merge(var.ledger.environment, var.accounts.environment)
      grants      = concat(var.ledger.grants.earmark, var.accounts.grants)
    }
  }
  context         = var.context
  name            = "${var.context.prefix}postbus-${replace(each.key, "_", "-")}"
  step            = each.key
  description     = each.value.description
  archive         = each.value.archive
  timeout_seconds = var.check_timeout_seconds
  environment     = each.value.environment
  grants          = each.value.grants
}

# The list the operator loads; every version of it stays.
module "sanctions" {
  source        = "../private_bucket"
  context       = var.context
  name          = "sanctions"
  force_destroy = var.force_destroy
}

# ACTC -> PDNG | ACSP | RJCT
module "process" {
  source              = "../processor"
  context             = var.context
  name                = "process"
  fifo                = true
  step                = "process_message"
  description         = "ACTC -> PDNG | ACSP | RJCT"
  archive             = var.archives.iso20022
  memory_mb           = 1769                    # a whole processor: parsing and validation are its work
  timeout_seconds     = 4 * var.timeout_seconds # ten messages, some of thousands of transfers
  visibility_seconds  = var.visibility_seconds == null ? null : 4 * var.visibility_seconds
  maximum_concurrency = var.maximum_concurrency
  environment = merge(
    local.environments.process, var.accounts.environment, var.claims.environment,
    {
      POSTBUS_CREDIT_TRANSFERS_TABLE = var.credit_transfers.table_name
      POSTBUS_CHECK_FUNCTIONS        = join(",", [for step in local.checks : module.check[step].name])
      POSTBUS_LIQUIDITY_FUNCTION     = var.reserves ? module.check["reserve_liquidity"].name : "none"
      POSTBUS_CHECK_TIMEOUT_SECONDS  = tostring(var.check_timeout_seconds)
      POSTBUS_AGREEMENT              = var.checks.agreement
      # Accounts of customers: not in what a plan prints.
      POSTBUS_CLIENTS = sensitive(jsonencode({ for name, client in var.clients : module.api.client_ids[name] => { agents = client.agents, debtor_accounts = client.debtor_accounts } if length(client.agents) + length(client.debtor_accounts) > 0 }))
    },
  )
  grants = concat(
    module.store.grants.advance, module.store.grants.incoming.read, module.store.grants.outgoing.write,
    local.send_grants.process,
    var.accounts.grants, var.claims.grants.claim, var.credit_transfers.grants,
    [for step, check in module.check : merge(one(check.grants.invoke), { sid = replace(title(replace(step, "_", " ")), " ", "") })],
  )
}

# PDNG | ACSP -> CANC | RJCT, or on: nothing ends before its transfers are voided in the pipeline's own outcomes.
module "decide" {
  source              = "../processor"
  context             = var.context
  name                = "decide"
  fifo                = true
  step                = "decide_message"
  memory_mb           = local.reading_memory_mb
  description         = "PDNG | ACSP -> CANC | RJCT | ACSP"
  archive             = var.archives.iso20022
  timeout_seconds     = var.timeout_seconds
  visibility_seconds  = var.visibility_seconds
  maximum_concurrency = var.maximum_concurrency
  environment         = merge(local.environments.decide, var.ledger.environment)
  grants = concat(
    module.store.grants.advance, module.store.grants.incoming.read, module.store.grants.outgoing.write,
    local.send_grants.decide, var.ledger.grants.decide, var.ledger.grants.mark_told, var.bus_grants.decide,
  )
}

# What became of each transfer in the pipeline.
module "collect" {
  source              = "../processor"
  context             = var.context
  bus                 = var.bus
  name                = "collect"
  step                = "collect_outcomes"
  description         = "TransactionPosted | TransactionRejected | TransactionPostingFailed | TransactionVoided | TransactionHeld -> a transfer's state"
  pattern             = var.pattern
  archive             = var.archives.iso20022
  timeout_seconds     = var.timeout_seconds
  visibility_seconds  = var.visibility_seconds
  maximum_concurrency = var.maximum_concurrency
  environment         = merge(local.environments.collect, var.ledger.environment)
  grants              = concat(module.store.grants.advance, local.send_grants.collect, var.ledger.grants.read)
}

# ACSP -> ACSC | PART | RJCT
module "release" {
  source              = "../processor"
  context             = var.context
  name                = "release"
  fifo                = true
  step                = "release_message"
  memory_mb           = local.reading_memory_mb
  description         = "ACSP -> ACSC | PART | RJCT"
  archive             = var.archives.iso20022
  timeout_seconds     = var.timeout_seconds
  visibility_seconds  = var.visibility_seconds
  maximum_concurrency = var.maximum_concurrency
  environment = merge(
    local.environments.release, var.accounts.environment, { POSTBUS_STATUSES_TOPIC_ARN = module.store.topic_arn },
  )
  grants = concat(
    var.accounts.grants, local.send_grants.release,
    module.store.grants.advance, module.store.grants.incoming.read,
    module.store.grants.outgoing.read, module.store.grants.outgoing.write, module.store.grants.notify,
  )
}

# Open for longer than its message may take: to be decided.
module "time_out" {
  source          = "../time_out"
  context         = var.context
  step            = "time_out_messages"
  description     = "what is overdue -> decide"
  definition_file = "${path.module}/../../../statemachines/time_out.asl.json"
  archive         = var.archives.iso20022
  environment     = local.environments.time_out
  grants          = concat(module.store.grants.overdue, module.store.grants.advance, local.send_grants.time_out)
}

# What was being sent to another ledger when it was to be taken back, as decide logs it.
resource "aws_cloudwatch_log_metric_filter" "being_sent" {
  count          = var.context.alarm_topic_arn == null ? 0 : 1
  name           = "being-sent"
  log_group_name = module.decide.log_group
  pattern        = "{ $.transfers_being_sent = * }"

  metric_transformation {
    namespace = var.context.environment.POSTBUS_METRICS_NAMESPACE
    name      = "TransfersBeingSent"
    value     = "$.transfers_being_sent"
    unit      = "Count"
  }
}

# Once is a race that the ledger's answer ends.  What stands still is decided again every ten minutes, so a second
# quarter of an hour says that the answer does not come.
resource "aws_cloudwatch_metric_alarm" "being_sent" {
  count               = var.context.alarm_topic_arn == null ? 0 : 1
  alarm_name          = "${var.context.prefix}postbus-being-sent"
  alarm_description   = "Transfers that were cancelled, rejected or overdue are still being sent to the posting system, and nothing but its answer ends them: is it away?"
  namespace           = var.context.environment.POSTBUS_METRICS_NAMESPACE
  metric_name         = "TransfersBeingSent"
  statistic           = "Sum"
  period              = 900
  evaluation_periods  = 2
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.context.alarm_topic_arn]
}
