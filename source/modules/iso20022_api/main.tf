# The API that payment operators call: token -> regional REST API -> one function for all routes.
#
# The contract is docs/iso20022.openapi.yaml; the routes below are held against it.  A client has its own
# credentials; scopes say whether it may read or write, the function lets it see only what is its own.

locals {
  name          = "${var.context.prefix}postbus-iso20022"
  stage         = "live"
  function_name = "${var.context.prefix}postbus-serve-iso20022"
  scopes        = { read = "postbus/read", write = "postbus/write" }

  # Method and path; reading and writing are told apart by the method.
  routes = toset(concat([
    "POST v1/transactions",
    "GET v1/transactions/{transaction_id}",
    "POST v1/transactions/{transaction_id}/cancellation",
    "POST v1/transactions/{transaction_id}/acceptance",
    "POST v1/transactions/{transaction_id}/rejection",
    "POST v1/transactions/{transaction_id}/redrive",
    "POST v1/incoming",
    "GET v1/outgoing",
    "GET v1/health/deep",
  ], local.open_routes))
  open_routes = ["GET v1/health"] # whether anyone answers: no token, no data

  methods = {
    for route in local.routes : route => {
      method = split(" ", route)[0]
      path   = split(" ", route)[1]
      scope  = contains(local.open_routes, route) ? null : split(" ", route)[0] == "GET" ? local.scopes.read : local.scopes.write
    }
  }

  # Every folder of every path: by depth, for a resource needs its parent's id.
  segments = [for method in values(local.methods) : split("/", method.path)]
  folders = {
    for depth in [1, 2, 3, 4] : depth => toset([for path in local.segments : join("/", slice(path, 0, depth)) if length(path) >= depth])
  }
  resource_ids = merge([
    for level in [aws_api_gateway_resource.first, aws_api_gateway_resource.second, aws_api_gateway_resource.third, aws_api_gateway_resource.fourth] :
    { for path, resource in level : path => resource.id }
  ]...)

  # What the gateway itself answers, as RFC 9457 problem documents; the status of the last two varies.
  problems = {
    UNAUTHORIZED                   = { status = 401, title = "Unauthorized", detail = "A valid access token with the scope this call needs is missing.", headers = { "WWW-Authenticate" = "Bearer" } }
    EXPIRED_TOKEN                  = { status = 401, title = "Unauthorized", detail = "The access token has expired.", headers = { "WWW-Authenticate" = "Bearer error=\"invalid_token\"" } }
    ACCESS_DENIED                  = { status = 403, title = "Forbidden", detail = "This call is not allowed." }
    INVALID_API_KEY                = { status = 403, title = "Forbidden", detail = "The API key is missing or unknown." }
    WAF_FILTERED                   = { status = 403, title = "Forbidden", detail = "The request was refused by the web application firewall." }
    MISSING_AUTHENTICATION_TOKEN   = { status = 404, title = "Not Found", detail = "There is no such path or method." }
    RESOURCE_NOT_FOUND             = { status = 404, title = "Not Found", detail = "There is no such path." }
    REQUEST_TOO_LARGE              = { status = 413, title = "Content Too Large", detail = "The body is larger than the API takes." }
    UNSUPPORTED_MEDIA_TYPE         = { status = 415, title = "Unsupported Media Type", detail = "The body has another media type than this call takes." }
    THROTTLED                      = { status = 429, title = "Too Many Requests", detail = "Call again later.", headers = { "Retry-After" = "1" } }
    QUOTA_EXCEEDED                 = { status = 429, title = "Too Many Requests", detail = "The quota of this API key is used up." }
    INTEGRATION_TIMEOUT            = { status = 504, title = "Gateway Timeout", detail = "No answer in time; sent again, the same call does nothing twice." }
    INTEGRATION_FAILURE            = { status = 502, title = "Bad Gateway", detail = "No answer could be made; sent again, the same call does nothing twice." }
    AUTHORIZER_FAILURE             = { status = 503, title = "Service Unavailable", detail = "The access token could not be checked." }
    AUTHORIZER_CONFIGURATION_ERROR = { status = 503, title = "Service Unavailable", detail = "The access token could not be checked." }
    DEFAULT_4XX                    = { status = null, title = "Bad Request", detail = "The request was refused." }
    DEFAULT_5XX                    = { status = null, title = "Internal Server Error", detail = "The request failed; sent again, the same call does nothing twice." }
  }

  token_host = "${local.domain}.auth${var.fips_endpoints ? "-fips" : ""}.${var.context.region}.amazoncognito.com"
  domain     = "${var.context.prefix}postbus-${var.context.account_id}"

  # An emulator has no host names of its own: these paths stand behind its endpoint.
  urls = {
    api = (
      !var.context.is_aws ? "/_aws/execute-api/${aws_api_gateway_rest_api.this.id}/${local.stage}" :
      var.custom_domain != null ? "https://${var.custom_domain.name}" :
      "https://${aws_api_gateway_rest_api.this.id}.execute-api.${var.context.region}.${var.dns_suffix}/${local.stage}"
    )
    token = var.context.is_aws ? "https://${local.token_host}/oauth2/token" : "/oauth2/token"
  }
}

