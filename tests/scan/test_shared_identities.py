"""Hosts of one scan that share what must be each one's own: told of those that do, and of no other."""

import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from driftscan.errors import HostError
from driftscan.manifests.files import write_manifest, write_snapshot
from driftscan.model.drift import CauseType
from driftscan.model.finding import Verdict
from driftscan.model.result import HostResult
from driftscan.model.snapshot import ImageRef
from driftscan.scan import fleet
from driftscan.scan.bake import bake
from driftscan.scan.host import Job, scan_host
from driftscan.scan.host import snapshot as take
from driftscan.scan.judgement import Assessment
from driftscan.scan.options import ScanOptions
from driftscan.scan.progress import Progress, Silent
from driftscan.scan.targets import Target, resolve

ID, KEY = "etc/machine-id", "etc/ssh/ssh_host_ed25519_key"
ONE, TWO = "1" * 32 + "\n", "2" * 32 + "\n"
Identity = dict[str, str]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    root = tmp_path / "image"
    files = {
        "etc/os-release": "ID=debian\n",
        "etc/motd": "hello\n",
        ID: "0" * 32 + "\n",
        KEY: "the key of the reference",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def targets(*roots: Path) -> tuple[Target, ...]:
    return resolve([f"rootfs:{root}" for root in roots], ())


def scan(image: Path, **hosts: Identity) -> dict[str, HostResult]:
    """Scan copies of the image, each with an identity of its own."""
    manifest = image.parent / "web.manifest"
    baked = bake(targets(image), image=ImageRef(), zones="", options=ScanOptions(), progress=Silent())
    write_manifest(baked.manifest, manifest)
    roots = [image.parent / name for name in hosts]
    for root, identity in zip(roots, hosts.values(), strict=True):
        shutil.copytree(image, root)
        for path, text in identity.items():
            (root / path).write_text(text)
    options = ScanOptions(manifest=str(manifest))
    results = fleet.scan(targets(*roots), options, Silent(), threading.Event()).hosts
    return dict(zip(hosts, results, strict=True))


def shared(result: HostResult) -> set[tuple[str, ...]]:
    """The last part of the name of whom it shares with, and what."""
    every = [judged.mutation for judged in result.mutations if judged.mutation.cause.type is CauseType.IDENTITY_SHARED]
    return {(each.title.rpartition("/")[2], *sorted(item.key for item in each.differences)) for each in every}


def test_two_of_three_share_a_machine_id(image: Path) -> None:
    found = scan(image, a={ID: ONE, KEY: "key a"}, b={ID: TWO, KEY: "key b"}, c={ID: ONE, KEY: "key c"})
    assert {name: shared(result) for name, result in found.items()} == {
        "a": {("c", "/etc/machine-id")},
        "b": set(),
        "c": {("a", "/etc/machine-id")},
    }
    assert [result.verdict for result in found.values()] == [Verdict.FINDINGS, Verdict.CLEAN, Verdict.FINDINGS]
    (first,) = found["a"].mutations
    (second,) = found["c"].mutations
    assert first.mutation.id == second.mutation.id, "it is one finding, on two hosts"
    told = found["a"].accounting
    assert told.raw == told.folded + told.allowed + told.unexplained


def test_each_that_shares_something_is_told(image: Path) -> None:
    """With one the machine-id, with another the key, with a third both."""
    found = scan(
        image,
        a={ID: ONE, KEY: "key a"},
        b={ID: ONE, KEY: "key b"},
        c={ID: TWO, KEY: "key a"},
        d={ID: ONE, KEY: "key a"},
    )
    assert shared(found["a"]) == {
        ("b", "/etc/machine-id"),
        ("c", f"/{KEY}"),
        ("d", "/etc/machine-id", f"/{KEY}"),
    }
    assert shared(found["b"]) == {("a", "/etc/machine-id"), ("d", "/etc/machine-id")}
    assert shared(found["c"]) == {("a", f"/{KEY}"), ("d", f"/{KEY}")}


def test_nobodys_identity_is_not_shared(image: Path) -> None:
    """An image may be shipped without any: each host gets its own at its first boot."""
    found = scan(image, a={ID: "", KEY: "key a"}, b={ID: "", KEY: "key b"})
    assert shared(found["a"]) == shared(found["b"]) == set()
    other = scan(image, c={ID: "uninitialized\n", KEY: "key a"}, d={ID: "uninitialized\n", KEY: "key b"})
    assert shared(other["c"]) == shared(other["d"]) == set()


def test_the_same_content_elsewhere_is_no_identity(image: Path) -> None:
    """One host's machine-id in the place of another's key is a wonder, but not the same thing."""
    found = scan(image, a={ID: ONE, KEY: TWO}, b={ID: TWO, KEY: ONE})
    assert shared(found["a"]) == shared(found["b"]) == set()


def test_a_host_that_was_not_reached_shares_nothing(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def sometimes(job: Job, target: Target, progress: Progress) -> Assessment:
        if target.path.endswith("/b"):
            raise HostError("gone away")
        return scan_host(job, target, progress)

    monkeypatch.setattr(fleet, "scan_host", sometimes)
    found = scan(image, a={ID: ONE, KEY: "key a"}, b={ID: ONE, KEY: "key b"}, c={ID: ONE, KEY: "key c"})
    assert found["b"].verdict is Verdict.UNREACHABLE
    assert shared(found["a"]) == {("c", "/etc/machine-id")}
    assert shared(found["c"]) == {("a", "/etc/machine-id")}


def test_recordings_of_one_host_do_not_share_with_each_other_but_with_another_host(image: Path) -> None:
    scan(image, a={ID: ONE, KEY: "key"})
    taken = take(targets(image.parent / "a")[0], ScanOptions())
    for host, file in (("web-1", "monday"), ("web-1", "friday"), ("web-2", "saturday")):
        write_snapshot(replace(taken, host=host), image.parent / f"{file}.snapshot")
    options = ScanOptions(manifest=str(image.parent / "web.manifest"))
    recorded = resolve([f"snapshot:{image.parent}/*.snapshot"], ())
    found = fleet.scan(recorded, options, Silent(), threading.Event()).hosts
    assert [(each.host, len(shared(each))) for each in found] == [("web-1", 1), ("web-1", 1), ("web-2", 1)]
    assert all(name.endswith("the host web-2") for name, *_ in shared(found[0]))
