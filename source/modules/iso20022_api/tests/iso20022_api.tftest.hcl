mock_provider "aws" {
  source = "../../tests"
}

variables {
  context = jsondecode(file("../../tests/context.json"))

  archive              = { bucket = "packages", key = "iso20022.zip", hash = "hash" }
  clients              = { operator = {}, reader = { scopes = ["read"] } }
  throttle             = { rate_per_second = 500, burst = 1000 }
  secret_recovery_days = 30
  dns_suffix           = "amazonaws.com"
  fips_endpoints       = false
  environment          = {}
  grants               = []
}

run "opens_no_door_but_the_health_check" {
  command = apply

  assert {
    condition     = [for route, method in aws_api_gateway_method.this : route if method.authorization != "COGNITO_USER_POOLS"] == ["GET v1/health"]
    error_message = "somebody without a token could call"
  }

  assert {
    condition     = alltrue([for route, method in aws_api_gateway_method.this : method.authorization_scopes == toset(["postbus/read"]) if startswith(route, "GET ") && route != "GET v1/health"])
    error_message = "reading needs another scope, or none: then even a token for a person would do"
  }

  assert {
    condition     = alltrue([for route, method in aws_api_gateway_method.this : method.authorization_scopes == toset(["postbus/write"]) if startswith(route, "POST ")])
    error_message = "who may only read could write"
  }

  assert {
    condition     = aws_api_gateway_authorizer.this.provider_arns == toset(["arn:aws:cognito-idp:eu-central-1:111122223333:userpool/eu-central-1_pool"])
    error_message = "another pool's tokens would open the API"
  }

  assert {
    condition     = aws_lambda_permission.api.source_arn == "arn:aws:execute-api:eu-central-1:111122223333:api/live/*/v1/*" && aws_lambda_permission.api.principal == "apigateway.amazonaws.com"
    error_message = "another API could call the function and make up its client"
  }
}

run "has_the_routes_of_the_contract" {
  command = apply

  assert {
    condition = toset(keys(aws_api_gateway_method.this)) == toset([
      "GET v1/health", "GET v1/health/deep", "GET v1/outgoing", "GET v1/transactions/{transaction_id}",
      "POST v1/incoming", "POST v1/transactions", "POST v1/transactions/{transaction_id}/acceptance",
      "POST v1/transactions/{transaction_id}/cancellation", "POST v1/transactions/{transaction_id}/redrive",
      "POST v1/transactions/{transaction_id}/rejection",
    ])
    error_message = "a route is missing, or one too many"
  }

  assert {
    condition     = alltrue([for integration in aws_api_gateway_integration.this : integration.type == "AWS_PROXY" && integration.integration_http_method == "POST"])
    error_message = "the function would not see the request as it came"
  }

  assert {
    condition     = tolist(aws_api_gateway_rest_api.this.binary_media_types) == tolist(["*/*"])
    error_message = "bytes that are no text would be changed on their way, and their hash with them"
  }
}

run "gives_machines_tokens_and_lets_nobody_sign_up" {
  command = apply

  assert {
    condition     = aws_cognito_user_pool.this.admin_create_user_config[0].allow_admin_create_user_only
    error_message = "anybody could make an account"
  }

  assert {
    condition     = alltrue([for client in aws_cognito_user_pool_client.this : client.allowed_oauth_flows == toset(["client_credentials"]) && client.generate_secret])
    error_message = "a token could be had without the secret"
  }

  assert {
    condition     = aws_cognito_user_pool_client.this["reader"].allowed_oauth_scopes == toset(["postbus/read"]) && aws_cognito_user_pool_client.this["operator"].allowed_oauth_scopes == toset(["postbus/read", "postbus/write"])
    error_message = "a client could ask for more than it was given"
  }

  assert {
    condition     = alltrue([for secret in aws_secretsmanager_secret.client : secret.kms_key_id == var.context.key_arn && secret.recovery_window_in_days == 30])
    error_message = "credentials are encrypted with our key, and kept for a while"
  }

  assert {
    condition     = jsondecode(aws_secretsmanager_secret_version.client["reader"].secret_string) == { client_id = "client-id", client_secret = "client-secret", scope = "postbus/read", token_url = "https://test-postbus-111122223333.auth.eu-central-1.amazoncognito.com/oauth2/token", api_url = "https://api.execute-api.eu-central-1.amazonaws.com/live" }
    error_message = "a client needs all of it, and nothing else"
  }
}

