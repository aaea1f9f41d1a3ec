"""Running the whole stack on one machine: emulator, Terraform, pipe runner."""
