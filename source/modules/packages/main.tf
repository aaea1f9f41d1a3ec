# Builds the Lambda packages inside apply.
#
# Everything is keyed by the hash of what goes in, never by the archive that comes out: a plan works on a clone
# without archives, and the plan after an apply is empty.

locals {
  root = abspath("${path.root}/..")

  # The same inputs that source/build/packages.toml names.
  inputs = setunion(
    [for file in fileset(local.root, "source/src/postbus/**/*.py") : file if !startswith(file, "source/src/postbus/cli/")],
    fileset(local.root, "events/*/v*/schema.json"),
    fileset(local.root, "events/records/*/v*/schema.json"),
    fileset(local.root, "rules/**/*.json"),
    ["requirements.txt", "source/build/package.py", "source/build/packages.toml"],
  )
  input_hash = sha256(join("\n", concat(
    [var.platform, var.python_version],
    [for file in sort(local.inputs) : "${file} ${filesha256("${local.root}/${file}")}"],
  )))
  platform_options = var.platform == "host" ? "--platform host" : "--platform ${var.platform} --python ${var.python_version}"
}

resource "terraform_data" "build" {
  for_each = var.packages

  input = "${local.root}/.build/${var.platform}/${each.key}.zip"

  # The prefix and the region stand here because a new deployment creates its functions anew, which needs the
  # archive on disk.
  triggers_replace = [local.input_hash, var.deployment]

  provisioner "local-exec" {
    command = "${var.builder_python} ${local.root}/source/build/package.py ${each.key} ${local.platform_options} --output ${self.input}"
  }
}