run "answers_in_problem_documents_whoever_refuses" {
  command = apply

  assert {
    condition     = alltrue([for response in aws_api_gateway_gateway_response.this : response.response_parameters["gatewayresponse.header.Content-Type"] == "'application/problem+json'"])
    error_message = "a client would have to understand two kinds of errors"
  }

  assert {
    condition     = alltrue([for response in aws_api_gateway_gateway_response.this : try(tostring(jsondecode(response.response_templates["application/json"]).status), null) == response.status_code])
    error_message = "the document says another status than the answer"
  }

  assert {
    condition     = { for type in ["UNAUTHORIZED", "ACCESS_DENIED", "REQUEST_TOO_LARGE", "THROTTLED"] : type => aws_api_gateway_gateway_response.this[type].status_code } == { UNAUTHORIZED = "401", ACCESS_DENIED = "403", REQUEST_TOO_LARGE = "413", THROTTLED = "429" } && can(aws_api_gateway_gateway_response.this["DEFAULT_4XX"]) && can(aws_api_gateway_gateway_response.this["DEFAULT_5XX"])
    error_message = "an answer of the gateway itself has another form"
  }

  assert {
    condition     = alltrue([for response in aws_api_gateway_gateway_response.this : !strcontains(response.response_templates["application/json"], "$context.error")])
    error_message = "the gateway's own words could tell how it is built"
  }
}

run "bounds_calls_and_logs_them_without_their_content" {
  command = apply

  variables {
    method_throttles = { "POST v1/incoming" = { rate_per_second = 100, burst = 200 } }
  }

  assert {
    condition     = aws_api_gateway_method_settings.all.settings[0].throttling_rate_limit == 500 && aws_api_gateway_method_settings.one["POST v1/incoming"].method_path == "v1/incoming/POST" && aws_api_gateway_method_settings.one["POST v1/incoming"].settings[0].throttling_burst_limit == 200
    error_message = "one client could take all there is"
  }

  assert {
    condition     = aws_api_gateway_method_settings.all.settings[0].logging_level == "OFF" && !aws_api_gateway_method_settings.all.settings[0].data_trace_enabled
    error_message = "messages and tokens would be in the log"
  }

  assert {
    condition     = length(setsubtract(keys(jsondecode(aws_api_gateway_stage.this.access_log_settings[0].format)), ["request_id", "at", "client_id", "method", "route", "status", "error", "bytes", "milliseconds", "tls"])) == 0 && !strcontains(aws_api_gateway_stage.this.access_log_settings[0].format, "identity") && !strcontains(aws_api_gateway_stage.this.access_log_settings[0].format, "$context.path\"")
    error_message = "the log tells more than who called what, when and how it went"
  }

  assert {
    condition     = aws_cloudwatch_log_group.access[0].kms_key_id == var.context.key_arn && aws_cloudwatch_log_group.access[0].retention_in_days == 30
    error_message = "the log is encrypted with our key, and not kept for ever"
  }

  assert {
    condition     = length(aws_api_gateway_usage_plan.client) == 0 && !anytrue([for method in aws_api_gateway_method.this : method.api_key_required])
    error_message = "a key is asked for that nobody has"
  }
}

run "counts_each_client_by_a_key_where_asked_to" {
  command = apply

  variables {
    usage_plan = { rate_per_second = 10, burst = 20, calls_per_day = 100000 }
  }

  assert {
    condition     = alltrue([for route, method in aws_api_gateway_method.this : method.api_key_required == (route != "GET v1/health")])
    error_message = "a client could leave its key out and not be counted"
  }

  assert {
    condition     = keys(aws_api_gateway_usage_plan_key.client) == ["operator", "reader"] && can(jsondecode(aws_secretsmanager_secret_version.client["reader"].secret_string).api_key)
    error_message = "a client has no key of its own"
  }
}

run "by_its_default_name_until_it_has_its_own" {
  command = apply

  variables {
    reserved_concurrency = 7
  }

  assert {
    condition     = !aws_api_gateway_rest_api.this.disable_execute_api_endpoint && module.function.reserved_concurrency == 7
    error_message = "nobody could call, or so many that other functions could not run"
  }
}

run "under_its_own_name_takes_tls_1_2_only_and_asks_for_certificates" {
  command = apply

  variables {
    custom_domain = { name = "payments.example.com", certificate_arn = "arn:aws:acm:eu-central-1:111122223333:certificate/c", truststore_uri = "s3://trust/store.pem" }
    web_acl_arn   = "arn:aws:wafv2:eu-central-1:111122223333:regional/webacl/w/1"
  }

  assert {
    condition     = aws_api_gateway_domain_name.this[0].security_policy == "TLS_1_2" && aws_api_gateway_domain_name.this[0].mutual_tls_authentication[0].truststore_uri == "s3://trust/store.pem"
    error_message = "older TLS, or a client without a certificate, would be let in"
  }

  assert {
    condition     = aws_api_gateway_rest_api.this.disable_execute_api_endpoint
    error_message = "the default endpoint would be a way around certificates and TLS 1.2"
  }

  assert {
    condition     = aws_api_gateway_deployment.this.triggers.content != run.by_its_default_name_until_it_has_its_own.deployed
    error_message = "the default endpoint would be switched off by the next deployment only"
  }

  assert {
    condition     = aws_wafv2_web_acl_association.this[0].resource_arn == "arn:aws:apigateway:eu-central-1::/restapis/api/stages/live"
    error_message = "the firewall stands before something else"
  }

  assert {
    condition     = output.api_url == "https://payments.example.com"
    error_message = "clients would be sent to the endpoint that is switched off"
  }
}
