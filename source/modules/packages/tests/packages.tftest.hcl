mock_provider "aws" {}

variables {
  context = jsondecode(file("../../tests/context.json"))

  packages       = ["core"]
  platform       = "linux-arm64"
  python_version = "3.13"
  builder_python = "python3"
}

run "plans_without_an_archive_on_disk" {
  command = plan

  assert {
    condition     = output.archives.core.hash == sha256("core ${local.input_hash}")
    error_message = "the hash must be known before anything is built"
  }

  assert {
    condition     = terraform_data.build["core"].triggers_replace[0] == local.input_hash
    error_message = "a changed source would not be built"
  }

  assert {
    condition     = length(local.inputs) > 30 && !contains(local.inputs, "source/src/postbus/cli/app.py")
    error_message = "the hash covers something else than the package"
  }
}

run "an_operators_schemas_are_built_into_the_package_that_checks_messages_and_into_no_other" {
  command = plan

  variables {
    packages   = ["core", "iso20022"]
    schema_dir = "tests/schemas"
  }

  assert {
    condition     = local.schema_hash == sha256("pacs.099.001.01.xsd ${filesha256("tests/schemas/pacs.099.001.01.xsd")}")
    error_message = "a changed schema would not be built in"
  }
  assert {
    condition     = terraform_data.build["iso20022"].triggers_replace[0] == sha256("${local.input_hash} ${local.schema_hash}") && output.archives.iso20022.hash == sha256("iso20022 ${terraform_data.build["iso20022"].triggers_replace[0]}")
    error_message = "functions would keep the package without it"
  }
  assert {
    condition     = terraform_data.build["core"].triggers_replace[0] == local.input_hash
    error_message = "packages without schemas would be built again for nothing"
  }
}
