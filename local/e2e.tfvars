# What the end-to-end tests need beside a target's own variables.

# A broker that is not there: nobody knows its port before the server of a test has started, which then says so.
mq_bridge = {
  broker = {
    host          = "localhost"
    port          = 9
    queue         = "payments"
    refused_queue = "payments.refused"
    routing_key   = "answers"
    secret_arn    = "arn:aws:secretsmanager:*:*:secret:postbus-broker-*"
  }
  agents          = ["*"]
  debtor_accounts = ["*"]
}
