#!/bin/sh
# Runs on a test instance of a candidate image, as root: waits for first boot, then lets every active timer's service run
# once, so that the instance is judged as it will live. Ends when all of them have ended; prints what it ran.
#
#   ssh root@candidate sh -s < run-timers.sh
#
# This changes the instance (that is what it is for): never run it on a server that is in use.
set -eu

if command -v cloud-init >/dev/null 2>&1; then
  cloud-init status --wait >/dev/null || echo "cloud-init says that it did not end well" >&2
fi
# 1 is `degraded`: a unit failed. The gate tells which.
systemctl is-system-running --wait >/dev/null 2>&1 || true

failed=0
for timer in $(systemctl list-units --type=timer --state=active --plain --no-legend --no-pager | cut -d ' ' -f 1); do
  unit=$(systemctl show --property=Unit --value "$timer")
  [ -n "$unit" ] || continue
  if systemctl start "$unit"; then
    echo "ran $unit ($timer)"
  else
    echo "failed: $unit ($timer)" >&2
    failed=1
  fi
done
exit "$failed"
