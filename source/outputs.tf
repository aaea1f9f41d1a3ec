locals {
  sources = { visa = module.visa, credit_transfers = module.credit_transfers }
  pipes   = { for name, source in local.sources : name => source.pipe }

  processors = merge(
    { enrich = module.enrich, posting = module.posting.processor, timeline = module.timeline.record },
    length(module.audit.forward) == 0 ? {} : { audit = one(module.audit.forward) },
    { for front in module.iso20022 : "collect" => front.collect },
  )
  jobs = { sweep = module.timeline.sweep, "verify-ledger" = module.ledger.verify, reconcile = module.reconcile }

  tables = merge(
    { for name, source in local.sources : name => source.table_name },
    module.reference_data.tables,
    {
      ledger   = module.ledger.ledger_table
      balances = module.ledger.balances_table
      claims   = module.duplicates.table
      timeline = module.timeline.table
    },
    { for front in module.iso20022 : "iso20022" => front.table },
  )
  message_buckets = merge(module.iso20022[*].buckets...)

  rules = merge(
    { for processor in values(local.processors) : processor.rule_name => processor.rule_arn },
    { (module.business_rules.rule_name) = module.business_rules.rule_arn },
    { (module.notifications.rule.name) = module.notifications.rule.arn },
    { (module.audit.rule.name) = module.audit.rule.arn },
  )

  functions = merge(
    { "visa-mock" = module.mock_generator.function_name },
    { for name, source in local.sources : "deduplicate-${name}" => source.function_name },
    { "evaluate-rules" = module.evaluate_rules.name, "check-conversion" = module.check_conversion.name },
    { for processor in values(local.processors) : trimprefix(processor.function_name, "${var.name_prefix}postbus-") => processor.function_name },
    { for name, job in local.jobs : name => job.function_name },
    concat(module.iso20022[*].functions, module.mq_bridge[*].functions)...
  )

  dead_letters = merge(
    { for name, processor in local.processors : name => processor.dead_letter_url },
    { for name, source in local.sources : "pipe-${name}" => source.dead_letter_url },
    { for name, job in local.jobs : name => job.dead_letter_url },
    { bus = module.event_bus.dead_letter_url, "business-rules" = module.business_rules.dead_letter_url },
    concat(module.iso20022[*].dead_letters, module.mq_bridge[*].dead_letters)...
  )
  quarantines = { for name, source in local.sources : "quarantine-${name}" => source.quarantine_url }

  queue_names       = concat([for processor in values(local.processors) : processor.queue_name], flatten(concat(module.iso20022[*].queue_names, module.mq_bridge[*].queue_names)))
  dead_letter_names = [for url in concat(values(local.dead_letters), values(local.quarantines)) : element(split("/", url), 4)]

  log_groups = sort(concat(
    flatten([for source in values(local.sources) : source.log_groups]),
    [for processor in values(local.processors) : processor.log_group],
    [for job in values(local.jobs) : job.log_group],
    [
      module.evaluate_rules.log_group, module.check_conversion.log_group, module.business_rules.log_group,
      module.mock_generator.log_group, module.audit.log_group,
    ],
    flatten(concat(module.iso20022[*].log_groups, module.mq_bridge[*].log_groups)),
  ))

  # The timeline, the audit and the ISO 20022 front count their processor's alarms among their own.
  alarms = sort(distinct(concat(
    flatten([for part in concat(values(local.sources), values(local.processors)) : part.alarms]),
    module.event_bus.alarms, module.evaluate_rules.alarms, module.check_conversion.alarms,
    module.business_rules.alarms, module.ledger.alarms, module.timeline.alarms, module.audit.alarms,
    module.mock_generator.alarms, module.reconcile.alarms,
    flatten(concat(module.iso20022[*].alarms, module.mq_bridge[*].alarms)),
  )))

  # What `postbus` reads; the same object, but for the log groups, stands in the parameter store.
  deployment = {
    name_prefix  = var.name_prefix
    region       = var.region
    home_region  = local.home_region
    bus          = module.event_bus.bus.name
    bus_arn      = module.event_bus.bus.arn
    archive      = module.event_bus.archive.name
    archive_arn  = module.event_bus.archive.arn
    tables       = local.tables
    queues       = merge({ for name, processor in local.processors : name => processor.queue_url }, local.quarantines, concat(module.iso20022[*].queues, module.mq_bridge[*].queues)...)
    dead_letters = local.dead_letters
    functions    = local.functions
    buckets      = merge({ audit = module.audit.bucket, rulesets = module.rulesets.bucket }, local.message_buckets)
    workflow_arn = module.business_rules.arn
    rules        = local.rules
    log_groups   = local.log_groups
    topics = merge(
      { alarms = module.observability.alarm_topic_arn, outcomes = module.notifications.topic_arn },
      { for front in module.iso20022 : "statuses" => front.topic_arn },
    )
    iso20022                 = one(module.iso20022[*].api)
    ledger                   = var.ledger
    posting_shards           = var.posting_shards
    duplicate_window_seconds = var.duplicate_window_seconds
    metrics_namespace        = local.context.environment.POSTBUS_METRICS_NAMESPACE
  }
}

