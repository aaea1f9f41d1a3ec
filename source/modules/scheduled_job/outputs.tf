output "function_name" {
  value = module.function.name
}

output "dead_letter_url" {
  value = module.dead_letters.url
}

output "log_group" {
  value = module.function.log_group
}

output "alarms" {
  value = concat(module.dead_letters.alarms, module.function.alarms)
}

output "policy" {
  description = "What the function may do, as written."
  value       = module.function.policy
}

output "environment" {
  description = "What the function reads."
  value       = module.function.environment
}
