"""Hosts whose only Python is an old one, or none that Debian has: the same resources, and nothing written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.bed.host import Host
from tests.fleet.driver import Driftscan, Outcome, differences
from tests.fleet.pythons import install, prefix_of

# As distributions have them: RHEL's own is in no directory of PATH.
PLACES = {
    "3.6": "/usr/libexec/platform-python",
    "3.8": "/usr/local/bin/python3",
    "3.12": "/usr/bin/python3.12",
}
Change = tuple[str, str]
DEBIANS = ("/usr/bin/python3", "/usr/bin/python3.11")
ASIDE = "/root/aside"


def changes(place: str, path: str) -> frozenset[Change]:
    """What is done to the host. That the probe runs is seen too: by no program that ran when the manifest was baked."""
    aside = (ASIDE, *(f"{ASIDE}/{Path(debian).name}" for debian in DEBIANS))
    added = (*aside, place, path)
    return frozenset([*(("removed", debian) for debian in DEBIANS), *(("added", each) for each in added)])


@pytest.fixture(scope="module")
def interpreters(spare: Host) -> Iterator[dict[str, str]]:
    """Version -> path on the host, of those that there are."""
    prefixes = {version: prefix for version in PLACES if (prefix := prefix_of(version))}
    yield {version: install(spare, prefix, version) for version, prefix in prefixes.items()}
    for prefix in prefixes.values():
        spare.must("rm", "-r", str(prefix))


@pytest.fixture(scope="module")
def options(driftscan: Driftscan, spare: Host, interpreters: dict[str, str]) -> tuple[str, ...]:
    """With a manifest of the host, interpreters and all, as Debian's Python sees it."""
    assert interpreters.keys() <= PLACES.keys()
    inventory = driftscan.inventory("pythons.yaml", [spare])
    manifest = driftscan.home / "pythons.manifest"
    baked = driftscan.run("bake", spare.name, "-i", str(inventory), "-o", str(manifest))
    assert baked.code == 0, baked.stderr
    return ("-i", str(inventory), "-m", str(manifest))


@pytest.fixture(scope="module")
def baseline(driftscan: Driftscan, options: tuple[str, ...]) -> Path:
    """A snapshot of the host as Debian's Python sees it."""
    path = driftscan.home / "pythons.snapshot"
    taken = driftscan.run("snapshot", "spare", *options[:2], "-o", str(path))
    assert taken.code == 0, taken.stderr
    return path


@pytest.fixture(params=PLACES)
def interpreter(
    request: pytest.FixtureRequest, spare: Host, interpreters: dict[str, str], baseline: Path
) -> Iterator[tuple[str, frozenset[Change]]]:
    """The host with one Python: (what `doctor` is to call it, what differs from the host as it was)."""
    assert baseline.is_file()
    path, place = interpreters.get(request.param), PLACES[request.param]
    if path is None:
        pytest.skip(f"pyenv has no Python {request.param} on this machine")
    said = spare.must(path, "--version").split()[1]
    made = spare.shell(f"test -d {Path(place).parent} || echo {Path(place).parent}").strip()
    spare.shell(f"mkdir -p {ASIDE} {made}; mv {' '.join(DEBIANS)} {ASIDE}; ln -s {path} {place}")
    yield f"python {said}", changes(place, path)
    spare.shell(f"rm {place}; mv {ASIDE}/* /usr/bin; rmdir {ASIDE} {made}")


def found(outcome: Outcome) -> set[Change]:
    return {(d["change"], d["key"]) for host in outcome.report["hosts"] for d in differences(host)}


def written(host: Host) -> str:
    """Change times show every write. Logins write logs and /run."""
    return host.shell("find / /tmp -xdev '(' -path /var/log -o -path /run ')' -prune -o -printf '%p %C@\\n' | sort")


def test_scans_see_the_same_and_write_nothing(
    driftscan: Driftscan, spare: Host, options: tuple[str, ...], interpreter: tuple[str, frozenset[Change]]
) -> None:
    name, made = interpreter
    # Also what a login makes when it is the first.
    assert name in driftscan.run("doctor", spare.name, *options[:2]).stdout
    before = written(spare)
    full = driftscan.scan(*options, "--full")
    assert found(full) == made, full.explain()
    quick = driftscan.scan(*options, "--quick")
    assert quick.report["scan"]["mode"] == "quick"
    assert found(quick) == made, quick.explain()
    assert sorted(set(written(spare).splitlines()) ^ set(before.splitlines())) == []


def test_a_snapshot_tells_the_same(
    driftscan: Driftscan,
    options: tuple[str, ...],
    baseline: Path,
    interpreter: tuple[str, frozenset[Change]],
    tmp_path: Path,
) -> None:
    seen = tmp_path / "seen.snapshot"
    taken = driftscan.run("snapshot", "spare", *options[:2], "-o", str(seen))
    assert taken.code == 0, taken.stderr
    outcome = driftscan.run("diff", f"snapshot:{baseline}", f"snapshot:{seen}", "--zones", "none", "-o", "json")
    # The host lives on between the two looks: logs grow, sessions end.
    beyond = {pair for pair in found(outcome) if not pair[1].startswith(("/var/log/", "/run/"))}
    assert beyond == interpreter[1], outcome.explain()
