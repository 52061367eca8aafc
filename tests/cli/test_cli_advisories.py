"""`--advisories`: from a file of the user's to a finding, the image to bake anew, and an exit code."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.cli.runner import Ran, run

VECTOR = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
OS_RELEASE = "ID=debian\nVERSION_ID=12\nVERSION_CODENAME=bookworm\nSUPPORT_END=2999-01-01\n"
STATUS = "Package: {}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {}\n\n"


def install(root: Path, **versions: str) -> None:
    for path, text in {
        "etc/os-release": OS_RELEASE,
        "var/lib/dpkg/status": "".join(STATUS.format(name, version) for name, version in versions.items()),
    }.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)


@pytest.fixture
def advisories(tmp_path: Path) -> Path:
    ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "7.2"}]}]
    record = {
        "id": "CVE-2026-4242",
        "summary": "curl does what strangers say",
        "severity": [{"type": "CVSS_V3", "score": VECTOR}],
        "affected": [{"package": {"ecosystem": "Debian:12", "name": "curl"}, "ranges": ranges}],
    }
    path = tmp_path / "osv.json"
    path.write_text(json.dumps(record))
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    install(tmp_path / "root", curl="7.1", bash="5.2")
    return tmp_path / "root"


@pytest.fixture
def scan(root: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Scans the unpacked image, with the policy `patching` unless it is told otherwise."""

    def go(*words: str, policy: tuple[str, ...] = ("-p", "patching")) -> Ran:
        return run(capsys, "scan", f"rootfs:{root}", *policy, "-o", "json", *words)

    return go


def controls(ran: Ran) -> dict[str, Any]:
    (host,) = json.loads(ran.out)["hosts"]
    return {control["id"]: control for control in host["controls"]}


def test_a_mended_package_is_a_finding(scan: Callable[..., Ran], root: Path, advisories: Path) -> None:
    ran = scan("--advisories", str(advisories))
    assert ran.code == 1
    critical = controls(ran)["advisories-critical"]
    assert (critical["result"], critical["action"]) == ("fail", "rebake")
    assert critical["evidence"] == ["curl 7.1: CVE-2026-4242 is mended in 7.2: curl does what strangers say"]
    (used,) = json.loads(ran.out)["scan"]["advisories"]
    assert (used["given"], used["digest"]) == (str(advisories), f"sha256:{sha256(advisories.read_bytes()).hexdigest()}")
    (image,) = json.loads(ran.out)["patching"]
    (upgrade,) = image["upgrades"]
    assert (upgrade["source"], upgrade["version"], upgrade["severity"]) == ("curl", "7.2", "critical")
    install(root, curl="7.2")
    ran = scan("--advisories", str(advisories))
    assert controls(ran)["advisories-critical"]["result"] == "pass"
    assert json.loads(ran.out)["patching"] == []


def test_without_advisories_it_is_unknown(scan: Callable[..., Ran]) -> None:
    ran = scan()
    assert ran.code == 3
    assert controls(ran)["advisories-critical"]["result"] == "unknown"


def test_with_advisories_the_policy_is_used_by_itself(scan: Callable[..., Ran], advisories: Path) -> None:
    ran = scan("--advisories", str(advisories), policy=())
    assert controls(ran)["advisories-critical"]["result"] == "fail"


def test_a_broken_file_is_told_before_anything_is_looked_at(scan: Callable[..., Ran], tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text('{"id": "CVE-2026-1", "affected": {}}')
    ran = scan("--advisories", str(path))
    assert (ran.code, ran.out) == (2, "")
    assert "broken.json: CVE-2026-1: 'affected' is not a list" in ran.err


def test_the_gate_stops_a_candidate_that_lacks_what_is_mended(
    root: Path, advisories: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = tmp_path / "approved.manifest"
    assert run(capsys, "bake", f"rootfs:{root}", "-o", str(manifest)).code == 0
    words = ("gate", f"rootfs:{root}", "--against", str(manifest), "-o", "json")
    assert run(capsys, *words).code == 0
    ran = run(capsys, *words, "--advisories", str(advisories))
    assert ran.code == 1
    failed = {control["id"] for control in json.loads(ran.out)["controls"] if control["result"] == "fail"}
    assert failed == {"advisories-critical"}
