mock_provider "aws" {}

variables {
  context = jsondecode(file("../../tests/context.json"))

  archive    = { bucket = "packages", key = "core.zip", hash = "hash" }
  table_name = "test-visa"
  grants     = [{ sid = "WriteRecords", actions = ["dynamodb:BatchWriteItem"], resources = ["arn:aws:dynamodb:eu-central-1:111122223333:table/test-visa"], conditions = [] }]
}

run "writes_into_the_visa_table_only" {
  command = plan

  assert {
    condition     = module.function.name == "test-visa-mock" && module.function.environment.POSTBUS_INPUT_TABLE == "test-visa"
    error_message = "made-up payments would land elsewhere"
  }

  assert {
    condition     = toset([for s in jsondecode(module.function.policy).Statement : s.Sid]) == toset(["WriteOwnLog", "Trace", "UseKey", "WriteRecords"])
    error_message = "more, or less, than the generator needs"
  }
}
