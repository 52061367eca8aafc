"""Package operations of root file systems, proved by archives and by manifests of other images."""

import hashlib
import shutil
import threading
from pathlib import Path

import pytest

from driftscan.errors import UsageError
from driftscan.manifests.files import write_manifest, write_snapshot
from driftscan.manifests.registry import Registry
from driftscan.model.drift import Mutation
from driftscan.model.proof import Rank
from driftscan.model.snapshot import ImageRef
from driftscan.scan import fleet
from driftscan.scan.bake import bake
from driftscan.scan.host import snapshot as take
from driftscan.scan.options import ScanOptions
from driftscan.scan.progress import Silent
from driftscan.scan.targets import resolve
from tests.archives.building import control, deb, entry, put

OLD, NEW, FORGED = "curl 7\n", "curl 8\n", "curl 8, and more\n"


def write(root: Path, path: str, text: str, mode: int = 0o644) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)
    (root / path).chmod(mode)


def install(root: Path, version: str, program: str) -> None:
    """curl, with a database that says of its program whatever it is."""
    status = f"Package: curl\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n\n"
    write(root, "var/lib/dpkg/status", status)
    write(root, "var/lib/dpkg/info/curl.list", "/.\n/usr\n/usr/bin\n/usr/bin/curl\n")
    digest = hashlib.md5(program.encode(), usedforsecurity=False).hexdigest()
    write(root, "var/lib/dpkg/info/curl.md5sums", f"{digest}  usr/bin/curl\n")
    write(root, "usr/bin/curl", program, 0o755)


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    """Image 7 has the old curl, image 8 the new one."""
    place = tmp_path / "registry"
    place.mkdir()
    for version, curl, program in (("7", "7.0", OLD), ("8", "8.0", NEW)):
        root = tmp_path / f"image-{version}"
        write(root, "etc/os-release", f'ID=debian\nVERSION_ID="12"\nIMAGE_ID=web\nIMAGE_VERSION={version}\n')
        install(root, curl, program)
        options = ScanOptions()
        baked = bake(resolve([f"rootfs:{root}"], ()), image=ImageRef(), zones="", options=options, progress=Silent())
        write_manifest(baked.manifest, place / f"web-{version}.manifest")
    return place


@pytest.fixture
def server(registry: Path, tmp_path: Path) -> Path:
    """A host of image 7 on which curl was upgraded."""
    copy = tmp_path / "server"
    shutil.copytree(tmp_path / "image-7", copy, symlinks=True)
    install(copy, "8.0", NEW)
    return copy


@pytest.fixture
def archives(tmp_path: Path) -> Path:
    # files of a test belong to whoever runs it, so the archive says that they belong to nobody in particular
    stat = (tmp_path / "registry").stat()
    item = entry("./usr/bin/curl", NEW.encode(), mode=0o755, uid=stat.st_uid, gid=stat.st_gid)
    put(tmp_path / "debs", "curl_8.0_amd64.deb", deb(item, head=control("curl", "8.0", "amd64")))
    return tmp_path / "debs"


def scan(spec: str, manifest: Path, *packages: Path) -> dict[str, Mutation]:
    options = ScanOptions(manifest=str(manifest), packages=tuple(map(str, packages)))
    (host,) = fleet.scan(resolve([spec], ()), options, Silent(), threading.Event()).hosts
    return {str(judged.mutation.cause.type): judged.mutation for judged in host.mutations}


def rank(found: dict[str, Mutation]) -> Rank:
    assert set(found) == {"package-upgraded"}
    proof = found["package-upgraded"].proof
    assert proof is not None
    return proof.rank


def test_the_strongest_who_can_tell_is_heard(registry: Path, server: Path, archives: Path) -> None:
    spec = f"rootfs:{server}"
    assert rank(scan(spec, registry / "web-7.manifest")) is Rank.DATABASE
    assert rank(scan(spec, registry)) is Rank.MANIFEST
    assert rank(scan(spec, registry, archives)) is Rank.ARCHIVE
    assert rank(scan(spec, registry / "web-7.manifest", archives)) is Rank.ARCHIVE


def test_who_rewrote_the_database_is_found_by_others(registry: Path, server: Path, archives: Path) -> None:
    install(server, "8.0", FORGED)
    spec = f"rootfs:{server}"
    assert rank(scan(spec, registry / "web-7.manifest")) is Rank.DATABASE
    by_image = scan(spec, registry)["binary-changed"]
    assert by_image.cause.subject == "/usr/bin/curl"
    assert by_image.cause.detail.endswith("image web 8 has another content")
    by_archive = scan(spec, registry / "web-7.manifest", archives)["binary-changed"]
    assert by_archive.cause.detail.endswith("curl_8.0_amd64.deb has another content")


def test_a_snapshot_of_which_nothing_can_be_asked(registry: Path, server: Path, archives: Path, tmp_path: Path) -> None:
    path = tmp_path / "server.snapshot"
    write_snapshot(take(resolve([f"rootfs:{server}"], ())[0], ScanOptions()), path)
    found = scan(f"snapshot:{path}", registry / "web-7.manifest", archives)
    assert found["package-upgraded"].proof is not None
    assert found["package-upgraded"].proof.files == {Rank.ARCHIVE: 1}
    assert "binary-changed" not in found


def test_archives_that_are_not_there_are_wrong_input(registry: Path, server: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such directory"):
        scan(f"rootfs:{server}", registry, tmp_path / "nowhere")


def test_the_newest_manifests_of_a_registry(registry: Path) -> None:
    (registry / "broken.manifest").write_text("{")
    found = Registry(str(registry))
    assert {manifest.image.version for manifest in found.manifests(5)} == {"7", "8"}
    assert len(found.manifests(1)) == 1
