"""Plain trees: the same differences as AIDE finds, and the same facts as on the live host."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fleet.aide import Aide, Sets
from tests.fleet.bed.host import Host
from tests.fleet.bed.shell import run
from tests.fleet.bed.testbed import Testbed
from tests.fleet.conftest import CLEAN
from tests.fleet.driver import Driftscan, Outcome, describe, differences


def _write(path: str | bytes, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)


def _same_size_and_time(path: str) -> None:
    before = os.stat(path)
    with open(path, "r+b") as file:
        file.seek(before.st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _file_to_directory(path: str) -> None:
    os.unlink(path)
    os.mkdir(path)


def _directory_to_link(path: str) -> None:
    shutil.rmtree(path)
    os.symlink("/usr/share", path)


def _relink(path: str) -> None:
    os.unlink(path)
    os.symlink("/nowhere", path)


def _sparse(path: str) -> None:
    with open(path, "wb") as file:
        file.truncate(1 << 24)


MUTATIONS: tuple[tuple[str, Callable[[str], object]], ...] = (
    ("usr/bin/tac", os.unlink),
    ("usr/share/doc/adduser", shutil.rmtree),
    ("usr/bin/who", _same_size_and_time),
    ("usr/bin/find", lambda p: os.chmod(p, 0o4755)),
    ("usr/bin/head", lambda p: os.chown(p, 1, 0)),
    ("usr/bin/tail", lambda p: os.chown(p, 0, 4)),
    ("etc/hostname", lambda p: _write(p, b"changed\n")),
    ("etc/motd", lambda p: _write(p, b"")),
    ("usr/bin/awk", _relink),
    ("usr/bin/wc", _file_to_directory),
    ("usr/share/doc/cron", _directory_to_link),
    ("usr/bin/nice", lambda p: run("setcap", "cap_net_raw+ep", p)),
    ("usr/bin/nl", lambda p: os.setxattr(p, "user.note", b"a\x00b")),
    ("etc/crontab", lambda p: run("setfacl", "-m", "u:1:rw", p)),
    ("etc/cron.d", lambda p: run("setfacl", "-d", "-m", "u:1:rwx", p)),
    ("etc/ssh", lambda p: os.chmod(p, 0o1775)),
    ("srv/empty", os.mkdir),
    ("srv/new", lambda p: _write(p, b"new")),
    ("srv/dangling", lambda p: os.symlink("../../../../../etc/shadow", p)),
    ("srv/pipe", os.mkfifo),
    ("srv/disk", lambda p: os.mknod(p, stat.S_IFBLK | 0o600, os.makedev(8, 0))),
    ("srv/two\nlines", lambda p: _write(p, b"")),
    ("srv/back\\slash", lambda p: _write(p, b"")),
    ("srv/byte-\udcff", lambda p: _write(os.fsencode(p), b"")),
    ("srv/ünïcode", lambda p: _write(p, b"")),
    ("srv/sparse", _sparse),
)


def test_same_differences_as_aide(driftscan: Driftscan, bed: Testbed, tmp_path: Path) -> None:
    aide = Aide(tmp_path)
    aide.record(bed.base())
    with bed.copy_of_base("mutated") as root:
        for path, mutate in MUTATIONS:
            mutate(f"{root}/{path}")
        judged = aide.check(root)
        outcome = driftscan.run("diff", f"rootfs:{bed.base()}", f"rootfs:{root}", "--zones", "none", "-o", "json")
    assert outcome.code == 1, outcome.explain()
    assert _sets(outcome) == judged
    assert len(judged.added | judged.removed | judged.modified) >= len(MUTATIONS)


def _sets(outcome: Outcome) -> Sets:
    files = [d for host in outcome.report["hosts"] for d in differences(host) if d["kind"] == "file"]
    assert not [d for d in files if d["change"] == "unknown"]
    return Sets(*(frozenset(d["key"] for d in files if d["change"] == c) for c in ("added", "removed", "modified")))


def test_same_tree_is_same(driftscan: Driftscan, bed: Testbed) -> None:
    with bed.copy_of_base("same") as root:
        outcome = driftscan.run("diff", f"rootfs:{bed.base()}", f"rootfs:{root}")
    assert outcome.code == 0, outcome.stdout


@pytest.fixture(scope="module")
def from_tree(driftscan: Driftscan, bed: Testbed) -> Path:
    """A manifest of the base as it lies on disk, never booted."""
    path = driftscan.home / "tree.manifest"
    baked = driftscan.run("bake", f"rootfs:{bed.base()}", "-o", str(path))
    assert baked.code == 0, baked.stderr
    return path


# What the base's cloud-init seed makes on first boot, and no zone declares.
SEEDED = (
    ("user", "deploy"),
    ("group", "deploy"),
    ("group", "adm"),
    ("group", "sudo"),
    ("password", "deploy"),
    ("password", "root"),
    ("sudo_rule", "/etc/sudoers.d/90-cloud-init-users:"),
    ("authorized_key", "deploy/"),
    ("authorized_key", "root/"),
    ("file", "/home/deploy"),
    ("file", "/root/.ssh"),
    ("file", "/etc/app"),
    ("file", "/srv/app"),
    ("file", "/usr/local/bin/app-health"),
    ("file", "/etc/sudoers.d"),
    ("host_entry", "127.0.1.1"),
    # Files that follow from the accounts.
    *(("file", f"/etc/{name}") for name in ("passwd", "group", "shadow", "gshadow", "subuid", "subgid")),
)


def test_live_host_agrees_with_its_image(
    driftscan: Driftscan, from_tree: Path, inventory: Path, fleet: dict[str, Host]
) -> None:
    """What booting alone changes is within zones; only what the seed asked for is open."""
    outcome = driftscan.scan(CLEAN[0], "-i", str(inventory), "-m", str(from_tree))
    unexpected = [
        describe(d)
        for d in differences(outcome.host(CLEAN[0]))
        if not any(d["kind"] == kind and d["key"].startswith(key) for kind, key in SEEDED)
    ]
    assert unexpected == []


# Booting mounts file systems of their own here; the disk's directories lie beneath them.
MOUNTED = ("/dev", "/proc", "/run", "/sys", "/tmp")


def test_one_tree_seen_live_and_as_directory(driftscan: Driftscan, inventory: Path, fleet: dict[str, Host]) -> None:
    """The same disk through ssh and through the file system: every image fact is the same."""
    host = fleet[CLEAN[0]]
    seen = driftscan.home / "live.snapshot"
    taken = driftscan.run("snapshot", host.name, "-i", str(inventory), "-o", str(seen))
    assert taken.code == 0, taken.stderr
    outcome = driftscan.run("diff", f"rootfs:{host.root}", f"snapshot:{seen}", "-o", "json")
    found = [d for h in outcome.report["hosts"] for d in differences(h)]
    # The host lives on between the two looks: its logs grow.
    beyond = [d for d in found if not (d["kind"] == "file" and d["key"].startswith((*MOUNTED, "/var/log/")))]
    assert [describe(d) for d in beyond] == []
