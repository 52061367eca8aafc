# An AMI whose manifest is baked from the instance that builds it, and sealed to the AMI's id when there is one.
packer {
  required_plugins {
    amazon = {
      version = ">= 1.2.8"
      source  = "github.com/hashicorp/amazon"
    }
  }
}

variable "version" {
  type = string
}

source "amazon-ebs" "web" {
  region        = "eu-west-1"
  instance_type = "t3.small"
  ssh_username  = "admin"
  ami_name      = "web-${var.version}"
  source_ami_filter {
    owners      = ["136693071363"]
    most_recent = true
    filters = {
      name = "debian-12-amd64-*"
    }
  }
}

build {
  sources = ["source.amazon-ebs.web"]

  provisioner "shell" {
    script = "install.sh"
  }

  # Last: what is baked is what is in the image. The probe is read-only and writes nothing into it.
  provisioner "shell-local" {
    environment_vars = [
      "HOST=${build.Host}",
      "PORT=${build.Port}",
      "LOGIN=${build.User}",
      "KEY=${build.SSHPrivateKey}",
      "VERSION=${var.version}",
    ]
    script = "packer-bake.sh"
  }

  # One after the other: the AMI's id is in the first one's file.
  post-processors {
    post-processor "manifest" {
      output = "packer-manifest.json"
    }
    post-processor "shell-local" {
      environment_vars = ["VERSION=${var.version}"]
      script           = "packer-seal.sh"
    }
  }
}
