# Published rulesets: each version stays, the current one is named by one object.  Publishing needs no deploy.

module "bucket" {
  source        = "../private_bucket"
  context       = var.context
  name          = "rulesets"
  force_destroy = var.force_destroy
}
