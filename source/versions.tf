terraform {
  required_version = ">= 1.7.1"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

# The endpoint comes from AWS_ENDPOINT_URL where it is not AWS.
provider "aws" {
  region                      = var.region
  use_fips_endpoint           = var.fips_endpoints
  s3_use_path_style           = !var.target.is_aws
  skip_credentials_validation = !var.target.is_aws
  skip_metadata_api_check     = !var.target.is_aws
  max_retries                 = var.target.is_aws ? null : 6

  default_tags {
    tags = merge({ Application = "postbus", Deployment = "${var.name_prefix}postbus" }, var.tags)
  }
}
