"""Content changed beneath the file system: no field of lstat(2) moves, not even the change time. Reading finds it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fleet.bed.host import Host
from tests.fleet.disk import Disk, mounted
from tests.fleet.driver import Driftscan, Json, Outcome, matching

POINT = "/opt/disk"
PROGRAM = b"#!/bin/sh\necho honest\n" + b"# nothing\n" * 600
FORGED = PROGRAM.replace(b"honest", b"forged")
NAMES = ("first/tool", "second/tool")
CYCLE = 4


@pytest.fixture(scope="module")
def disk(spare: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    with mounted(spare, tmp_path_factory.mktemp("disk"), POINT, dict.fromkeys(NAMES, PROGRAM)) as found:
        yield found


@pytest.fixture(scope="module")
def options(driftscan: Driftscan, spare: Host, disk: Disk) -> tuple[str, ...]:
    """With a manifest of the host as it is with its disk, and one scan before."""
    inventory = driftscan.inventory("forged.yaml", [spare])
    manifest = driftscan.home / "forged.manifest"
    baked = driftscan.run("bake", spare.name, "-i", str(inventory), "-o", str(manifest))
    assert baked.code == 0, baked.stderr
    options = ("-i", str(inventory), "-m", str(manifest))
    first = driftscan.scan(*options)
    assert first.verdicts() == {spare.name: "clean"}, first.explain()
    assert reading(first)["mode"] == "full"
    return options


def reading(outcome: Outcome) -> Json:
    found: Json = outcome.host("spare")["coverage"]["reading"]
    return found


def found(outcome: Outcome, name: str) -> list[str]:
    """What is said to differ in a file: nothing where it was not found."""
    differences = matching(outcome.host("spare"), "file", f"{POINT}/{name}", "modified")
    return sorted(attribute for difference in differences for attribute in difference["attributes"])


def forge(disk: Disk, name: str) -> None:
    before = disk.status(name)
    disk.forge(name, FORGED)
    assert disk.read(name) == FORGED
    assert disk.status(name) == before


def test_quick_scans_find_it_within_their_cycle(driftscan: Driftscan, disk: Disk, options: tuple[str, ...]) -> None:
    forge(disk, NAMES[0])
    scans: list[Outcome] = []
    while len(scans) < CYCLE and not (scans and found(scans[-1], NAMES[0])):
        scans.append(driftscan.scan(*options, "--quick", "--cycle", str(CYCLE)))
        assert reading(scans[-1])["mode"] == "quick"
        # One share of the cycle, and one bucket more by chance.
        assert 1 / CYCLE < reading(scans[-1])["probability"] < 1 / CYCLE + 0.01
        assert reading(scans[-1])["within_scans"] == CYCLE
    assert found(scans[-1], NAMES[0]) == ["sha256"], scans[-1].explain()
    # Once found, it is told by every scan, whatever is read.
    again = driftscan.scan(*options, "--quick")
    assert found(again, NAMES[0]) == ["sha256"], again.explain()


def test_a_person_is_told_what_a_quick_scan_may_miss(driftscan: Driftscan, options: tuple[str, ...]) -> None:
    shown = driftscan.run("scan", *options, "--quick", "--cycle", "50").stdout
    assert "with a probability of 2.2%, by 50 for sure" in " ".join(shown.split()), shown


def test_a_full_scan_finds_it(driftscan: Driftscan, disk: Disk, options: tuple[str, ...]) -> None:
    forge(disk, NAMES[1])
    outcome = driftscan.scan(*options, "--full")
    assert reading(outcome)["mode"] == "full"
    assert [found(outcome, name) for name in NAMES] == [["sha256"]] * 2, outcome.explain()
    assert outcome.code == 1
