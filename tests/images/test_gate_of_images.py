"""Ten thousand files and more: a candidate as a directory and as an OCI layout, through the command line."""

import hashlib
import json
import tarfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from driftscan.manifests.files import write_manifest
from driftscan.model.snapshot import ImageRef
from driftscan.scan.bake import bake
from driftscan.scan.options import ScanOptions
from driftscan.scan.progress import Silent
from driftscan.scan.targets import resolve
from tests.cli.runner import Ran, run
from tests.cli.test_cli_gate import DECLARED, install_curl, write
from tests.images import layouts
from tests.images.layouts import member

FILES = 10_000
Drift = Callable[..., Ran]
Gate = Callable[..., tuple[int, Any]]


class Images:
    """The approved image, and candidates that differ from it."""

    def __init__(self, home: Path, files: int = FILES) -> None:
        self.home = home
        self.approved = home / "approved"
        write(self.approved, "etc/os-release", 'ID=debian\nVERSION_ID="12"\nIMAGE_ID=web\nIMAGE_VERSION=7\n')
        write(self.approved, "etc/passwd", "root:x:0:0:root:/root:/bin/bash\n")
        write(self.approved, "etc/group", "root:x:0:\n")
        install_curl(self.approved, "7.1")
        for folder in range(0, files, 100):
            path = self.approved / f"usr/share/data/{folder // 100}"
            path.mkdir(parents=True)
            for number in range(folder, folder + 100):
                (path / str(number)).write_text(str(number))
        self.layouts = layouts.Layout(home / "layout")
        self.base = self.layouts.layer(layouts.tar(layouts.tree(self.approved)))
        self.manifest = home / "web.manifest"
        targets = resolve([f"rootfs:{self.approved}"], ())
        baked = bake(targets, image=ImageRef(), zones="", options=ScanOptions(), progress=Silent())
        write_manifest(baked.manifest, self.manifest)
        self.count = 0

    def layout(self, *more: tuple[tarfile.TarInfo, bytes]) -> str:
        """The approved image as a layout, with another layer on it."""
        self.count += 1
        layers = [self.base, self.layouts.layer(layouts.tar(more))] if more else [self.base]
        self.layouts.add(self.layouts.image_of(layers), str(self.count))
        return f"oci:{self.layouts.path}:{self.count}"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    return Images(tmp_path_factory.mktemp("images"))


@pytest.fixture
def small(tmp_path: Path) -> Images:
    return Images(tmp_path / "small", 0)


def upgraded(home: Path) -> list[tuple[tarfile.TarInfo, bytes]]:
    """The layer of an upgrade of curl."""
    install_curl(home, "7.2")
    return [(info, data) for info, data in layouts.tree(home) if info.isfile()]


@pytest.fixture(params=["oci", "rootfs"])
def candidate(request: pytest.FixtureRequest, images: Images) -> Iterator[Callable[..., str]]:
    """What makes a candidate of files that are added or replaced, in either form."""
    undo: list[tuple[Path, bytes | None, int]] = []

    def made(*more: tuple[tarfile.TarInfo, bytes]) -> str:
        if request.param == "oci":
            return images.layout(*more)
        for info, data in more:
            path = images.approved / info.name
            undo.append((path, path.read_bytes(), path.stat().st_mode) if path.exists() else (path, None, 0))
            write(images.approved, info.name, data.decode(), info.mode)
        return f"rootfs:{images.approved}"

    yield made
    for path, data, mode in undo:
        path.unlink()
        if data is not None:
            path.write_bytes(data)
            path.chmod(mode)


@pytest.fixture
def drift(capsys: pytest.CaptureFixture[str]) -> Drift:
    """The command line."""
    return partial(run, capsys)


@pytest.fixture
def gate(drift: Drift, images: Images) -> Gate:
    """(exit code, result) of a candidate."""
    return partial(judged, drift, images)


def judged(drift: Drift, images: Images, candidate: str, *words: str) -> tuple[int, Any]:
    ran = drift("gate", candidate, "--against", str(images.manifest), "-o", "json", *words)
    return ran.code, json.loads(ran.out)


