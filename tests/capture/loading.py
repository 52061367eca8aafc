"""A process that has loaded files which were then taken away from it."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from driftscan.model.source import Fate, ProcessRow

_PROGRAM = """
import mmap, os, sys
kept = []
def load(path, shared=False, code=True):
    handle = os.open(path, os.O_RDWR)
    flags = mmap.MAP_SHARED if shared else mmap.MAP_PRIVATE
    kept.append(mmap.mmap(handle, 4096, flags, mmap.PROT_READ | (mmap.PROT_EXEC if code else 0)))
    os.close(handle)
os.chdir(sys.argv[1])
for name in sorted(os.listdir(b".")):
    load(name, name.startswith(b"compiled"), not name.startswith(b"data"))
memory = os.memfd_create("x3f2a91c77")
os.write(memory, b"m" * 4096)
load("/proc/self/fd/%d" % memory)
print("ready", flush=True)
sys.stdin.read()
"""
"""It maps each file of a directory as a loader does, but for one as a compiler at run time does, and one as data."""
_STAY = {b"same": Fate.SCRATCH, b"a name (deleted)": Fate.SCRATCH, b"compiled and there": None}
_GO = {
    b"deleted": Fate.DELETED,
    b"replaced": Fate.REPLACED,
    b"equal": Fate.EQUAL,
    b"decoy": Fate.DELETED,
    b"new\nline": Fate.DELETED,
    b"back\\012slash": Fate.DELETED,
    b"linked": Fate.DELETED,
    b"compiled": None,
    b"data": None,
}
"""None: it is no code that a loader loaded."""
IN_MEMORY = b"/memfd:x3f2a91c77"
EXPECTED = {**{name: fate for name, fate in (_GO | _STAY).items() if fate}, IN_MEMORY: Fate.MEMORY}


def text(name: bytes) -> bytes:
    """The content of a file, of one page."""
    return name.ljust(4096, b".") if name != IN_MEMORY else b"m" * 4096


@contextmanager
def loader() -> Iterator[tuple[int, Path]]:
    """The process's number, and where its files lie, in scratch space; most are changed behind its back."""
    with TemporaryDirectory(dir="/tmp", prefix="loaded-") as place, _loader(Path(place)) as pid:
        yield pid, Path(place)


@contextmanager
def _loader(folder: Path) -> Iterator[int]:
    for name in (*_STAY, *_GO):
        _path(folder, name).write_bytes(text(name))
    argv = [sys.executable, "-c", _PROGRAM, str(folder)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        (folder / "another-name").hardlink_to(folder / "linked")
        for name in _GO:
            _path(folder, name).unlink()
        (folder / "replaced").write_bytes(b"something else")
        (folder / "equal").write_bytes(text(b"equal"))
        (folder / "decoy (deleted)").write_bytes(text(b"decoy"))
        yield child.pid
        child.stdin.close()


def told(row: ProcessRow, folder: Path) -> Mapping[bytes, tuple[Fate, str]]:
    """What a probe tells of it: name -> what became of the file, and the digest of what runs. Where another file is in
    its place, it tells since when."""
    for file in row.loaded:
        assert (file.since > 1_700_000_000 * 10**9) is (file.fate in {Fate.REPLACED, Fate.EQUAL, Fate.SCRATCH})
    return {file.path.removeprefix(bytes(folder) + b"/"): (file.fate, file.sha256) for file in row.loaded}


def _path(folder: Path, name: bytes) -> Path:
    return folder / os.fsdecode(name)
