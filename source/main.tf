# The path of a payment:
#
#   visa, credit_transfers      the input tables, one per source
#     │ stream
#     ▼
#   pipe ─▶ deduplicate λ       approved records only
#     │ TransactionAuthorized
#     ▼
#   bus ─▶ queue ─▶ enrich λ    account, merchant, facts
#     │ TransactionEnriched | TransactionRejected
#     ▼
#   bus ─▶ business_rules       Express workflow: evaluate_rules λ, check_conversion λ
#     │ TransactionPostingApproved | TransactionHeld | TransactionRejected
#     ▼
#   bus ─▶ queue ─▶ post λ      the ledger
#     │ TransactionPosted | TransactionPostingFailed
#     ▼
#   bus ─▶ archive, audit bucket, timeline, outcomes topic
#
# A payment may also come as an ISO 20022 message: it enters by credit_transfers, and is answered when it has ended.
# modules/iso20022/main.tf draws that path.
#
# Each block is one capability; the order is the payment's.

# Before anything: the key that encrypts it all, and the code that runs in it.
module "encryption" {
  source               = "./modules/encryption"
  prefix               = var.name_prefix
  partition            = local.partition
  account_id           = local.account_id
  region               = var.region
  deletion_window_days = var.key_deletion_days
}

module "packages" {
  source         = "./modules/packages"
  context        = local.context
  packages       = concat(["core", "rules", "mock"], var.iso20022 ? ["iso20022", "screening"] : [], local.mq_bridges[*].package)
  schema_dir     = var.iso20022_schema_dir
  platform       = var.package_platform
  python_version = local.python_version
  builder_python = var.builder_python
}

# What every step tells, and where it can be replayed from.
module "event_bus" {
  source          = "./modules/event_bus"
  context         = local.context
  archive_days    = var.archive_days
  archive_pattern = local.routes["archive"].pattern
}

# Who was first: claims on identities and business fingerprints.
module "duplicates" {
  source  = "./modules/duplicates"
  context = local.context
}

# nothing -> AUTHORIZED: card authorisations.
module "visa" {
  source                   = "./modules/inbound_source"
  context                  = local.context
  source_name              = "visa"
  key_attribute            = "auth"
  patterns                 = local.routes["inbound-pipe"].patterns
  bus                      = module.event_bus.bus
  bus_grants               = { publish = module.event_bus.grants.admit }
  environment              = module.duplicates.environment
  grants                   = module.duplicates.grants.claim
  archive                  = module.packages.archives["core"]
  duplicate_window_seconds = var.duplicate_window_seconds
  fingerprint_fields       = lookup(var.fingerprint_fields, "visa", [])
  parallelization_factor   = var.pipe_parallelization_factor
}

# nothing -> AUTHORIZED: account-to-account transfers.  Another source is one more such block, its name
# in local.sources of outputs.tf, and its module in SOURCES of domain/inbound.
module "credit_transfers" {
  source                   = "./modules/inbound_source"
  context                  = local.context
  source_name              = "credit_transfers"
  key_attribute            = "transfer"
  patterns                 = local.routes["inbound-pipe"].patterns
  bus                      = module.event_bus.bus
  bus_grants               = { publish = module.event_bus.grants.admit }
  environment              = module.duplicates.environment
  grants                   = module.duplicates.grants.claim
  archive                  = module.packages.archives["core"]
  duplicate_window_seconds = var.duplicate_window_seconds
  fingerprint_fields       = lookup(var.fingerprint_fields, "credit_transfers", [])
  parallelization_factor   = var.pipe_parallelization_factor
}

# Accounts, merchants and rates.
module "reference_data" {
  source  = "./modules/reference_data"
  context = local.context
}

# The outcome of every transaction, the balances, and the sum of it all.
module "ledger" {
  source               = "./modules/ledger"
  context              = local.context
  shards               = var.posting_shards
  archive              = module.packages.archives["core"]
  verify_every_minutes = var.verify_ledger_every_minutes
}

# AUTHORIZED -> ENRICHED | REJECTED
module "enrich" {
  source              = "./modules/processor"
  context             = local.context
  bus                 = module.event_bus.bus
  name                = "enrich"
  description         = "TransactionAuthorized -> TransactionEnriched | TransactionRejected"
  step                = "enrich"
  pattern             = local.routes["enrich"].pattern
  archive             = module.packages.archives["core"]
  timeout_seconds     = var.function_timeout_seconds
  visibility_seconds  = var.queue_visibility_seconds
  maximum_concurrency = var.enrich_maximum_concurrency
  environment = merge(
    module.duplicates.environment, module.ledger.environment,
    module.reference_data.environment.accounts, module.reference_data.environment.merchants,
  )
  grants = concat(
    module.event_bus.grants.enrich, module.duplicates.grants.count, module.ledger.grants.decide,
    module.reference_data.grants.accounts, module.reference_data.grants.merchants,
  )
}

