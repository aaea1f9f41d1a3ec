output "parameter" {
  value = aws_ssm_parameter.this.name
}
