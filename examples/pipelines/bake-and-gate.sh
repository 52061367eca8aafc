#!/bin/sh
# The step that every pipeline runs: is the candidate the approved image but for what this repository declares?
#
#   bake-and-gate.sh CANDIDATE APPROVED-MANIFEST DECLARED-CHANGES OUT-DIRECTORY
#
# CANDIDATE is any target of driftscan: oci:image.tar, rootfs:DIR, ssh://root@test-instance. Writes gate.md (for the pull
# request), gate.json (for programs) and, if the candidate passes, candidate.manifest. Exit codes are those of
# `driftscan gate`: 0 passed, 1 failed, 2 wrong input, 3 not wholly seen. More options come from the environment
# (DRIFTSCAN_POLICY=image-hygiene) or from driftscan.yaml.
set -eu

candidate=$1 approved=$2 declared=$3 out=$4
mkdir -p "$out"
driftscan gate "$candidate" --against "$approved" --declared "$declared" \
  --report "markdown:$out/gate.md" --report "json:$out/gate.json"
driftscan bake "$candidate" -o "$out/candidate.manifest"