# ENRICHED -> APPROVED | HELD | REJECTED: published decision tables, sequenced by a workflow.
module "rulesets" {
  source        = "./modules/rulesets"
  context       = local.context
  force_destroy = var.force_destroy_buckets
}

module "evaluate_rules" {
  source               = "./modules/function"
  context              = local.context
  name                 = "${var.name_prefix}postbus-evaluate-rules"
  description          = "an enriched payment -> what the decision tables find, as finished events"
  step                 = "evaluate_rules"
  archive              = module.packages.archives["rules"]
  reserved_concurrency = var.business_rules_reserved_concurrency
  environment          = merge(local.on_the_bus, module.rulesets.environment, module.ledger.environment)
  grants               = concat(module.rulesets.grants.read, module.ledger.grants.decide)
}

module "check_conversion" {
  source               = "./modules/function"
  context              = local.context
  name                 = "${var.name_prefix}postbus-check-conversion"
  description          = "a foreign payment -> whether its conversion is within tolerance"
  step                 = "check_conversion"
  archive              = module.packages.archives["core"]
  reserved_concurrency = var.business_rules_reserved_concurrency
  environment          = module.reference_data.environment.rates
  grants               = module.reference_data.grants.rates
}

module "business_rules" {
  source          = "./modules/workflow"
  context         = local.context
  bus             = module.event_bus.bus
  name            = "business-rules"
  description     = "TransactionEnriched -> TransactionPostingApproved | TransactionHeld | TransactionRejected"
  pattern         = local.routes["business-rules"].pattern
  definition_file = "${path.root}/../statemachines/business_rules.asl.json"
  substitutions = {
    evaluate_rules_arn   = module.evaluate_rules.arn
    check_conversion_arn = module.check_conversion.arn
  }
  grants = concat(
    [for grant in module.evaluate_rules.grants.invoke : merge(grant, { sid = "EvaluateRules" })],
    [for grant in module.check_conversion.grants.invoke : merge(grant, { sid = "CheckConversion" })],
    module.event_bus.grants.decide,
  )
}

# APPROVED | RELEASED -> POSTED | FAILED
module "posting" {
  source              = "./modules/posting"
  context             = local.context
  bus                 = module.event_bus.bus
  pattern             = local.routes["posting"].pattern
  archive             = module.packages.archives["core"]
  ledger              = var.ledger
  http_ledger         = var.http_ledger
  retry_hours         = var.posting_retry_hours
  maximum_concurrency = var.posting_maximum_concurrency
  timeout_seconds     = var.function_timeout_seconds
  visibility_seconds  = var.queue_visibility_seconds
  environment         = module.ledger.environment
  grants              = concat(module.event_bus.grants.decide, module.ledger.grants.post)
}

# ACCP -> ACSC | PART | RJCT | CANC: ISO 20022 messages by an API, their payments by the path above.
module "iso20022" {
  source           = "./modules/iso20022"
  count            = var.iso20022 ? 1 : 0
  context          = local.context
  archives         = { iso20022 = module.packages.archives["iso20022"], screening = module.packages.archives["screening"] }
  bus              = module.event_bus.bus
  bus_grants       = { decide = module.event_bus.grants.decide }
  pattern          = local.routes["collect"].pattern
  accounts         = { environment = module.reference_data.environment.accounts, grants = concat(module.reference_data.grants.accounts, module.reference_data.find_account_grants) }
  claims           = { environment = module.duplicates.environment, grants = module.duplicates.grants }
  ledger           = { environment = module.ledger.environment, grants = module.ledger.grants }
  reserves         = var.ledger == "dynamodb"
  credit_transfers = { table_name = module.credit_transfers.table_name, grants = module.credit_transfers.grants.submit }

  clients               = merge(var.iso20022_clients, { for bridge in local.mq_bridges : bridge.client => { scopes = ["read", "write"], agents = var.mq_bridge.agents, debtor_accounts = var.mq_bridge.debtor_accounts } })
  api                   = var.iso20022_api
  reserved_concurrency  = var.iso20022_reserved_concurrency
  deadline_seconds      = var.iso20022_deadline_seconds
  largest_message_mb    = var.iso20022_largest_message_mb
  message_days          = var.iso20022_message_days
  checks                = var.iso20022_checks
  check_timeout_seconds = var.iso20022_check_timeout_seconds
  maximum_concurrency   = var.iso20022_maximum_concurrency
  timeout_seconds       = var.function_timeout_seconds
  visibility_seconds    = var.queue_visibility_seconds
  force_destroy         = var.force_destroy_buckets
  secret_recovery_days  = var.secret_recovery_days
  dns_suffix            = data.aws_partition.current.dns_suffix
  fips_endpoints        = var.fips_endpoints
}

