"""A host with busybox and dropbear alone: scanned with what it has, gaps said, nothing guessed."""

from __future__ import annotations

from tests.fleet.bed.host import Host
from tests.fleet.driver import Driftscan, matching, open_mutations


def test_bake_scan_and_drift(driftscan: Driftscan, tiny: Host) -> None:
    inventory = driftscan.inventory("tiny.yaml", [tiny])
    manifest = driftscan.home / "tiny.manifest"
    baked = driftscan.run("bake", tiny.name, "-i", str(inventory), "-o", str(manifest))
    assert baked.code == 0, baked.stderr
    options = ("-i", str(inventory), "-m", str(manifest))
    clean = driftscan.scan(*options)
    assert open_mutations(clean.host(tiny.name)) == [], clean.explain()
    assert clean.code == 0, clean.explain()
    (tiny.root / "usr/bin/dropped").write_text("#!/bin/ash\n")
    installed = tiny.root / "lib/apk/db/installed"
    installed.write_text(installed.read_text().replace("1.36.1-r15", "1.36.1-r16"))
    drifted = driftscan.scan(*options)
    result = drifted.host(tiny.name)
    assert drifted.code == 1
    assert matching(result, "file", "/usr/bin/dropped", "added"), drifted.explain()
    assert matching(result, "package", "busybox/x86_64", "*"), drifted.explain()
