output "bucket_arn" {
  value = module.bucket.arn
}

output "archives" {
  description = "Package name to where its archive lies and the hash of its inputs; whoever uses it waits for the upload."
  value = {
    for name, archive in aws_s3_object.archive : name => { bucket = archive.bucket, key = archive.key, hash = local.hashes[name] }
  }
}
