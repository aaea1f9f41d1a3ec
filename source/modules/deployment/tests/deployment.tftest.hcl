mock_provider "aws" {}

variables {
  prefix = "test-"
  names  = { bus = "test-postbus" }
}

run "is_found_by_the_command" {
  command = plan

  assert {
    condition     = aws_ssm_parameter.this.name == "/test-postbus/deployment" && jsondecode(aws_ssm_parameter.this.value).bus == "test-postbus"
    error_message = "the command looks elsewhere"
  }
}
