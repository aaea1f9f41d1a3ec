# Builds the Lambda packages inside apply and puts them where Lambda fetches them: from a bucket all functions are
# made at once; sent with the call they are made one after the other.
#
# Everything is keyed by the hash of what goes in, never by the archive that comes out: a plan works on a clone
# without archives, and the plan after an apply is empty.

locals {
  root = abspath("${path.module}/../../..")

  # The same inputs that source/build/packages.toml names.
  inputs = setunion(
    [for file in fileset(local.root, "source/src/postbus/**/*.py") : file if !startswith(file, "source/src/postbus/cli/")],
    fileset(local.root, "events/*/v*/schema.json"),
    fileset(local.root, "events/records/*/v*/schema.json"),
    fileset(local.root, "rules/**/*.json"),
    fileset(local.root, "source/build/*.toml"),
    ["requirements.txt", "source/build/package.py"],
  )
  input_hash = sha256(join("\n", concat(
    [var.platform, var.python_version],
    [for file in sort(local.inputs) : "${file} ${filesha256("${local.root}/${file}")}"],
  )))
  # The operator's own schemas go into the one package that checks messages.
  schema_hash = var.schema_dir == null ? "" : sha256(join("\n", [
    for file in sort(fileset(var.schema_dir, "*.xsd")) : "${file} ${filesha256("${var.schema_dir}/${file}")}"
  ]))
  input_hashes = {
    for name in var.packages : name =>
    name == "iso20022" && var.schema_dir != null ? sha256("${local.input_hash} ${local.schema_hash}") : local.input_hash
  }
  hashes           = { for name in var.packages : name => sha256("${name} ${local.input_hashes[name]}") }
  platform_options = var.platform == "host" ? "--platform host" : "--platform ${var.platform} --python ${var.python_version}"
}

resource "terraform_data" "build" {
  for_each = var.packages

  input = "${path.module}/../../../.build/${var.platform}/${each.key}.zip"

  # A new deployment uploads anew, which needs the archive on disk: so its bucket's name stands here too.
  triggers_replace = [local.input_hashes[each.key], var.context.prefix, var.context.account_id, var.context.region]

  provisioner "local-exec" {
    command = "${var.builder_python} ${local.root}/source/build/package.py ${each.key} ${local.platform_options} --output ${self.input}"

    # Set even where there are none: what is not in the hash must not come in by the caller's environment.
    environment = {
      ISO20022_SCHEMA_DIR = var.schema_dir == null ? "" : abspath(var.schema_dir)
    }
  }
}

module "bucket" {
  source        = "../private_bucket"
  context       = var.context
  name          = "packages"
  force_destroy = true # whatever lies here can be built again
}

resource "aws_s3_object" "archive" {
  for_each = var.packages

  bucket        = module.bucket.name
  key           = "${each.key}-${substr(local.hashes[each.key], 0, 16)}.zip"
  source        = terraform_data.build[each.key].output
  force_destroy = true

  # Archives need no tags; sent in parts, an emulator loses them.
  override_provider {
    default_tags {
      tags = {}
    }
  }
}
