# The bus all facts travel on, the archive they can be replayed from, and the queue for what a rule could not
# deliver.

locals {
  name = "${var.context.prefix}postbus"

  # Which sources each publisher may name.  Whoever decides also announces again what was decided before it, by
  # whichever step: so only the beginnings can be kept apart, and the sweeper not at all.
  outcomes = ["postbus.business_rules", "postbus.operations", "postbus.posting"]
  publishers = {
    admit  = ["postbus.inbound"]
    enrich = concat(["postbus.enrichment"], local.outcomes)
    decide = local.outcomes
    again  = concat(["postbus.inbound", "postbus.enrichment"], local.outcomes)
  }
}

module "dead_letters" {
  source  = "../dead_letters"
  context = var.context
  name    = "bus-dead-letters"
  senders = {
    "events.amazonaws.com" = [
      "${var.context.arns.events}:rule/${local.name}/*", # the rules of this bus and no other
      "${var.context.arns.events}:event-bus/${local.name}",
    ]
  }
}

resource "aws_cloudwatch_event_bus" "this" {
  name               = local.name
  description        = "Facts about payments: see events/README.md"
  kms_key_identifier = var.context.key_arn

  # Where an event goes that the bus itself could not encrypt or keep.
  dead_letter_config {
    arn = module.dead_letters.named_arn
  }
}

resource "aws_cloudwatch_event_archive" "this" {
  name             = local.name
  description      = "Every fact, once; replays are left out"
  event_source_arn = aws_cloudwatch_event_bus.this.arn
  event_pattern    = jsonencode(var.archive_pattern)
  retention_days   = var.archive_days
}
