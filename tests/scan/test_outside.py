"""What follows from facts: advisories, the image, the end of support, a kernel that was not booted; for rules alone."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from driftscan.model.finding import Action, CureCause, JudgedControl, Result
from driftscan.model.manifest import Manifest, Provenance
from driftscan.model.resource import Resource, Value
from driftscan.model.result import HostImage, ImageMatch
from driftscan.model.snapshot import CollectorCoverage, CollectorStatus, ImageRef, Resources, Snapshot
from driftscan.model.source import Gap, Status
from driftscan.policy import load
from driftscan.policy.outside import KINDS as OUTSIDE
from driftscan.scan.judgement import Assessment
from driftscan.scan.outside import Deriver
from driftscan.scan.parsing import kinds
from driftscan.scan.patching import by_image
from driftscan.scan.targets import Target

TAKEN = "2026-11-26T12:00:00Z"
POLICIES = load(["patching"], kinds())
OLD, MENDED = "3.0.11-1~deb12u2", "3.0.15-1~deb12u1"
DEBIAN: Mapping[str, Value] = {"platform": "debian", "version_id": "12", "codename": "bookworm"}
SEEN = ("image", "kernel_info", "os_version", "package", "process", "library", "python_package", "npm_package")


def deb(name: str, version: str, source: str = "") -> Resource:
    columns = {"name": name, "version": version, "arch": "amd64", "source": source or name, "source_version": version}
    return Resource("package", f"{name}/amd64", columns | {"status": "installed", "type": "deb"})


def resources(*packages: Resource, os: Mapping[str, Value] = DEBIAN) -> Resources:
    return Resources({each.id: each for each in (Resource("os_version", "-", os), *packages)})


def coverage(*gaps: str) -> tuple[CollectorCoverage, ...]:
    hidden = tuple(Gap("test", Status.FORBIDDEN, "permission denied", (pattern,)) for pattern in gaps)
    return (CollectorCoverage("test", 1, SEEN, CollectorStatus.PARTIAL, gaps=hidden),)


def snapshot(*packages: Resource, os: Mapping[str, Value] = DEBIAN, gaps: tuple[str, ...] = ()) -> Snapshot:
    found = resources(*packages, os=os)
    return Snapshot(host="h", target="h", taken_at=TAKEN, resources=found, coverage=coverage(*gaps))


def manifest(*packages: Resource, baked_at: str = "2026-11-20T00:00:00Z") -> Manifest:
    return Manifest(
        image=ImageRef("web", "11"),
        provenance=Provenance(baked_at=baked_at, tool="driftscan"),
        resources=resources(*packages),
        coverage=coverage(),
        digest="sha256:" + "1" * 64,
    )


def advisory(name: str, fixed: str, package: str = "openssl", **more: Any) -> dict[str, Any]:
    ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, *([{"fixed": fixed}] if fixed else [])]}]
    affected = {"package": {"ecosystem": "Debian:12", "name": package}, "ranges": ranges}
    return {"id": name, "affected": [affected], "published": "2026-10-01T00:00:00Z", **more}


CRITICAL: dict[str, Any] = {"severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]}
RECORDS = (
    advisory("CVE-2026-1001", MENDED, **CRITICAL),
    advisory("CVE-2026-1002", "3.0.13-1"),
    advisory("CVE-2026-1003", ""),
)


@pytest.fixture
def deriver(tmp_path: Path) -> Deriver:
    (tmp_path / "osv.json").write_text(json.dumps(RECORDS))
    return Deriver((str(tmp_path / "osv.json"),), None)


def assessed(taken: Snapshot, deriver: Deriver, baked: Manifest | None = None, name: str = "web-1") -> Assessment:
    match = ImageMatch.GIVEN if baked else ImageMatch.STAND_IN
    digest = baked.digest if baked else ""
    image = HostImage(id="web", version="11", manifest_digest=digest, match=match)
    target = Target(name=name, spec=name, scheme="ssh")
    return Assessment.of(target, taken, image, policies=POLICIES, manifest=baked, deriver=deriver)


def controls(found: Assessment) -> dict[str, JudgedControl]:
    return {judged.id: judged for judged in found.controls}


def test_findings_are_of_what_is_mended_and_the_image_is_baked_anew(deriver: Deriver) -> None:
    taken = snapshot(deb("libssl3", OLD, "openssl"), deb("openssl", OLD))
    found = assessed(taken, deriver, manifest(deb("libssl3", OLD, "openssl"), deb("openssl", OLD)))
    said = controls(found)
    critical, unknown = said["advisories-critical"], said["advisories-medium"]
    assert (critical.result, critical.action, critical.cause) == (Result.FAIL, Action.REBAKE, CureCause.IMAGE)
    assert critical.evidence == (
        f"libssl3 {OLD}: CVE-2026-1001 is mended in {MENDED}: not described",
        f"openssl {OLD}: CVE-2026-1001 is mended in {MENDED}: not described",
    )
    assert [key for _, key in unknown.about] == ["CVE-2026-1002/libssl3/amd64", "CVE-2026-1002/openssl/amd64"]
    assert said["advisories-high"].result is Result.PASS
    assert any(note.startswith("advisories without a fix: 1 have none yet, 0 are ignored") for note in found.notes)


def test_what_the_image_has_mended_a_replacement_cures(deriver: Deriver) -> None:
    found = assessed(snapshot(deb("openssl", OLD)), deriver, manifest(deb("openssl", MENDED)))
    critical = controls(found)["advisories-critical"]
    assert (critical.result, critical.cause, critical.action) == (Result.FAIL, CureCause.HOST, Action.REPLACE)


def test_nothing_passes_without_advisories(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(RECORDS))
    without, given = Deriver((), None), Deriver((str(tmp_path / "a.json"),), None)
    alpine = snapshot(deb("openssl", OLD), os={"platform": "alpine", "version_id": "3.22.1"})
    for deriver, taken, why in (
        (without, snapshot(deb("openssl", OLD)), "advisory: no advisories were given"),
        (given, alpine, "advisory: no advisories for alpine/3.22.1 were given"),
        (given, snapshot(deb("bash", "1"), gaps=("package",)), "advisory *: permission denied"),
    ):
        said = controls(assessed(taken, deriver))["advisories-critical"]
        assert said.result is Result.UNKNOWN
        assert said.evidence[0].startswith(why)
    assert controls(assessed(snapshot(deb("bash", "1")), given))["advisories-critical"].result is Result.PASS


def test_derived_facts_are_not_the_snapshots(deriver: Deriver) -> None:
    taken = snapshot(deb("openssl", OLD))
    judged = deriver.snapshot(taken, None, deriver.patches(taken))
    assert judged.resources.kinds() & OUTSIDE.keys() == {"advisory", "os_support"}
    assert not taken.resources.kinds() & OUTSIDE.keys()
    assert not OUTSIDE.keys() & kinds().keys()


@pytest.mark.parametrize(
    ("baked_at", "result"),
    [("2026-11-20T00:00:00Z", Result.PASS), ("2026-08-01T00:00:00Z", Result.FAIL), ("", Result.UNKNOWN)],
)
def test_the_images_age(baked_at: str, result: Result) -> None:
    found = assessed(snapshot(), Deriver((), None), manifest(baked_at=baked_at))
    assert controls(found)["image-old"].result is result


def test_without_manifest_no_image_has_an_age() -> None:
    assert controls(assessed(snapshot(), Deriver((), None)))["image-old"].result is Result.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("os", "ended", "ends"),
    [
        (DEBIAN, Result.PASS, Result.PASS),
        ({"platform": "debian", "version_id": "11"}, Result.FAIL, Result.NOT_APPLICABLE),
        ({"platform": "alpine", "version_id": "3.21.3"}, Result.FAIL, Result.NOT_APPLICABLE),
        ({"platform": "rocky", "version_id": "9.4"}, Result.PASS, Result.PASS),
        ({"platform": "nowhere", "version_id": "9.4"}, Result.UNKNOWN, Result.UNKNOWN),
        ({"platform": "nowhere", "version_id": "9", "support_end": "2026-12-24"}, Result.PASS, Result.FAIL),
        ({"platform": "debian", "version_id": "12", "support_end": "soon"}, Result.PASS, Result.PASS),
    ],
)
def test_the_end_of_support(os: Mapping[str, Value], ended: Result, ends: Result) -> None:
    said = controls(assessed(snapshot(os=os), Deriver((), None)))
    assert (said["os-support-ended"].result, said["os-support-ends"].result) == (ended, ends)


def image_of(release: str, version: str) -> Resource:
    return deb(f"linux-image-{release}", version, "linux-signed-amd64")


@pytest.mark.parametrize(
    ("release", "build", "result"),
    [
        ("6.1.0-15-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.66-1 (2023-12-09)", Result.PASS),
        ("6.1.0-10-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.37-1 (2023-07-03)", Result.FAIL),
        ("6.1.0-15-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.64-1 (2023-12-02)", Result.FAIL),
        ("6.8.0-1-cloud", "#1 SMP", Result.NOT_APPLICABLE),
    ],
)
def test_a_kernel_that_was_not_booted(release: str, build: str, result: Result) -> None:
    running = Resource("kernel_info", "-", {"version": release, "build": build})
    taken = snapshot(image_of("6.1.0-10-amd64", "6.1.37-1"), image_of("6.1.0-15-amd64", "6.1.66-1"), running)
    said = controls(assessed(taken, Deriver((), None)))["kernel-not-booted"]
    assert said.result is result


def test_which_image_to_bake(deriver: Deriver) -> None:
    baked = manifest(deb("openssl", OLD))
    hosts = [assessed(snapshot(deb("openssl", OLD)), deriver, baked, name) for name in ("web-2", "web-1")]
    other = assessed(snapshot(deb("openssl", "3.0.14-1")), deriver, None, "alone")
    clean = assessed(snapshot(deb("bash", "1")), deriver, baked, "web-3")
    one, two = by_image([other, *hosts, clean])
    assert (one.id, one.version, one.hosts, one.severity) == ("web", "11", ("web-1", "web-2"), "critical")
    (upgrade,) = one.upgrades
    assert (upgrade.source, upgrade.version, upgrade.installed) == ("openssl", MENDED, (OLD,))
    assert upgrade.advisories == ("CVE-2026-1001", "CVE-2026-1002")
    assert (one.advisories, one.unfixed, one.ignored) == (2, 1, 0)
    assert (two.id, two.manifest_digest, two.hosts, two.advisories) == ("", "", ("alone",), 1)


def library(path: str, state: str, *units: str) -> Resource:
    columns: dict[str, Value] = {"state": state, "units": units, "programs": ("/usr/sbin/nginx",)}
    return Resource("library", path, columns)


def test_which_services_run_old_code() -> None:
    """Those of an image together; a program in no unit by its path; not what was written anew, or was no file."""
    deriver, baked = Deriver((), None), manifest(deb("openssl", OLD))
    both = library("/usr/lib/libssl.so.3", "replaced", "nginx.service", "ssh.service")
    harmless = (library("/usr/lib/z.so", "equal", "cron.service"), library("/memfd:x", "memory", "cron.service"))
    program = Resource(
        "process", "/usr/sbin/sshd", {"deleted": True, "reasons": ("deleted",), "units": ("ssh.service",)}
    )
    running = Resource("process", "/srv/app", {"deleted": False, "units": ("app.service",)})
    hosts = [
        assessed(snapshot(both, program, running, *harmless), deriver, baked, "web-1"),
        assessed(snapshot(library("/usr/lib/libz.so.1", "deleted")), deriver, baked, "web-2"),
        assessed(snapshot(library("/usr/lib/libssl.so.3", "replaced", "ssh.service")), deriver, baked, "web-3"),
        assessed(snapshot(*harmless), deriver, baked, "web-4"),
    ]
    (image,) = by_image(hosts)
    assert (image.hosts, image.advisories) == (("web-1", "web-2", "web-3"), 0)
    assert [(each.service, each.files, each.hosts) for each in image.old_code] == [
        ("ssh.service", ("/usr/lib/libssl.so.3", "/usr/sbin/sshd"), ("web-1", "web-3")),
        ("/usr/sbin/nginx", ("/usr/lib/libz.so.1",), ("web-2",)),
        ("nginx.service", ("/usr/lib/libssl.so.3",), ("web-1",)),
    ]
    assert controls(hosts[0])["libraries-replaced"].result is Result.FAIL
    assert controls(hosts[3])["libraries-replaced"].result is Result.PASS


@pytest.mark.parametrize(("match", "told"), [(ImageMatch.STAND_IN, 1), (ImageMatch.GIVEN, 0)])
def test_old_code_is_told_without_being_asked_where_there_is_no_image(match: ImageMatch, told: int) -> None:
    """Of a host with an image it is a difference."""
    taken = snapshot(library("/usr/lib/libssl.so.3", "replaced", "nginx.service"))
    target = Target(name="web-1", spec="web-1", scheme="ssh")
    assert len(Assessment.of(target, taken, HostImage(match=match), policies=()).old_code) == told
