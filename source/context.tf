# What all modules share.  ARNs and queue URLs are made from names, so that policies, grants and functions wait
# for no resource but the ones they use.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition

  arns = {
    for service in ["cloudtrail", "cloudwatch", "dynamodb", "events", "firehose", "lambda", "logs", "sns", "sqs", "states"] :
    service => "arn:${local.partition}:${service}:${var.region}:${local.account_id}"
  }

  context = {
    prefix                 = var.name_prefix
    partition              = local.partition
    account_id             = local.account_id
    region                 = var.region
    is_aws                 = var.target.is_aws
    arns                   = local.arns
    sqs_url                = "https://sqs.${var.region}.${data.aws_partition.current.dns_suffix}/${local.account_id}"
    key_arn                = module.encryption.key_arn
    key_grants             = module.encryption.grants.use
    key_grants_direct      = module.encryption.grants.use_directly
    alarm_topic_arn        = var.target.has_alarms ? "${local.arns.sns}:${var.name_prefix}postbus-alarms" : null
    log_retention_days     = var.log_retention_days
    log_level              = var.log_level
    architecture           = var.package_platform == "linux-x86_64" ? "x86_64" : "arm64"
    python_version         = local.python_version
    tracing                = var.tracing && var.target.has_tracing
    point_in_time_recovery = var.point_in_time_recovery
    protect_from_deletion  = var.protect_from_deletion
    target                 = var.target

    # What every function reads.
    environment = {
      POSTBUS_HOME_REGION       = local.home_region
      POSTBUS_METRICS_NAMESPACE = "${var.name_prefix}Postbus"
      POSTBUS_TRACING           = var.tracing && var.target.has_tracing ? "on" : "off"
      POWERTOOLS_LOG_LEVEL      = var.log_level
      AWS_USE_FIPS_ENDPOINT     = tostring(var.fips_endpoints)
    }
  }

  home_region = coalesce(var.home_region, var.region)

  # Which events go where: data beside the events' schemas, tested there against every example.
  routes = {
    for file in fileset("${path.root}/../events/routes", "*.json") :
    trimsuffix(file, ".json") => jsondecode(replace(file("${path.root}/../events/routes/${file}"), "$${home_region}", local.home_region))
  }

  python_version = "3.13"

  # None or one: its package, and the client as which it calls the API.
  mq_bridges = [for bridge in [{ package = "mq", client = "mq-bridge" }] : bridge if var.iso20022 && var.mq_bridge != null]

  on_the_bus = { POSTBUS_BUS = "${var.name_prefix}postbus" }
}
