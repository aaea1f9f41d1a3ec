# The stack on MiniStack: everything on, except what the emulator lacks, and small enough for two cores.

target = {
  is_aws                   = false
  has_pipes                = false # local/pipe_runner.py runs the very definition instead
  has_rule_dead_letters    = false
  has_firehose_rule_target = false
  has_execution_logs       = false
  has_tracing              = false
  has_alarms               = false # tells back only half of one, so that every plan would change it
}
package_platform = "host"

# As many workers as two cores bear: more only wait for each other.  Where all that may run at once do, a queue's
# next batch is turned away, and comes again when its messages are visible.
pipe_parallelization_factor         = 2
enrich_maximum_concurrency          = 2
business_rules_reserved_concurrency = 4
posting_maximum_concurrency         = 2
timeline_maximum_concurrency        = 2
iso20022_maximum_concurrency        = 2
iso20022_reserved_concurrency       = null

# What only records is never in a hurry: while one batch is in work the next one fills, to the ten it may have.
recording_reserved_concurrency = 1

# A killed worker's messages come back after this.
function_timeout_seconds = 20
queue_visibility_seconds = 30

# So that a person sees the sweeper at work; a burst takes less, and is not sent twice.
sweep_every_minutes = 1
sweep_after_seconds = 120

# So that a run ends with what it did in the audit bucket, and destroy leaves nothing.
audit_buffer          = { mb = 1, seconds = 5 }
force_destroy_buckets = true
key_deletion_days     = 7
secret_recovery_days  = 0

# Two, so that one can be seen not to see the other's, and one that may only read; all accounts are made up.
iso20022_clients = {
  operator = { agents = ["*"], debtor_accounts = ["*"] }
  other    = { agents = ["*"], debtor_accounts = ["*"] }
  reader   = { scopes = ["read"] }
}

# A bucket's lifecycle takes the provider 55 s to settle, longer than anything else here.
iso20022_message_days = null

# The sample's own bank, and its made-up sanctions list.
iso20022_checks = { agreement = "{\"own_agents\": [\"PSTBDEFF\"]}", sanctions_sample = true }
