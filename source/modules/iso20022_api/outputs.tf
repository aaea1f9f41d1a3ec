output "api_url" {
  description = "What stands before /v1; on an emulator a path behind its endpoint."
  value       = local.urls.api
}

output "token_url" {
  description = "Where a client gets its token; on an emulator a path behind its endpoint."
  value       = local.urls.token
}

output "client_ids" {
  description = "Client to the id that its tokens carry."
  value       = { for name, client in aws_cognito_user_pool_client.this : name => client.id }
}

output "client_secrets" {
  description = "Client to the name of the secret with its credentials."
  value       = { for name, secret in aws_secretsmanager_secret.client : name => secret.name }
}

output "client_secret_arns" {
  description = "Client to the ARN of the secret with its credentials."
  value       = { for name, secret in aws_secretsmanager_secret.client : name => secret.arn }
}

output "custom_domain_target" {
  description = "What the custom domain's DNS record has to point to: name and hosted zone; null without one."
  value = one([for domain in aws_api_gateway_domain_name.this : {
    name    = domain.regional_domain_name
    zone_id = domain.regional_zone_id
  }])
}

output "function_name" {
  value = local.function_name
}

output "log_groups" {
  value = concat([module.function.log_group], aws_cloudwatch_log_group.access[*].name)
}

output "policy" {
  description = "What the function may do, as written."
  value       = module.function.policy
}

output "environment" {
  description = "What the function reads."
  value       = module.function.environment
}

output "alarms" {
  value = concat(module.function.alarms, aws_cloudwatch_metric_alarm.failing[*].arn)
}

output "deployed" {
  description = "A hash of what has to be deployed anew when it changes."
  value       = aws_api_gateway_deployment.this.triggers.content
}
