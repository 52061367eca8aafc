"""The probe leaves a machine to its other work: rate, share of the processor, priority, and the page cache."""

import ctypes
import mmap
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from driftscan.capture.live import Limits, ProbeSession, open_rootfs
from driftscan.capture.probe import render
from driftscan.errors import HostError
from driftscan.model.source import Status, Tree

PAGE = mmap.PAGESIZE
FILE = 1 << 20


@contextmanager
def session(root: Path, limits: Limits, program: str = "") -> Iterator[ProbeSession]:
    opened = open_rootfs(str(root), time.monotonic() + 600, limits=limits, program=program)
    try:
        yield opened
    finally:
        opened.close()


def walk(root: Path, limits: Limits, program: str = "") -> float:
    """Walk; how many seconds it took."""
    with session(root, limits, program) as opened:
        begun = time.monotonic()
        assert opened.ask([Tree()])[Tree()].status is Status.OK
        return time.monotonic() - begun


def grow(root: Path, count: int, size: int = FILE) -> int:
    """Files in directories of their own, so that workers share them; how many bytes."""
    for number in range(count):
        (root / str(number)).mkdir()
        (root / str(number) / "file").write_bytes(os.urandom(size))
    return count * size


@pytest.mark.parametrize("percent", [0, 100])
def test_bytes_a_second(tmp_path: Path, percent: int) -> None:
    """All workers together, and one alone."""
    rate = 2_000_000
    total = grow(tmp_path, 40, 150_000)
    # What may be saved up before counts as read at once.
    assert total / walk(tmp_path, Limits(percent, rate)) <= rate * 1.25


def own() -> dict[int, list[bytes]]:
    """The fields of proc_pid_stat(5) from the third on, of processes in sessions that children of ours lead."""
    rows = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                rows[int(entry.name)] = (entry / "stat").read_bytes().rpartition(b")")[2].split()
            except OSError:
                continue  # it has ended
    leaders = {pid for pid, row in rows.items() if int(row[1]) == os.getpid() and int(row[3]) == pid}
    return {pid: row for pid, row in rows.items() if int(row[3]) in leaders}


def used() -> float:
    """Seconds of the processor that the probe has taken."""
    return sum(int(field) for row in own().values() for field in row[11:15]) / os.sysconf("SC_CLK_TCK")


def reads(pid: int, root: Path) -> bool:
    """Whether a process has something open there."""
    handles = f"/proc/{pid}/fd"
    try:
        return any(os.readlink(f"{handles}/{each}").startswith(f"{root}/") for each in os.listdir(handles))
    except OSError:  # it has ended, or closes one just now
        return False


def _ask(opened: ProbeSession) -> None:
    with suppress(HostError):  # the probe is ended before the walk is
        opened.ask([Tree()])


@contextmanager
def walking(root: Path, limits: Limits, workers: int = 1) -> Iterator[None]:
    """While a walk is under way, by so many workers, all of which have begun."""
    with session(root, limits) as opened:
        asking = threading.Thread(target=_ask, args=(opened,), daemon=True)
        asking.start()
        while sum(reads(pid, root) for pid in own()) < workers:
            assert asking.is_alive(), "the walk has ended too soon"
            time.sleep(0.02)
        yield
        assert asking.is_alive(), "the walk has ended too soon"
        os.killpg(min(own()), signal.SIGKILL)
        asking.join(600)


@pytest.mark.parametrize("hole", [False, True])
def test_share_of_a_processor(tmp_path: Path, hole: bool) -> None:
    """Also while there is nothing to read: the digest of a hole takes as long as that of data."""
    share = 0.2
    if hole:
        (tmp_path / "hole").touch()
        os.truncate(tmp_path / "hole", 1 << 36)
    else:
        grow(tmp_path, 16)
        for number in range(400):
            for folder in tmp_path.iterdir():
                os.link(folder / "file", folder / f"link{number}")
    with walking(tmp_path, Limits(int(share * 100))):
        before, begun = used(), time.monotonic()
        time.sleep(2)
        spent = (used() - before) / (time.monotonic() - begun)
    assert 0 < spent <= share * 1.5


