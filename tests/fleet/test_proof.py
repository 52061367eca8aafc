"""What an upgrade on a real host is worth as proof: by archives, by another image's manifest, and by the host alone."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fleet.bed.host import Host
from tests.fleet.bed.testbed import Testbed
from tests.fleet.driver import Driftscan, Json, Outcome, assert_accounted, open_mutations
from tests.fleet.repository import PLACE, Package, publish

NAME, TWIN = "proved", "proved-twin"
TROJAN = "/usr/lib/tool/part-2"
UNIT = "/usr/lib/tool/part-evil"
MD5SUMS = "/var/lib/dpkg/info/tool.md5sums"


@dataclass(frozen=True)
class Bench:
    """The host, what it is compared with, and its archives as they were fetched before anybody touched it."""

    driftscan: Driftscan
    host: Host
    inventory: Path
    manifest: Path
    registry: Path
    archives: Path

    def scan(self, *more: str, hosts: Sequence[str] = (NAME,)) -> Outcome:
        return self.driftscan.scan(*hosts, "-i", str(self.inventory), *more)

    def bake(self, path: Path, version: str, *hosts: str) -> None:
        named = ("--image-id", "suite", "--image-version", version)
        done = self.driftscan.run("bake", *hosts, "-i", str(self.inventory), "-o", str(path), *named)
        assert done.code == 0, done.stderr


@pytest.fixture(scope="module")
def bench(bed: Testbed, driftscan: Driftscan) -> Iterator[Bench]:
    """tool 1.0 is the image's; 2.0 came with an upgrade, and is what a second image has."""
    hosts = bed.up([NAME, TWIN])
    for host in hosts:
        Package("tool", "1.0", files=30).build(host)
        host.shell(f"echo 'deb [trusted=yes] file:{PLACE} ./' > /etc/apt/sources.list.d/suite.list")
        host.shell("printf 'IMAGE_ID=suite\\nIMAGE_VERSION=1\\n' >> /usr/lib/os-release")
        publish(host)
        host.must("apt-get", "install", "-qy", "tool", timeout=900)
    registry = driftscan.home / "proved"
    registry.mkdir()
    manifest = registry / "suite-1.manifest"
    archives = driftscan.home / "archives"
    archives.mkdir()
    inventory = driftscan.inventory("proved.yaml", hosts)
    host = hosts[0]
    found = Bench(driftscan, host, inventory, manifest, registry, archives)
    found.bake(manifest, "1", NAME, TWIN)
    for each in hosts:
        Package("tool", "2.0", files=31).build(each)
        publish(each)
        each.must("apt-get", "upgrade", "-qy", timeout=900)
    data = base64.b64decode(host.must("base64", f"{PLACE}/tool_2.0_all.deb"))
    (archives / "tool_2.0_all.deb").write_bytes(data)
    yield found
    bed.remove([NAME, TWIN])


def operation(outcome: Outcome) -> Json:
    (found,) = (m for m in open_mutations(outcome.host(NAME)) if m["cause"]["type"] == "package-upgraded")
    assert_accounted(outcome.host(NAME))
    return found


def promoted(outcome: Outcome) -> dict[str, Json]:
    return {
        m["cause"]["subject"]: m for m in open_mutations(outcome.host(NAME)) if m["cause"]["type"] != "package-upgraded"
    }


def test_an_honest_upgrade(bench: Bench) -> None:
    alone = bench.scan("-m", str(bench.manifest))
    assert promoted(alone) == {}, alone.explain()
    assert operation(alone)["proof"]["rank"] == "database"
    assert operation(alone)["proof"]["files"]["database"] == 32
    proved = bench.scan("-m", str(bench.manifest), "--packages", str(bench.archives))
    assert promoted(proved) == {}, proved.explain()
    proof = operation(proved)["proof"]
    assert (proof["rank"], proof["files"]) == ("archive", {"archive": 33}), "dpkg's md5sums of it, too"
    assert proof["origins"] == ["tool_2.0_all.deb"]
    assert operation(proved)["id"] == operation(alone)["id"]
    both = bench.scan("-m", str(bench.manifest), hosts=(NAME, TWIN))
    assert operation(both)["proof"]["rank"] == "host", both.explain()


def test_what_the_hosts_own_database_was_made_to_vouch_for(bench: Bench) -> None:
    bench.bake(bench.registry / "suite-2.manifest", "2", NAME)
    bench.host.shell(
        f"""
        set -e
        info={MD5SUMS.removesuffix(".md5sums")}
        echo trojan >> {TROJAN}; printf '#!/bin/sh\\n' > {UNIT}; chmod 755 {UNIT}
        sed -i '\\|{TROJAN[1:]}$|d' $info.md5sums
        (cd /; md5sum {TROJAN[1:]} {UNIT[1:]}) >> $info.md5sums
        echo {UNIT} >> $info.list
        """
    )
    alone = bench.scan("-m", str(bench.manifest))
    assert promoted(alone) == {}, "the host alone cannot tell"
    assert operation(alone)["proof"]["rank"] == "database"
    told = bench.driftscan.run("explain", operation(alone)["id"], "--report", f"json:{report(bench, alone)}")
    assert "whoever is root there can change it" in " ".join(told.stdout.split()), told.stdout
    both = bench.scan("-m", str(bench.manifest), hosts=(NAME, TWIN))
    assert set(promoted(both)) == {TROJAN}, both.explain()
    assert f"other hosts with version 2.0 have another content ({TWIN})" in promoted(both)[TROJAN]["cause"]["detail"]
    for options, origin, told_too in (
        (("-m", str(bench.manifest), "--packages", str(bench.archives)), "tool_2.0_all.deb", {MD5SUMS}),
        (("-m", str(bench.registry)), "image suite 2", set()),
    ):
        outcome = bench.scan(*options)
        found = promoted(outcome)
        assert set(found) == {TROJAN, UNIT, *told_too}, outcome.explain()
        assert found[TROJAN]["cause"]["detail"].endswith(f"does not match it: {origin} has another content")
        assert found[UNIT]["cause"]["detail"].endswith(f"{origin} has no such file")
        assert {m["severity"] for m in found.values()} == {"critical"}


def report(bench: Bench, outcome: Outcome) -> Path:
    path = bench.driftscan.home / "alone.json"
    path.write_text(outcome.stdout)
    return path
