#!/bin/sh
# Packer's post-processor `shell-local` runs this when the AMI has been made: the manifest gets its id.
set -eu
mkdir -p manifests
driftscan bake manifest:build/web.manifest --packer-manifest packer-manifest.json -o "manifests/web-$VERSION.manifest"
driftscan verify "manifests/web-$VERSION.manifest"
