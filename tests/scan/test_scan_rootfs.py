"""From root file systems to verdicts, without root rights and without a network."""

import shutil
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from driftscan.capture.recording import Replay
from driftscan.collectors import at, users_groups
from driftscan.collectors._base import Collector
from driftscan.errors import IncompleteError, UsageError
from driftscan.manifests.files import read_manifest, write_manifest
from driftscan.model.finding import Action, Verdict
from driftscan.model.resource import Resource
from driftscan.model.result import NOT_COMPARED, HostResult, ImageMatch
from driftscan.model.snapshot import ImageRef
from driftscan.model.source import Captures, Gap, Status
from driftscan.scan import facts, fleet, parsing, torn
from driftscan.scan.bake import bake
from driftscan.scan.difference import diff
from driftscan.scan.host import Job, scan_host
from driftscan.scan.host import snapshot as take
from driftscan.scan.judgement import Assessment
from driftscan.scan.look import seconds_for
from driftscan.scan.options import ScanOptions
from driftscan.scan.progress import Silent
from driftscan.scan.targets import ConnectOverrides, Target, resolve

PASSWD = "root:x:0:0:root:/root:/bin/bash\nwww:x:33:33::/var/www:/usr/sbin/nologin\n"
STATUS = "Package: curl\nStatus: install ok installed\nArchitecture: amd64\nVersion: 7.88.1-10\n\n"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    root = tmp_path / "image"
    for path, text in {
        "etc/os-release": 'ID=debian\nVERSION_ID="12"\nIMAGE_ID=web\nIMAGE_VERSION=7\n',
        "etc/passwd": PASSWD,
        "etc/group": "root:x:0:\nwww:x:33:\n",
        "etc/motd": "hello\n",
        "etc/secret": "token = hunter2\n",
        "usr/bin/curl": "binary",
        "var/lib/dpkg/status": STATUS,
        "var/lib/dpkg/info/curl.list": "/.\n/usr\n/usr/bin\n/usr/bin/curl\n",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    (root / "etc/secret").chmod(0o600)
    (root / "usr/bin/curl").chmod(0o755)
    for folder in (tmp_path, root, root / "etc"):
        folder.chmod(0o755)
    return root


@pytest.fixture
def server(image: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "server"
    shutil.copytree(image, copy, symlinks=True)
    return copy


@pytest.fixture
def manifest(image: Path, tmp_path: Path) -> Path:
    path = tmp_path / "web.manifest"
    baked = bake(target(image), image=ImageRef(), zones="", options=ScanOptions(), progress=Silent())
    write_manifest(baked.manifest, path)
    return path


def target(root: Path) -> tuple[Target, ...]:
    return resolve([f"rootfs:{root}"], ())


def scan(*roots: Path, manifest: Path | str = "") -> tuple[HostResult, ...]:
    targets = tuple(found for root in roots for found in target(root))
    return fleet.scan(targets, ScanOptions(manifest=str(manifest)), Silent(), threading.Event()).hosts


def test_an_unchanged_copy_is_clean(server: Path, manifest: Path) -> None:
    (result,) = scan(server, manifest=manifest)
    assert (result.verdict, result.mutations, result.image.match) == (Verdict.CLEAN, (), ImageMatch.GIVEN)
    assert result.recommendation.action is Action.NONE


def test_changes_are_findings_with_an_accounting_that_adds_up(server: Path, manifest: Path) -> None:
    (server / "etc/motd").write_text("owned\n")
    (server / "etc/passwd").write_text(PASSWD + "eve:x:0:0::/root:/bin/bash\n")
    (server / "usr/bin/backdoor").write_text("#!/bin/sh\n")
    (server / "usr/bin/backdoor").chmod(0o755)
    (result,) = scan(server, manifest=manifest)
    assert result.verdict is Verdict.FINDINGS
    causes = {judged.mutation.cause.type for judged in result.mutations}
    assert {"account-added", "binary-added", "configuration-changed"} <= causes
    told = result.accounting
    assert told.raw == told.folded + told.allowed + told.unexplained > 3
    motd = next(judged.mutation for judged in result.mutations if "motd" in judged.mutation.title)
    assert "-hello\n+owned" in motd.differences[0].text


def test_a_secret_is_in_no_manifest(image: Path, manifest: Path, tmp_path: Path) -> None:
    assert b"hunter2" not in manifest.read_bytes()
    path = tmp_path / "x.capture"
    take(target(image)[0], ScanOptions(), path)
    replay = Replay(str(path))
    assert not any(b"hunter2" in member.data for capture in replay._captures.values() for member in capture.members)
    assert "etc/motd" in {path.lstrip("/") for path in read_manifest(manifest).texts}


def test_a_recording_gives_the_same_snapshot_again(image: Path, tmp_path: Path) -> None:
    taken = take(target(image)[0], ScanOptions(), tmp_path / "x.capture")
    (recorded,) = resolve([f"capture:{tmp_path / 'x.capture'}"], ())
    again = take(recorded, ScanOptions())
    assert ("package", "curl/amd64") in taken.resources.small
    assert again.resources.small == taken.resources.small
    assert tuple(again.resources.files.rows()) == tuple(taken.resources.files.rows())
    assert (again.coverage, again.texts, again.torn) == (taken.coverage, taken.texts, ())


def test_a_removed_package_explains_its_files(server: Path, manifest: Path) -> None:
    (server / "var/lib/dpkg/status").write_text("")
    (server / "usr/bin/curl").unlink()
    (server / "var/lib/dpkg/info/curl.list").unlink()
    (result,) = scan(server, manifest=manifest)
    removed = next(each.mutation for each in result.mutations if each.mutation.cause.type == "package-removed")
    assert ("file", "/usr/bin/curl") in {item.id for item in removed.differences}


def test_the_image_is_found_by_os_release(server: Path, manifest: Path) -> None:
    (result,) = scan(server, manifest=manifest.parent)
    assert (result.verdict, result.image.match) == (Verdict.CLEAN, ImageMatch.OS_RELEASE)
    release = server / "etc/os-release"
    release.write_text(release.read_text().replace("VERSION=7", "VERSION=8"))
    (other,) = scan(server, manifest=manifest.parent)
    assert other.image.match is ImageMatch.UNKNOWN
    assert [judged.mutation.cause.type for judged in other.mutations] == ["image-unknown"]


def test_without_a_manifest_the_package_database_stands_in(server: Path) -> None:
    for listed in (server / "var/lib/dpkg/info").glob("*.md5sums"):
        listed.unlink()
    options = ScanOptions(policies=("immutable-core",))
    (bare,) = fleet.scan(target(server), options, Silent(), threading.Event()).hosts
    assert NOT_COMPARED in bare.notes
    assert "was compared with no image" in bare.recommendation.sentence
    digest = "9d7183f16acce70658f686ae7f1a4d20"  # printf binary | md5sum
    (server / "var/lib/dpkg/info/curl.md5sums").write_text(f"{digest}  usr/bin/curl\n")
    (clean,) = scan(server)
    assert clean.image.match is ImageMatch.STAND_IN
    assert not [judged for judged in clean.mutations if judged.mutation.cause.type.startswith("binary")]
    assert any("package database" in note for note in clean.notes)
    assert not any("other versions" in note for note in clean.notes)
    (server / "usr/bin/curl").write_text("trojan")
    (server / "usr/bin/foreign").write_text("x")
    (server / "usr/bin/foreign").chmod(0o755)
    (changed,) = scan(server)
    subjects = {judged.mutation.cause.subject for judged in changed.mutations}
    assert {"/usr/bin/curl", "/usr/bin/foreign"} <= subjects


def with_collectors(monkeypatch: pytest.MonkeyPatch, everything: Mapping[str, Collector]) -> None:
    monkeypatch.setattr(facts, "collectors", lambda: everything)
    monkeypatch.setattr(facts, "units", facts.units.__wrapped__)


def test_a_fault_of_a_parser_is_a_gap_and_the_rest_stands(
    server: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(captures: Captures) -> Iterator[Resource | Gap]:
        raise KeyError("whatever")

    broken = replace(users_groups.collector, parse=faulty, version=99)
    everything = {**parsing.collectors(), "users_groups": broken}
    with_collectors(monkeypatch, everything)
    (result,) = scan(server, manifest=manifest)
    assert result.verdict is Verdict.INCOMPLETE
    assert any("parser failed: KeyError" in gap.reason for item in result.coverage for gap in item.gaps)


def test_nothing_seen_is_not_nothing_there(server: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The image has no job of at(1); where jobs could not be looked for, the host is not clean."""

    def blind(captures: Captures) -> Iterator[Resource | Gap]:
        yield Gap("at", Status.FORBIDDEN, "no rights", ("at",))

    everything = {**parsing.collectors(), "at": replace(at.collector, parse=blind, version=99)}
    with_collectors(monkeypatch, everything)
    (result,) = scan(server, manifest=manifest)
    assert result.verdict is Verdict.INCOMPLETE
    assert "at *" in result.errors[0].message


def test_a_bug_met_on_one_host_costs_no_other(
    server: Path, image: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sometimes(job: Job, where: Target, progress: Silent) -> Assessment:
        if where.path == str(server):
            raise ZeroDivisionError("oops")
        return scan_host(job, where, progress)

    monkeypatch.setattr(fleet, "scan_host", sometimes)
    first, second = scan(server, image, manifest=manifest)
    assert first.verdict is Verdict.UNREACHABLE
    assert "bug in driftscan" in first.errors[0].message
    assert second.mutations == () or second.verdict is not Verdict.UNREACHABLE


def test_what_is_torn_or_unreadable_is_not_baked(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torn, "disturbed", lambda before, session: ("dpkg ran",))
    monkeypatch.setattr(torn, "wait", lambda session, deadline: None)
    with pytest.raises(IncompleteError, match="torn: dpkg ran"):
        bake(target(image), image=ImageRef(), zones="", options=ScanOptions(), progress=Silent())


def test_diff_without_zones_tells_everything(image: Path, server: Path) -> None:
    (server / "etc/hostname").write_text("other\n")
    (old,), (new,) = target(image), target(server)
    raw = diff(old, new, ScanOptions(zones="none"))
    assert [item.id for each in raw.mutations for item in each.differences] == [("file", "/etc/hostname")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "unknown target"),
        ([], "no target"),
        (["rootfs:/no/such"], "no such file"),
        (["ssh://a:b:c"], "IPv6"),
        (["manifest:/"], "a directory, not a file"),
    ],
)
def test_targets_that_are_none(words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        resolve(words, ())


def test_an_image_has_the_time_that_was_asked_for(image: Path) -> None:
    (asked,) = resolve([f"rootfs:{image}"], (), options=ConnectOverrides(timeout=9))
    assert seconds_for(asked) == 9
    (usual,) = target(image)
    assert seconds_for(usual) == 3600
