# The stack on LocalStack with a licence: Pipes and X-Ray (Ultimate tier) of its own.

target = {
  is_aws                   = false
  has_pipes                = true
  has_rule_dead_letters    = true
  has_firehose_rule_target = true
  has_execution_logs       = true
  has_tracing              = true
}
package_platform = "linux-x86_64"

enrich_maximum_concurrency          = 2
business_rules_reserved_concurrency = 4
posting_maximum_concurrency         = 2
timeline_maximum_concurrency        = 2
iso20022_maximum_concurrency        = 2
function_timeout_seconds            = 20
queue_visibility_seconds            = 30
sweep_every_minutes                 = 1
sweep_after_seconds                 = 20
audit_buffer                        = { mb = 1, seconds = 5 }
force_destroy_buckets               = true
key_deletion_days                   = 7
secret_recovery_days                = 0