output "stream_arn" {
  description = "Stream of the visa table: what enters the pipeline."
  value       = module.visa.stream_arn
}

output "visa_table" {
  description = "Write approved card authorisations here."
  value       = module.visa.table_name
}

output "credit_transfers_table" {
  description = "Write approved transfers here."
  value       = module.credit_transfers.table_name
}

output "visa_mock" {
  description = "Invoke with {} for a sample of payments."
  value       = module.mock_generator.function_name
}

output "bus" {
  description = "The event bus."
  value       = module.event_bus.bus.name
}

output "archive" {
  description = "The archive that `postbus replay` replays."
  value       = module.event_bus.archive.name
}

output "workflow_arn" {
  description = "The business rules' state machine: its executions are worth watching."
  value       = module.business_rules.arn
}

output "audit_bucket" {
  description = "Every event, one per line."
  value       = module.audit.bucket
}

output "outcomes_topic" {
  description = "Subscribe to be told how payments end."
  value       = module.notifications.topic_arn
}

output "api_url" {
  description = "Where ISO 20022 messages go: what stands before /v1.  null without the API."
  value       = one(module.iso20022[*].api.url)
}

output "token_url" {
  description = "Where a client of the API gets its access token."
  value       = one(module.iso20022[*].api.token_url)
}

output "client_secrets" {
  description = "Client of the API to the secret with its credentials."
  value       = one(module.iso20022[*].api.client_secrets)
}

output "custom_domain_target" {
  description = "What the DNS record of the API's own name has to point to; null without one."
  value       = one(module.iso20022[*].api.custom_domain_target)
}

output "statuses_topic" {
  description = "Subscribe to be told how ISO 20022 messages end."
  value       = one(module.iso20022[*].topic_arn)
}

output "alarms_topic" {
  description = "Subscribe to be woken."
  value       = module.observability.alarm_topic_arn
}

output "dashboard" {
  description = "Name of the CloudWatch dashboard."
  value       = module.observability.dashboard
}

output "key_arn" {
  description = "The key that encrypts everything at rest."
  value       = module.encryption.key_arn
}

output "deployment" {
  description = "All names, as the postbus command reads them from the parameter store."
  value       = local.deployment
}

output "pipes" {
  description = "The full definition of every source's pipe, whether or not the target has pipes."
  value       = local.pipes
}

output "event_patterns" {
  description = "Every pattern by name: the JSON text and what it feeds."
  value = merge(
    { for name, processor in local.processors : name => processor.pattern },
    merge([for name, source in local.sources : { for number, pattern in source.patterns : "pipe-${name}-${number}" => pattern }]...),
    {
      "business-rules"  = module.business_rules.pattern
      "notify-outcomes" = module.notifications.pattern
      audit             = module.audit.pattern
      archive           = module.event_bus.archive_pattern
    },
  )
}
