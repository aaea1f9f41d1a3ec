output "table" {
  value = local.table_name
}

output "buckets" {
  description = "incoming and outgoing: the buckets' names."
  value       = { incoming = module.incoming.name, outgoing = module.outgoing.name }
}

output "topic_arn" {
  description = "Tells how each transaction ended."
  value       = local.topic_arn
  depends_on  = [aws_sns_topic.statuses]
}

output "environment" {
  description = "How a function finds it."
  value = {
    POSTBUS_ISO20022_TABLE  = local.table_name
    POSTBUS_INCOMING_BUCKET = module.incoming.name
    POSTBUS_OUTGOING_BUCKET = module.outgoing.name
  }
}

output "grants" {
  description = "read: a transaction with its history and transfers.  advance: that, and write its parts conditionally.  overdue: find the open ones, and those that the clock may end.  incoming, outgoing: read or write messages.  notify: tell how one ended."
  value = {
    read = [
      { sid = "ReadTransactions", actions = ["dynamodb:GetItem", "dynamodb:Query"], resources = [local.table_arn], conditions = [] },
    ]
    advance = [{
      sid        = "AdvanceTransactions"
      actions    = ["dynamodb:ConditionCheckItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"]
      resources  = [local.table_arn]
      conditions = []
    }]
    overdue = [
      { sid = "FindOverdue", actions = ["dynamodb:Query"], resources = ["${local.table_arn}/index/due", "${local.table_arn}/index/open"], conditions = [] },
    ]
    incoming = {
      read = [
        { sid = "ReadIncoming", actions = ["s3:GetObject"], resources = ["${module.incoming.arn}/*"], conditions = [] },
        # Without it a missing object answers 403, which cannot be told from a denied one.
        { sid = "ListIncoming", actions = ["s3:ListBucket"], resources = [module.incoming.arn], conditions = [] },
      ]
      write = [{ sid = "WriteIncoming", actions = ["s3:PutObject"], resources = ["${module.incoming.arn}/*"], conditions = [] }]
    }
    outgoing = {
      read = [
        { sid = "ReadOutgoing", actions = ["s3:GetObject"], resources = ["${module.outgoing.arn}/*"], conditions = [] },
        { sid = "ListOutgoing", actions = ["s3:ListBucket"], resources = [module.outgoing.arn], conditions = [] },
      ]
      write = [{ sid = "WriteOutgoing", actions = ["s3:PutObject"], resources = ["${module.outgoing.arn}/*"], conditions = [] }]
    }
    notify = [{ sid = "TellStatuses", actions = ["sns:Publish"], resources = [local.topic_arn], conditions = [] }]
  }
}