# --- who may call -----------------------------------------------------------------------------------------

# Machines only: nobody can sign up, and no client offers a way to sign in.
resource "aws_cognito_user_pool" "this" {
  name                = local.name
  deletion_protection = var.context.protect_from_deletion ? "ACTIVE" : "INACTIVE"

  admin_create_user_config {
    allow_admin_create_user_only = true
  }
}

resource "aws_cognito_user_pool_domain" "this" {
  domain       = local.domain
  user_pool_id = aws_cognito_user_pool.this.id
}

resource "aws_cognito_resource_server" "this" {
  identifier   = "postbus"
  name         = "Postbus"
  user_pool_id = aws_cognito_user_pool.this.id

  scope {
    scope_name        = "read"
    scope_description = "Ask for statuses and outgoing messages"
  }

  scope {
    scope_name        = "write"
    scope_description = "Send messages, cancel, decide, redrive"
  }
}

resource "aws_cognito_user_pool_client" "this" {
  for_each = var.clients

  name                                 = each.key
  user_pool_id                         = aws_cognito_user_pool.this.id
  generate_secret                      = true
  allowed_oauth_flows_user_pool_client = true
  allowed_oauth_flows                  = ["client_credentials"]
  allowed_oauth_scopes                 = [for scope in each.value.scopes : local.scopes[scope]]
  supported_identity_providers         = ["COGNITO"]
  prevent_user_existence_errors        = "ENABLED"
  enable_token_revocation              = true
  access_token_validity                = var.token_minutes

  token_validity_units {
    access_token = "minutes"
  }

  depends_on = [aws_cognito_resource_server.this]
}

resource "aws_secretsmanager_secret" "client" {
  for_each = var.clients

  #checkov:skip=CKV2_AWS_57:Cognito keeps one secret per client; a new one is a new client, made beside the old one
  name                    = "${local.name}-client-${each.key}"
  description             = "OAuth 2.0 client credentials of ${each.key}"
  kms_key_id              = var.context.key_arn
  recovery_window_in_days = var.secret_recovery_days
}

resource "aws_secretsmanager_secret_version" "client" {
  for_each = var.clients

  secret_id = aws_secretsmanager_secret.client[each.key].id
  secret_string = jsonencode(merge(
    {
      client_id     = aws_cognito_user_pool_client.this[each.key].id
      client_secret = aws_cognito_user_pool_client.this[each.key].client_secret
      scope         = join(" ", [for scope in each.value.scopes : local.scopes[scope]])
      token_url     = local.urls.token
      api_url       = local.urls.api
    },
    var.usage_plan == null ? {} : { api_key = aws_api_gateway_api_key.client[each.key].value },
  ))
}

# --- what they call ---------------------------------------------------------------------------------------

