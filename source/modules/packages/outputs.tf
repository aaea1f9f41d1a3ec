output "archives" {
  description = "Package name to its archive's path and the hash of its inputs.  Whoever uses a path waits for the build."
  value = {
    for name, build in terraform_data.build : name => { path = build.output, hash = base64sha256("${name} ${local.input_hash}") }
  }
}
