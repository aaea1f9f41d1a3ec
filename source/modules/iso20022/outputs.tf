locals {
  steps = { receive = module.receive, process = module.process, decide = module.decide, release = module.release }
}

output "api" {
  description = "Where clients call, where they get their tokens, where their credentials are, and what a custom domain has to point to."
  value = {
    url                  = module.api.api_url
    token_url            = module.api.token_url
    client_secrets       = module.api.client_secrets
    custom_domain_target = module.api.custom_domain_target
  }
}

output "client_secret_arns" {
  description = "Client to the ARN of the secret with its credentials."
  value       = module.api.client_secret_arns
}

output "table" {
  value = module.store.table
}

output "buckets" {
  description = "incoming, outgoing, sanctions: the buckets' names."
  value       = merge(module.store.buckets, { sanctions = module.sanctions.name })
}

output "topic_arn" {
  description = "Tells how each transaction ended."
  value       = module.store.topic_arn
}

output "collect" {
  description = "The processor that takes outcomes off the bus."
  value       = module.collect
}

output "queues" {
  description = "Step to the URL of its queue."
  value       = { for name, step in local.steps : name => step.queue_url }
}

output "queue_names" {
  value = [for step in values(local.steps) : step.queue_name]
}

output "dead_letters" {
  description = "Step to the URL of its dead letters."
  value = merge(
    { for name, step in local.steps : name => step.dead_letter_url },
    { "time-out-messages" = module.time_out.dead_letter_url },
  )
}

output "functions" {
  description = "Step to the name of its function, without that of collect."
  value = merge(
    { "serve-iso20022" = module.api.function_name, "time-out-messages" = module.time_out.function_name },
    { for name, step in local.steps : "${name}-message" => step.function_name },
    { for name, check in module.check : replace(name, "_", "-") => check.name },
  )
}

output "policies" {
  description = "Step to what it may do, as written."
  value = merge(
    { serve_iso20022 = module.api.policy, collect_outcomes = module.collect.policy, time_out_messages = module.time_out.policy },
    { for name, step in local.steps : "${name}_message" => step.policy },
    { for name, check in module.check : name => check.policy },
  )
}

output "environments" {
  description = "Step to what it reads."
  sensitive   = true # that of process_message
  value = merge(
    { serve_iso20022 = module.api.environment, collect_outcomes = module.collect.environment, time_out_messages = module.time_out.environment },
    { for name, step in local.steps : "${name}_message" => step.environment },
    { for name, check in module.check : name => check.environment },
  )
}

output "log_groups" {
  value = concat(
    module.api.log_groups, module.time_out.log_groups,
    [for step in values(local.steps) : step.log_group], [for check in values(module.check) : check.log_group],
  )
}

output "alarms" {
  value = concat(
    module.api.alarms, module.collect.alarms, module.time_out.alarms, aws_cloudwatch_metric_alarm.being_sent[*].arn,
    flatten([for step in values(local.steps) : step.alarms]), flatten([for check in values(module.check) : check.alarms]),
  )
}
