# Books approved payments: a queue that can outwait its ledger for days, a function that takes batches and never
# runs more at once than the ledger bears, and whatever the chosen ledger needs.

locals {
  # The key of a secret opens secrets for this function, and nothing else.  An emulator does not know the condition.
  through_secrets_manager = [
    for condition in [{ test = "StringEquals", variable = "kms:ViaService", values = ["secretsmanager.${var.context.region}.amazonaws.com"] }] :
    condition if var.context.is_aws
  ]
}

module "processor" {
  source              = "../processor"
  context             = var.context
  bus                 = var.bus
  name                = "posting"
  description         = "TransactionPostingApproved -> TransactionPosted | TransactionPostingFailed"
  step                = "post"
  pattern             = var.pattern
  archive             = var.archive
  timeout_seconds     = var.timeout_seconds
  visibility_seconds  = var.visibility_seconds
  maximum_concurrency = var.maximum_concurrency

  environment = merge(var.environment, {
    POSTBUS_LEDGER      = var.ledger
    POSTBUS_RETRY_HOURS = tostring(var.retry_hours)
    }, var.ledger == "http" ? {
    POSTBUS_HTTP_LEDGER_URL       = try(var.http_ledger.url, "")
    POSTBUS_HTTP_LEDGER_SECRET_ID = try(var.http_ledger.secret_arn, "")
  } : {})

  grants = concat(var.grants, var.ledger == "http" ? concat(
    [{ sid = "ReadCredentials", actions = ["secretsmanager:GetSecretValue"], resources = [try(var.http_ledger.secret_arn, "")], conditions = [] }],
    try(var.http_ledger.key_arn, null) == null ? [] : [{ sid = "UseCredentialsKey", actions = ["kms:Decrypt"], resources = [var.http_ledger.key_arn], conditions = local.through_secrets_manager }],
  ) : [])
}
