#!/bin/sh
# Packer's provisioner `shell-local` runs this on the machine that builds, while the instance is still up: a manifest is
# baked from it. Packer gives HOST, PORT, LOGIN, VERSION and KEY, the text of the private key that it made for this build; that
# is written where its owner alone can read it, and removed.
set -eu
umask 077
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
printf '%s\n' "$KEY" >"$work/key"
mkdir -p build

# The instance is minutes old and its key is known to nobody: it is accepted at first sight, in a state of its own.
DRIFTSCAN_STATE_DIR="$work" driftscan bake "ssh://$LOGIN@$HOST:$PORT" --identity "$work/key" --sudo always \
  --accept-new-host-keys --image-id web --image-version "$VERSION" -o build/web.manifest
