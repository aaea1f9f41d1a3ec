# What MiniStack 1.5.33 lacks, and what makes a stack on one machine quick to make, watch and remove.

target = {
  is_aws                   = false
  has_pipes                = false # the local pipe runner executes the same definition
  has_rule_dead_letters    = false
  has_firehose_rule_target = false # a function carries the audit batches over
  has_execution_logs       = false
  has_tracing              = false
}

package_platform = "host"

# A batch whose function was killed comes back after this.
function_timeout_seconds = 20
queue_visibility_seconds = 30

# Two cores: as many at once as finish in time.
enrich_maximum_concurrency          = 2
posting_maximum_concurrency         = 2
timeline_maximum_concurrency        = 2
evaluate_rules_reserved_concurrency = 4
timeline_batching_window_seconds    = 0

sweep_every_minutes         = 1
sweep_after_seconds         = 60
verify_ledger_every_minutes = 1

archive_days          = 1
audit_days            = 1
audit_buffer          = { mb = 1, seconds = 60 }
log_retention_days    = 1
key_deletion_days     = 7
force_destroy_buckets = true
