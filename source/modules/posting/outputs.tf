output "processor" {
  description = "Names of the queue, rule and function."
  value       = module.processor
}

output "alarms" {
  value = module.processor.alarms
}
