mock_provider "aws" {}

variables {
  context = jsondecode(file("../../tests/context.json"))

  force_destroy = false
}

run "lets_the_rules_read_and_nobody_write" {
  command = plan

  assert {
    condition     = toset(flatten([for grant in output.grants.read : grant.actions])) == toset(["s3:GetObject", "s3:ListBucket"])
    error_message = "the pipeline could change its own rules"
  }
}
