# Writes made-up card authorisations into the visa table: invoke it with {}.

module "function" {
  source          = "../function"
  context         = var.context
  name            = "${var.context.prefix}visa-mock"
  description     = "{} -> approved, declined, duplicate and malformed records in the visa table"
  step            = "generate_visa"
  archive         = var.archive
  timeout_seconds = 900
  memory_mb       = 512
  environment     = { POSTBUS_INPUT_TABLE = var.table_name }
  grants          = var.grants
}