# The same from and to a customer's message broker.
module "mq_bridge" {
  source               = "./modules/mq_bridge"
  count                = length(local.mq_bridges)
  context              = local.context
  archive              = module.packages.archives["mq"]
  api                  = { url = module.iso20022[0].api.url, secret_arn = module.iso20022[0].client_secret_arns[local.mq_bridges[0].client] }
  broker               = var.mq_bridge.broker
  secret_key_arns      = concat([local.context.key_arn], var.mq_bridge.secret_key_arns)
  topic_arn            = module.iso20022[0].topic_arn
  network              = var.mq_bridge.network
  reserved_concurrency = var.mq_bridge.reserved_concurrency
}

# Every state: what happened when, and what got stuck.
module "timeline" {
  source                  = "./modules/timeline"
  context                 = local.context
  bus                     = module.event_bus.bus
  pattern                 = local.routes["timeline"].pattern
  archive                 = module.packages.archives["core"]
  batch_size              = var.timeline_batch_size
  batching_window_seconds = var.timeline_batching_window_seconds
  maximum_concurrency     = var.timeline_maximum_concurrency
  reserved_concurrency    = var.recording_reserved_concurrency
  timeout_seconds         = var.function_timeout_seconds
  visibility_seconds      = var.queue_visibility_seconds
  sweep_every_minutes     = var.sweep_every_minutes
  sweep_after_seconds     = var.sweep_after_seconds
  alarm_open_seconds      = var.alarm_open_seconds
  alarm_held_hours        = var.alarm_held_hours
  sweep_environment       = merge(local.on_the_bus, module.ledger.environment)
  sweep_grants            = concat(module.event_bus.grants.again, module.ledger.grants.attend)
}

# What was approved and left no trace: counted by the day, brought in by `postbus reconcile`.
module "reconcile" {
  source         = "./modules/reconcile"
  context        = local.context
  archive        = module.packages.archives["core"]
  every_hours    = var.reconcile_every_hours
  input_tables   = { for name, source in local.sources : name => source.table_name }
  ledger_table   = module.ledger.ledger_table
  timeline_table = module.timeline.table
}

# Every state: kept for the auditors.
module "audit" {
  source               = "./modules/audit"
  context              = local.context
  bus                  = module.event_bus.bus
  pattern              = local.routes["audit"].pattern
  archive              = module.packages.archives["core"]
  force_destroy        = var.force_destroy_buckets
  keep_days            = var.audit_days
  object_lock_days     = var.audit_object_lock_days
  buffer_mb            = var.audit_buffer.mb
  buffer_seconds       = var.audit_buffer.seconds
  data_event_trail     = var.data_event_trail
  trail_table_arns     = [for table in values(local.tables) : "${local.arns.dynamodb}:table/${table}"]
  trail_bucket_arns    = concat([module.packages.bucket_arn, module.rulesets.bucket_arn], [for bucket in values(local.message_buckets) : "arn:${local.partition}:s3:::${bucket}"])
  timeout_seconds      = var.function_timeout_seconds
  visibility_seconds   = var.queue_visibility_seconds
  reserved_concurrency = var.recording_reserved_concurrency
}

# HELD, POSTED, FAILED, REJECTED, VOIDED: told to whoever subscribes.
module "notifications" {
  source  = "./modules/notifications"
  context = local.context
  bus     = module.event_bus.bus
  pattern = local.routes["notify-outcomes"].pattern
}

# Made-up payments to try it with.
module "mock_generator" {
  source     = "./modules/mock_generator"
  context    = local.context
  archive    = module.packages.archives["mock"]
  table_name = module.visa.table_name
  grants     = module.visa.grants.write
}

# What someone on duty looks at.
module "observability" {
  source            = "./modules/observability"
  context           = local.context
  metrics_namespace = local.context.environment.POSTBUS_METRICS_NAMESPACE
  tracing_share     = var.tracing_share
  alarms            = local.alarms
  queues            = local.queue_names
  dead_letters      = local.dead_letter_names
  pipes             = [for pipe in values(local.pipes) : pipe.name]
  rules             = keys(local.rules)
  functions         = values(local.functions)
  workflow_arn      = module.business_rules.arn
}

# All names that the operator's command needs, where it finds them; it reads no logs.
module "deployment" {
  source = "./modules/deployment"
  prefix = var.name_prefix
  names  = { for name, value in local.deployment : name => value if name != "log_groups" }
}
