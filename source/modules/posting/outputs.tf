output "processor" {
  description = "Names of the queue, rule and function."
  value       = module.processor

  precondition {
    condition     = var.ledger != "http" || var.http_ledger != null
    error_message = "ledger = \"http\" needs http_ledger: the posting system's url and the secret_arn of its credentials."
  }
}

output "alarms" {
  value = module.processor.alarms
}
