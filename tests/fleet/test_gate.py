"""The gate on real hosts: an approved image, hosts of it that were mended by hand, and the image to replace them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.bed.host import Host
from tests.fleet.bed.testbed import Testbed
from tests.fleet.driver import Driftscan, Json, Outcome
from tests.fleet.repository import PLACE, Package, publish

APPROVED, MENDED, NEXT = "approved", ("mended-1", "mended-2"), "next"
SETTING = "/etc/sysctl.d/60-mended.conf"
DECLARED = f"""\
packages:
  - {{name: tool, from: "1.0", to: "2.0", reason: security}}
files:
  - {{path: {SETTING}, tree: repository, reason: found on the fleet}}
"""


def upgrade(host: Host, version: str) -> None:
    Package("tool", version, files=300).build(host)
    publish(host)
    host.must("apt-get", "install", "-qy", "tool", timeout=900)


def set_swappiness(host: Host) -> None:
    host.shell(f"echo 'vm.swappiness = 10' > {SETTING}")


@pytest.fixture(scope="module")
def hosts(bed: Testbed) -> Iterator[dict[str, Host]]:
    """Four boots of one image, all with version 1.0 of a package."""
    found = {host.name: host for host in bed.up([APPROVED, *MENDED, NEXT])}
    for host in found.values():
        host.shell(f"echo 'deb [trusted=yes] file:{PLACE} ./' > /etc/apt/sources.list.d/suite.list")
        upgrade(host, "1.0")
    yield found
    bed.remove(list(found))


@pytest.fixture(scope="module")
def gate(driftscan: Driftscan, hosts: dict[str, Host]) -> Gate:
    return Gate(driftscan, hosts)


class Gate:
    """The approved manifest, and the gate against it with a store of its own."""

    def __init__(self, driftscan: Driftscan, hosts: dict[str, Host]) -> None:
        self.driftscan = driftscan
        self.inventory = driftscan.inventory("gate.yaml", hosts.values())
        self.manifest = driftscan.home / "approved.manifest"
        self.store = driftscan.home / "gate-store"
        self.declared = driftscan.home / "declared" / "changes.yaml"
        setting = self.declared.parent / "repository" / SETTING.lstrip("/")
        setting.parent.mkdir(parents=True)
        setting.write_text("vm.swappiness = 10\n")
        self.declared.write_text(DECLARED)
        baked = driftscan.run("bake", APPROVED, "-i", str(self.inventory), "-o", str(self.manifest))
        assert baked.code == 0, baked.stderr

    def scan(self, *names: str) -> Outcome:
        return self.driftscan.scan(
            *names, "-i", str(self.inventory), "-m", str(self.manifest), "--store", str(self.store)
        )

    def run(self, *words: str, declared: Path | None = None) -> Outcome:
        """`gate` of the next image, of which the mended hosts are the fleet."""
        more = ["--declared", str(declared)] if declared else []
        against = ["--against", str(self.manifest), "--store", str(self.store)]
        fleet = ["-i", str(self.inventory)]
        return self.driftscan.run("gate", NEXT, *against, *fleet, *more, *words)


@pytest.fixture(scope="module")
def rebuilt(gate: Gate, hosts: dict[str, Host]) -> Outcome:
    """Before anything is changed: another boot of the same inputs, whose first boot ends while it is looked at, some
    time after the gate has connected, however long that takes on a busy machine."""
    ended, aside = "/run/cloud-init/result.json", "/run/cloud-init/not-yet"
    connected = "ss -Htn state established '( sport = :22 )' | grep -q ."
    wait = f"for i in $(seq 240); do {connected} && break; sleep 0.5; done; sleep 6; mv {aside} {ended}"
    hosts[NEXT].shell(f"mv {ended} {aside}; ({wait}) </dev/null >/dev/null 2>&1 &")
    return gate.run()


@pytest.fixture(scope="module")
def mended(gate: Gate, rebuilt: Outcome, hosts: dict[str, Host]) -> dict[str, Host]:
    """Both mended hosts have the upgrade, one of them two more fixes; the next image has two of the three."""
    assert gate.scan(*MENDED).code == 0
    for name in MENDED:
        upgrade(hosts[name], "2.0")
    first = hosts[MENDED[0]]
    set_swappiness(first)
    first.shell("sed -i 's/^#*MaxAuthTries.*/MaxAuthTries 3/' /etc/ssh/sshd_config")
    assert gate.scan(*MENDED).code == 1
    upgrade(hosts[NEXT], "2.0")
    set_swappiness(hosts[NEXT])
    return hosts


def checked(outcome: Outcome) -> Json:
    data: Json = json.loads(outcome.stdout)
    counts = data["accounting"]
    assert counts["raw"] == counts["zoned"] + counts["declared"] + counts["residual"] + counts["unproved"], counts
    return data


def left(data: Json) -> list[str]:
    return [item["key"] for change in data["changes"] for item in change["residual"]]


def test_another_boot_of_the_same_inputs_passes(rebuilt: Outcome) -> None:
    assert rebuilt.code == 0, rebuilt.stdout + rebuilt.stderr
    assert "PASSED" in rebuilt.stdout
    assert "first boot of the candidate has not finished: waiting for it" in rebuilt.stderr


@pytest.mark.usefixtures("mended")
def test_a_declared_upgrade_passes_with_the_md5_of_each_of_its_files(gate: Gate) -> None:
    outcome = gate.run("-o", "json", declared=gate.declared)
    assert outcome.code == 0, outcome.stdout + outcome.stderr
    data = checked(outcome)
    (tool,) = (change for change in data["changes"] if change["cause"]["subject"] == "tool/all")
    grounds = [item["ground"] for item in tool["explained"]]
    assert grounds.count("database") == 301
    assert left(data) == []


@pytest.mark.usefixtures("mended")
def test_undeclared_it_fails(gate: Gate) -> None:
    outcome = gate.run("-o", "json")
    assert outcome.code == 1
    assert {"tool/all", SETTING, "vm.swappiness"} <= set(left(checked(outcome)))


@pytest.mark.usefixtures("mended")
def test_the_hand_fixes_that_the_next_image_lacks_are_listed(gate: Gate) -> None:
    outcome = gate.run(declared=gate.declared)
    assert outcome.code == 0, outcome.stdout
    said = " ".join(outcome.stdout.split())
    assert "Replacing these 2 hosts reverts 3 hand fixes: 2 are in the candidate, 1 would be lost." in said
    assert "1 hand fix of the fleet would not survive" in outcome.stderr
    fleet = checked(gate.run("-o", "json", declared=gate.declared))["fleet"]
    fates = {fix["cause"]["subject"]: (fix["fate"], fix["hosts"]) for fix in fleet["fixes"]}
    assert fates == {
        "sshd": ("lost", [MENDED[0]]),
        "tool/all": ("contained", list(MENDED)),
        "kernel settings": ("contained", [MENDED[0]]),
    }
    assert fleet["never_scanned"] == [APPROVED]


@pytest.mark.usefixtures("mended")
def test_explain_says_so_too(gate: Gate) -> None:
    newer = gate.driftscan.home / "newer.manifest"
    assert gate.driftscan.run("bake", NEXT, "-i", str(gate.inventory), "-o", str(newer)).code == 0
    fixes = checked(gate.run("-o", "json"))["fleet"]["fixes"]
    for fix in fixes:
        words = ("explain", fix["id"], "-m", str(newer), "--store", str(gate.store))
        said = " ".join(gate.driftscan.run(*words).stdout.split())
        assert ("would lose this" if fix["fate"] == "lost" else "contains this") in said


@pytest.mark.parametrize(
    ("act", "undo", "named"),
    [
        ("touch /usr/lib/tool/part-301", "rm /usr/lib/tool/part-301", "/usr/lib/tool/part-301"),
        ("echo trojan >> /usr/lib/tool/part-7", "echo '2.0 7' > /usr/lib/tool/part-7", "/usr/lib/tool/part-7"),
        ("chmod 4755 /usr/bin/tool-run", "chmod 755 /usr/bin/tool-run", "/usr/bin/tool-run"),
        ("echo 'level = 2' > /etc/tool/settings", "echo 'level = 1' > /etc/tool/settings", "/etc/tool/settings"),
        (f"echo >> {SETTING}", f"echo 'vm.swappiness = 10' > {SETTING}", SETTING),
    ],
)
def test_one_thing_beside_what_is_declared_is_named(
    gate: Gate, mended: dict[str, Host], act: str, undo: str, named: str
) -> None:
    mended[NEXT].shell(act)
    try:
        outcome = gate.run("-o", "json", declared=gate.declared)
    finally:
        mended[NEXT].shell(undo)
    assert outcome.code == 1, outcome.stdout
    assert named in left(checked(outcome))


@pytest.fixture
def advisories(driftscan: Driftscan) -> Path:
    """A flaw of the package that 2.0 mends, and one that nothing mends."""
    records = []
    for name, end in (("CVE-2026-4242", [{"fixed": "2.0"}]), ("CVE-2026-4243", [])):
        ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, *end]}]
        affected = [{"package": {"ecosystem": "Debian:12", "name": "tool"}, "ranges": ranges}]
        records.append({"id": name, "summary": "it does as it is told", "affected": affected})
    path = driftscan.home / "osv.jsonl"
    path.write_text("\n".join(map(json.dumps, records)))
    return path


@pytest.mark.usefixtures("mended")
def test_advisories_name_the_image_to_bake_anew(gate: Gate, advisories: Path) -> None:
    given = ("-p", "patching", "--advisories", str(advisories))
    outcome = gate.scan(APPROVED, MENDED[1], *given)
    assert outcome.code == 1, outcome.stderr
    controls = {
        host["host"]: {control["id"]: control for control in host["controls"]} for host in outcome.report["hosts"]
    }
    old, new = (controls[name]["advisories-medium"] for name in (APPROVED, MENDED[1]))
    assert (old["result"], old["action"], new["result"]) == ("fail", "rebake", "pass")
    assert old["evidence"] == ["tool 1.0: CVE-2026-4242 is mended in 2.0: it does as it is told"]
    recommendation = outcome.host(APPROVED)["recommendation"]
    assert recommendation["action"] == "rebake"
    assert recommendation["cure"] == {"replacement_cures": False, "cause": "image"}
    (image,) = outcome.report["patching"]
    (upgrade,) = image["upgrades"]
    assert (upgrade["source"], upgrade["version"], upgrade["installed"]) == ("tool", "2.0", ["1.0"])
    assert (image["hosts"], image["unfixed"]) == (sorted([APPROVED, MENDED[1]]), 1)
    assert gate.run(*given, declared=gate.declared).code == 0