def test_a_rebuild_of_the_same_inputs_passes(gate: Gate, candidate: Callable[..., str]) -> None:
    code, found = gate(candidate())
    assert (code, found["verdict"], found["accounting"]["raw"]) == (0, "passed", 0)


def test_a_declared_upgrade_passes(gate: Gate, candidate: Callable[..., str], tmp_path: Path) -> None:
    changes = tmp_path / "changes.yaml"
    changes.write_text(DECLARED)
    code, found = gate(candidate(*upgraded(tmp_path / "new")), "--declared", str(changes))
    assert (code, found["verdict"], found["accounting"]["unproved"]) == (0, "passed", 0)
    grounds = {part["ground"] for change in found["changes"] for part in change["explained"]}
    assert "database" in grounds


def test_one_undeclared_file_of_ten_thousand_fails_and_is_named(
    gate: Gate, candidate: Callable[..., str], tmp_path: Path
) -> None:
    changes = tmp_path / "changes.yaml"
    changes.write_text(DECLARED)
    extra = member("usr/share/data/42/hidden", data=b"!")
    text = tmp_path / "gate.txt"
    words = ("--declared", str(changes), "--report", f"text:{text}")
    code, found = gate(candidate(*upgraded(tmp_path / "new"), extra), *words)
    left = [part["key"] for change in found["changes"] for part in change["residual"]]
    assert (code, found["verdict"], left) == (1, "failed", ["/usr/share/data/42/hidden"])
    assert "Not explained: 1 difference\n" in text.read_text()
    assert "+ file /usr/share/data/42/hidden\n" in text.read_text()


def test_a_quick_scan_sees_content_that_changed_under_the_same_size_and_time(drift: Drift, small: Images) -> None:
    """Builds that can be repeated give all files one time."""
    scan = ["scan", "-m", str(small.manifest), "--store", str(small.home / "store")]
    first = small.layout(member("etc/motd", data=b"one"))
    second = small.layout(member("etc/motd", data=b"two"))
    assert drift(*scan, first, "-o", "json").code == 1
    image = small.layouts.path / "index.json"
    named = json.loads(image.read_text())["manifests"]
    named[0]["digest"], named[1]["digest"] = named[1]["digest"], named[0]["digest"]
    image.write_text(json.dumps({"manifests": named}))
    assert second
    (host,) = json.loads(drift(*scan, first, "--quick", "-o", "json").out)["hosts"]
    (changed,) = [
        item
        for mutation in host["mutations"]
        for item in mutation["differences"]
        if (item["kind"], item["key"]) == ("file", "/etc/motd")
    ]
    assert changed["attributes"]["sha256"]["actual"] == hashlib.sha256(b"two").hexdigest()


def test_every_command_takes_an_image(drift: Drift, small: Images, tmp_path: Path) -> None:
    image, other = small.layout(), small.layout(member("etc/motd", data=b"hello"))
    assert drift("bake", image, "-o", str(tmp_path / "baked")).code == 0
    assert drift("diff", f"manifest:{small.manifest}", image).code == 0
    assert drift("diff", image, other).code == 1
    scan = "scan", "-m", str(tmp_path / "baked"), "--store", str(tmp_path / "store")
    assert drift(*scan, image).code == 0
    assert drift(*scan, other).code == 1
    captured = tmp_path / "captures"
    assert drift("snapshot", image, "-o", str(tmp_path / "s"), "--captures", str(captured)).code == 0
    assert drift("diff", f"capture:{captured}", f"snapshot:{tmp_path}/s").code == 0


def test_an_image_that_cannot_be_read_never_passes(drift: Drift, small: Images) -> None:
    broken = small.layout(member("../etc/passwd"))
    for command in (("gate", broken, "--against"), ("scan", broken, "-m")):
        ran = drift(*command, str(small.manifest))
        assert (ran.code, "a name with .." in ran.out + ran.err) == (3, True)
    gone = small.layout()
    max((small.layouts.path / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size).unlink()
    assert drift("gate", gone, "--against", str(small.manifest)).code == 2