# A body of up to 4 MiB: as text for the function it grows by a third, and a call may carry 6 MB.  The gateway
# itself takes 10 MB; what lies between the two, the function never sees, and the caller gets a problem document.
#
# The default endpoint of a regional API also accepts TLS 1.0.  A custom domain asks for 1.2 or newer, and then
# the default endpoint is switched off.
resource "aws_api_gateway_rest_api" "this" {
  name                         = local.name
  description                  = "ISO 20022 messages in, statuses and answers out"
  disable_execute_api_endpoint = var.custom_domain != null

  # Bytes as they came: a message is hashed, and read by its own declaration of its encoding.
  binary_media_types = ["*/*"]

  endpoint_configuration {
    types = ["REGIONAL"]
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_api_gateway_authorizer" "this" {
  name            = "tokens"
  type            = "COGNITO_USER_POOLS"
  rest_api_id     = aws_api_gateway_rest_api.this.id
  provider_arns   = [aws_cognito_user_pool.this.arn]
  identity_source = "method.request.header.Authorization"
}

resource "aws_api_gateway_resource" "first" {
  for_each    = local.folders[1]
  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_rest_api.this.root_resource_id
  path_part   = each.value
}

resource "aws_api_gateway_resource" "second" {
  for_each    = local.folders[2]
  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_resource.first[dirname(each.value)].id
  path_part   = basename(each.value)
}

resource "aws_api_gateway_resource" "third" {
  for_each    = local.folders[3]
  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_resource.second[dirname(each.value)].id
  path_part   = basename(each.value)
}

resource "aws_api_gateway_resource" "fourth" {
  for_each    = local.folders[4]
  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_resource.third[dirname(each.value)].id
  path_part   = basename(each.value)
}

resource "aws_api_gateway_method" "this" {
  for_each = local.methods

  #checkov:skip=CKV2_AWS_53:bodies are ISO 20022 messages: the function checks them, and says in a problem document what is wrong
  #checkov:skip=CKV_AWS_59:only the health check is open, which tells nothing
  rest_api_id          = aws_api_gateway_rest_api.this.id
  resource_id          = local.resource_ids[each.value.path]
  http_method          = each.value.method
  authorization        = each.value.scope == null ? "NONE" : "COGNITO_USER_POOLS"
  authorizer_id        = each.value.scope == null ? null : aws_api_gateway_authorizer.this.id
  authorization_scopes = each.value.scope == null ? null : [each.value.scope]
  api_key_required     = each.value.scope != null && var.usage_plan != null
}

resource "aws_api_gateway_integration" "this" {
  for_each = local.methods

  rest_api_id             = aws_api_gateway_rest_api.this.id
  resource_id             = aws_api_gateway_method.this[each.key].resource_id
  http_method             = aws_api_gateway_method.this[each.key].http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = "arn:${var.context.partition}:apigateway:${var.context.region}:lambda:path/2015-03-31/functions/${module.function.arn}/invocations"
}

resource "aws_api_gateway_gateway_response" "this" {
  for_each = local.problems

  rest_api_id   = aws_api_gateway_rest_api.this.id
  response_type = each.key
  status_code   = each.value.status
  response_parameters = {
    for header, value in merge({ "Content-Type" = "application/problem+json" }, lookup(each.value, "headers", {})) :
    "gatewayresponse.header.${header}" => "'${value}'"
  }
  response_templates = {
    "application/json" = jsonencode(merge(
      { type = "about:blank", title = each.value.title, detail = each.value.detail, instance = "urn:request:$context.requestId" },
      each.value.status == null ? {} : { status = each.value.status },
    ))
  }
}

resource "aws_api_gateway_deployment" "this" {
  rest_api_id = aws_api_gateway_rest_api.this.id

  # Whatever of the above is changed is not in force before it is deployed again.
  triggers = {
    content = sha256(jsonencode([local.methods, local.problems, module.function.arn, var.usage_plan != null, var.custom_domain != null, aws_api_gateway_authorizer.this.id, aws_api_gateway_rest_api.this.binary_media_types]))
  }

  depends_on = [aws_api_gateway_method.this, aws_api_gateway_integration.this, aws_api_gateway_gateway_response.this]

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_api_gateway_stage" "this" {
  #checkov:skip=CKV_AWS_120:every answer is the newest one there is: nothing may be cached
  #checkov:skip=CKV2_AWS_51:clients show certificates where a custom domain with a truststore is set
  #checkov:skip=CKV2_AWS_29:web_acl_arn associates the owner's own firewall
  #checkov:skip=CKV2_AWS_77:what the firewall holds is its owner's choice
  #checkov:skip=CKV2_AWS_4:execution logs hold bodies and headers; access logs say what happened
  #checkov:skip=CKV_AWS_76:it is, in the dynamic block below, which checkov does not read
  rest_api_id          = aws_api_gateway_rest_api.this.id
  stage_name           = local.stage
  deployment_id        = aws_api_gateway_deployment.this.id
  xray_tracing_enabled = var.context.tracing

  # Who, when, what, how it went: no body, no query, no header, no address.
  dynamic "access_log_settings" {
    for_each = aws_cloudwatch_log_group.access[*].arn
    content {
      destination_arn = access_log_settings.value
      format = jsonencode({
        request_id   = "$context.requestId"
        at           = "$context.requestTime"
        client_id    = "$context.authorizer.claims.client_id"
        method       = "$context.httpMethod"
        route        = "$context.resourcePath"
        status       = "$context.status"
        error        = "$context.error.responseType"
        bytes        = "$context.responseLength"
        milliseconds = "$context.responseLatency"
        tls          = "$context.tlsVersion"
      })
    }
  }

  depends_on = [aws_api_gateway_account.this]
}

resource "aws_api_gateway_method_settings" "all" {
  #checkov:skip=CKV_AWS_225:every answer is the newest one there is: nothing may be cached
  #checkov:skip=CKV_AWS_308:there is no cache to encrypt
  rest_api_id = aws_api_gateway_rest_api.this.id
  stage_name  = aws_api_gateway_stage.this.stage_name
  method_path = "*/*"

  settings {
    metrics_enabled        = true
    logging_level          = "OFF" # execution logs hold bodies and headers
    data_trace_enabled     = false
    caching_enabled        = false
    throttling_rate_limit  = var.throttle.rate_per_second
    throttling_burst_limit = var.throttle.burst
  }
}

resource "aws_api_gateway_method_settings" "one" {
  #checkov:skip=CKV_AWS_225:every answer is the newest one there is: nothing may be cached
  #checkov:skip=CKV_AWS_308:there is no cache to encrypt
  for_each = var.method_throttles

  rest_api_id = aws_api_gateway_rest_api.this.id
  stage_name  = aws_api_gateway_stage.this.stage_name
  method_path = "${local.methods[each.key].path}/${local.methods[each.key].method}"

  settings {
    metrics_enabled        = true
    logging_level          = "OFF"
    data_trace_enabled     = false
    caching_enabled        = false
    throttling_rate_limit  = each.value.rate_per_second
    throttling_burst_limit = each.value.burst
  }
}

# --- who calls too much -----------------------------------------------------------------------------------

# Usage plans count API keys and know nothing of tokens: a key each, for the clients that are to be counted.
resource "aws_api_gateway_api_key" "client" {
  for_each = var.usage_plan == null ? {} : var.clients
  name     = "${local.name}-${each.key}"
}

resource "aws_api_gateway_usage_plan" "client" {
  for_each = var.usage_plan == null ? {} : var.clients
  name     = "${local.name}-${each.key}"

  api_stages {
    api_id = aws_api_gateway_rest_api.this.id
    stage  = aws_api_gateway_stage.this.stage_name
  }

  throttle_settings {
    rate_limit  = var.usage_plan.rate_per_second
    burst_limit = var.usage_plan.burst
  }

  quota_settings {
    limit  = var.usage_plan.calls_per_day
    period = "DAY"
  }
}

resource "aws_api_gateway_usage_plan_key" "client" {
  for_each      = aws_api_gateway_usage_plan.client
  key_id        = aws_api_gateway_api_key.client[each.key].id
  key_type      = "API_KEY"
  usage_plan_id = each.value.id
}

resource "aws_wafv2_web_acl_association" "this" {
  count        = var.web_acl_arn == null ? 0 : 1
  resource_arn = aws_api_gateway_stage.this.arn
  web_acl_arn  = var.web_acl_arn
}

# --- under its own name -----------------------------------------------------------------------------------

resource "aws_api_gateway_domain_name" "this" {
  count                                  = var.custom_domain == null ? 0 : 1
  domain_name                            = var.custom_domain.name
  regional_certificate_arn               = var.custom_domain.certificate_arn
  ownership_verification_certificate_arn = var.custom_domain.ownership_certificate_arn
  security_policy                        = "TLS_1_2"

  endpoint_configuration {
    types = ["REGIONAL"]
  }

  dynamic "mutual_tls_authentication" {
    for_each = var.custom_domain.truststore_uri == null ? [] : [1]
    content {
      truststore_uri     = var.custom_domain.truststore_uri
      truststore_version = var.custom_domain.truststore_version
    }
  }
}

resource "aws_api_gateway_base_path_mapping" "this" {
  count       = var.custom_domain == null ? 0 : 1
  api_id      = aws_api_gateway_rest_api.this.id
  stage_name  = aws_api_gateway_stage.this.stage_name
  domain_name = aws_api_gateway_domain_name.this[0].domain_name
}

# --- who answers ------------------------------------------------------------------------------------------

module "function" {
  source          = "../function"
  context         = var.context
  name            = local.function_name
  description     = "every route of the ISO 20022 API"
  step            = "serve_iso20022"
  archive         = var.archive
  memory_mb       = 1024
  timeout_seconds = 28 # the gateway waits 29
  environment     = var.environment
  grants          = var.grants

  # More calls than that are told to come again, and leave the rest of the account its share.
  reserved_concurrency = var.reserved_concurrency
}

resource "aws_lambda_permission" "api" {
  statement_id  = "Api"
  action        = "lambda:InvokeFunction"
  function_name = module.function.name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_api_gateway_rest_api.this.execution_arn}/${local.stage}/*/v1/*"
}

# --- what is seen of it -----------------------------------------------------------------------------------

resource "aws_cloudwatch_log_group" "access" {
  count             = var.access_logs ? 1 : 0
  name              = "/aws/apigateway/${local.name}"
  retention_in_days = var.context.log_retention_days
  kms_key_id        = var.context.key_arn
}

# One role per region writes the logs of all its APIs.
module "log_role" {
  source  = "../role"
  count   = var.access_logs && var.account_log_role ? 1 : 0
  context = var.context
  name    = "${local.name}-logs"
  service = "apigateway.amazonaws.com"
  grants = [{
    sid = "WriteLogs"
    actions = [
      "logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogGroups", "logs:DescribeLogStreams",
      "logs:FilterLogEvents", "logs:GetLogEvents", "logs:PutLogEvents",
    ]
    resources  = ["*"] # it is the role of every API in the region
    conditions = []
  }]
}

resource "aws_api_gateway_account" "this" {
  count               = var.access_logs && var.account_log_role ? 1 : 0
  cloudwatch_role_arn = module.log_role[0].arn
}

resource "aws_cloudwatch_metric_alarm" "failing" {
  count               = var.context.alarm_topic_arn == null ? 0 : 1
  alarm_name          = "${local.name}-api-failing"
  alarm_description   = "The ISO 20022 API answers with errors of its own (5xx): its function's log says why."
  namespace           = "AWS/ApiGateway"
  metric_name         = "5XXError"
  dimensions          = { ApiName = local.name, Stage = local.stage }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.context.alarm_topic_arn]
}
