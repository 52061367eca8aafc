"""An authority in the bed that hands out certificates by ACME (RFC 8555): pebble, Let's Encrypt's own for tests.

It listens at each bed's gateway and believes every request; its root and its issuer are new with each start."""

from __future__ import annotations

import json

from tests.fleet.bed import cgroups
from tests.fleet.bed.settings import Settings
from tests.fleet.bed.shell import run, wait_for

PORT = 14000
_DAYS = 90


def start(settings: Settings) -> None:
    """Start it, unless it runs. The bed's directory and its bridge must be there."""
    group = f"{settings.name}/authority"
    if cgroups.members(group):
        return
    place = settings.directory / "authority"
    place.mkdir(exist_ok=True)
    key, certificate, configuration = place / "key.pem", place / "cert.pem", place / "config.json"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
        "-subj", "/CN=authority", "-keyout", str(key), "-out", str(certificate))  # fmt: skip
    address = f"{settings.gateway}:{PORT}"
    told = {
        "listenAddress": address,
        "managementListenAddress": "",
        "certificate": str(certificate),
        "privateKey": str(key),
        "httpPort": 80,
        "tlsPort": 443,
        "certificateValidityPeriod": _DAYS * 24 * 3600,
    }
    configuration.write_text(json.dumps({"pebble": told}))
    ways = ("PEBBLE_VA_ALWAYS_VALID=1", "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0", "PEBBLE_AUTHZREUSE=100")
    cgroups.spawn(group, ["env", *ways, "pebble", "-config", str(configuration)], place / "log")
    wait_for("the authority listens", lambda: address in run("ss", "-ltnH"), 300)
