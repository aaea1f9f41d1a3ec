output "tables" {
  description = "accounts, merchants and rates: the tables' names."
  value       = local.names
}

output "environment" {
  description = "How a function finds each table."
  value = {
    accounts  = { POSTBUS_ACCOUNTS_TABLE = local.names.accounts }
    merchants = { POSTBUS_MERCHANTS_TABLE = local.names.merchants }
    rates     = { POSTBUS_RATES_TABLE = local.names.rates }
  }
}

output "grants" {
  description = "accounts, merchants, rates: look records up by key."
  value = {
    for table, name in local.names : table => [{
      sid        = "Read${title(table)}"
      actions    = ["dynamodb:BatchGetItem"]
      resources  = ["${var.context.arns.dynamodb}:table/${name}"]
      conditions = []
    }]
  }
}

output "find_account_grants" {
  description = "Find accounts by IBAN, other identification or agent."
  value = [{
    sid        = "FindAccounts"
    actions    = ["dynamodb:Query"]
    resources  = [for index in local.indexes.accounts : "${var.context.arns.dynamodb}:table/${local.names.accounts}/index/${index}"]
    conditions = []
  }]
}
