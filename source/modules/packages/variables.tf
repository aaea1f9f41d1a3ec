variable "context" {
  description = "What the deployment shares: see the root's context.tf."
  type = object({
    prefix     = string
    partition  = string
    account_id = string
    region     = string
    is_aws     = optional(bool, true)
    key_arn    = string
  })
}

variable "packages" {
  description = "Names of the packages to build, as in source/build/packages.toml."
  type        = set(string)
}

variable "platform" {
  description = "What the functions run on: linux-arm64, linux-x86_64, or host for an emulator that runs them on this machine."
  type        = string
}

variable "python_version" {
  description = "Version of the Lambda runtime, such as 3.13; for host the builder's own interpreter counts."
  type        = string
}

variable "builder_python" {
  description = "The Python (3.11 or newer, with pip) that runs the builder."
  type        = string
}

variable "schema_dir" {
  description = "Folder of the operator's own ISO 20022 schemas, such as pacs.004.001.10.xsd; null for none."
  type        = string
  default     = null
}
