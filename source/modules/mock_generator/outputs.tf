output "function_name" {
  value = module.function.name
}

output "log_group" {
  value = module.function.log_group
}

output "alarms" {
  value = module.function.alarms
}