def test_priority(tmp_path: Path) -> None:
    """Low, for workers too; and never higher than that of who started it."""
    grow(tmp_path, 40, 150_000)
    with walking(tmp_path, Limits(200, 100_000), workers=2):
        running = {pid: row for pid, row in own().items() if row[0] != b"Z"}
        nice = {int(row[16]) for row in running.values()}
        classes = {_class_of(pid) for pid in running}
    assert len(running) >= 2
    assert nice == {max(10, os.getpriority(os.PRIO_PROCESS, 0))}
    assert classes == {"best-effort: prio 7"}


def _class_of(pid: int) -> str:
    return subprocess.run(["ionice", "-p", str(pid)], capture_output=True, check=True).stdout.decode().strip()


# The ways of reading that manners.py lists, as kernels without the newer ones have them.
NEWEST = render.script()
OLDER = NEWEST.replace("RWF_DONTCACHE = 0x80", "RWF_DONTCACHE = 0x40000000")


def resident(path: Path) -> list[bool]:
    """Which pages of a file are in the page cache (mincore(2))."""
    size = path.stat().st_size
    count = -(-size // PAGE)
    found = (ctypes.c_ubyte * count)()
    with path.open("r+b") as file, mmap.mmap(file.fileno(), size) as mapped:
        address = ctypes.addressof(ctypes.c_char.from_buffer(mapped))
        assert ctypes.CDLL(None).mincore(ctypes.c_void_p(address), ctypes.c_size_t(size), found) == 0
    return [bool(page & 1) for page in found]


def drop(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read(path: Path, size: int) -> None:
    """Bring the first pages into the cache, and those alone."""
    with path.open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        file.read(size)


@pytest.mark.parametrize("program", [NEWEST, OLDER], ids=["dropped while read", "dropped afterwards"])
def test_page_cache(tmp_path: Path, program: str) -> None:
    """What was in it stays, and what was read does not."""
    assert program == NEWEST or OLDER != NEWEST
    sizes = {"cold": 0, "warm": FILE, "begun": FILE // 2}
    files = {name: tmp_path / name for name in sizes}
    for name, path in files.items():
        path.write_bytes(os.urandom(FILE))
        drop(path)
        read(path, sizes[name])
    before = {name: resident(path) for name, path in files.items()}
    if [sum(pages) * PAGE for pages in before.values()] != list(sizes.values()):
        pytest.skip("this file system keeps pages in its own way")
    walk(tmp_path, Limits(), program)
    assert {name: resident(path) for name, path in files.items()} == before


HELD_BACK = """
import sys, time
from driftscan.capture.probe.crew import in_parallel
from driftscan.capture.probe.manners import Pace
from driftscan.capture.probe.rules import Rules
from driftscan.capture.probe.walk import Walker

class Asleep:
    def directory(self, path):
        time.sleep(600)

class Slow:
    def directory(self, path):
        list(Walker(path, Rules([]), "sha256", {}, Pace(0, 20000)).directory("", False))

print(file=sys.stderr, flush=True)
in_parallel([sys.argv[2]] * 20000, Asleep if sys.argv[1] == "2" else Slow, int(sys.argv[1]))
"""


@pytest.mark.parametrize("workers", ["2", "1"])
def test_held_back_it_still_sees_that_nobody_waits(workers: str, tmp_path: Path) -> None:
    """With more to do than workers take on, and within one directory of small files."""
    for number in range(100):
        (tmp_path / str(number)).write_bytes(bytes(50_000))
    argv = [sys.executable, "-c", HELD_BACK, workers, str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as probe:
        assert probe.stdout is not None
        assert probe.stderr is not None
        probe.stderr.readline()
        time.sleep(1)  # what it has to do is handed out as far as that goes
        assert probe.poll() is None
        probe.stdout.close()
        try:
            probe.wait(600)
        finally:
            probe.kill()
        assert b"HungUp" in probe.stderr.read()
