# The stack on LocalStack 4.14.0, community edition: no Pipes, no X-Ray, no Cognito and so no ISO 20022 API; functions
# run in containers.

target = {
  is_aws                   = false
  has_pipes                = false # local/pipe_runner.py runs the very definition instead
  has_rule_dead_letters    = true
  has_firehose_rule_target = false
  has_execution_logs       = false
  has_tracing              = false
}
iso20022         = false
package_platform = "linux-x86_64"

enrich_maximum_concurrency          = 2
business_rules_reserved_concurrency = 4
posting_maximum_concurrency         = 2
timeline_maximum_concurrency        = 2
function_timeout_seconds            = 20
queue_visibility_seconds            = 30
sweep_every_minutes                 = 1
sweep_after_seconds                 = 20
audit_buffer                        = { mb = 1, seconds = 5 }
force_destroy_buckets               = true
key_deletion_days                   = 7
