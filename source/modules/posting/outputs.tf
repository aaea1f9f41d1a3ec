output "processor" {
  description = "Names of the queue, rule and function."
  value       = module.processor

  precondition {
    condition     = var.ledger != "http" || var.http_ledger != null
    error_message = "ledger = \"http\" needs http_ledger: the posting system's url and the secret_arn of its credentials."
  }

  precondition {
    condition     = var.ledger != "http" || !var.context.is_aws || can(regex("^https://", var.http_ledger.url))
    error_message = "http_ledger.url: begins with https://, for credentials and payments travel to it."
  }
}
