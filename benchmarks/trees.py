"""Trees to walk, made of nothing but a seed: the same names, sizes and contents on every machine.

Their measure is a Debian server with a compiler, git and nginx: half of the files are below 1.5 KB, a few hold most of
the bytes, a directory has about nine entries, and most lie three to eight levels deep.
"""

import contextlib
import fcntl
import math
import os
import random
import socket
import struct
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_SEED = 20240601
_DEEPEST = 9
_MEDIAN = 1500
_SPREAD = 2.0
"""Standard deviation of the logarithm of a file's size."""
_LARGEST = 60_000_000
_WORDS = ("lib", "share", "python3", "man", "include", "perl", "doc", "locale", "modules", "site")
_ENDINGS = ("so", "py", "txt", "h", "pm", "gz", "mo", "html")
_FS_IOC_SETFLAGS = 0x40086602
_NODUMP = 0x40


@dataclass(frozen=True)
class Shape:
    """How many regular files, and bytes in all of them."""

    files: int
    size: int


STANDARD = Shape(33_000, 640_000_000)
LARGE = Shape(140_000, 2_700_000_000)


@contextlib.contextmanager
def temporary(shape: Shape) -> Iterator[str]:
    """A tree below a scratch directory (TMPDIR says where), removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="driftscan-tree-") as folder:
        top = Path(folder, "tree")
        make(top, shape)
        yield str(top)


def make(top: Path, shape: Shape) -> None:
    """Make the tree at `top`, which must not exist."""
    chance = random.Random(_SEED)
    folders = _folders(top, shape.files // 9, chance)
    block = chance.randbytes(1 << 20)
    for number, size in enumerate(_sizes(shape, chance)):
        path = f"{chance.choice(folders)}/file-{number:06d}.{chance.choice(_ENDINGS)}"
        _write(path, number, size, block)
        if number % 20 == 0:
            os.symlink(os.path.basename(path), f"{path}.link")
    _odd(top / "odd")


def _folders(top: Path, count: int, chance: random.Random) -> list[str]:
    """Directories: each new one lies in one of the last, or in one near the top."""
    top.mkdir(parents=True)
    found, depths = [str(top)], [0]
    while len(found) < count:
        recent = range(max(0, len(found) - 200), len(found))
        parent = chance.choice(recent) if chance.random() < 0.6 else chance.randrange(min(40, len(found)))
        if depths[parent] < _DEEPEST:
            found.append(f"{found[parent]}/{chance.choice(_WORDS)}-{len(found):05d}")
            depths.append(depths[parent] + 1)
            os.mkdir(found[-1])
    return found


def _sizes(shape: Shape, chance: random.Random) -> Sequence[int]:
    """Sizes of files, log-normal; the largest fiftieth is scaled so that the sum comes out."""
    sizes = sorted(min(int(math.exp(chance.gauss(math.log(_MEDIAN), _SPREAD))), _LARGEST) for _ in range(shape.files))
    few = max(1, shape.files // 50)
    rest, large = sum(sizes[:-few]), sum(sizes[-few:])
    scale = max(0.0, (shape.size - rest) / large)
    sizes[-few:] = [int(size * scale) for size in sizes[-few:]]
    chance.shuffle(sizes)
    return sizes


def _write(path: str, number: int, size: int, block: bytes) -> None:
    """A content of its own: no two files share a digest unless they are too short for it."""
    with open(path, "xb") as file:
        left = size - file.write(b"%d\n" % number if size > 8 else b"x" * size)
        while left > 0:
            left -= file.write(block[:left])


def _odd(folder: Path) -> None:
    """What a walk must not stumble over: fifteen entries, so that they weigh nothing."""
    folder.mkdir()
    for name in ("with\nnewline", "-n", " blank ", "back\\slash", os.fsdecode(b"bytes-\xff\xfe"), "\u00fc\u0142\u65e5"):
        (folder / name).write_bytes(os.fsencode(name))
    os.link(folder / "-n", folder / "second name")
    os.symlink("nowhere/at/all", folder / "dangling")
    os.symlink("../odd", folder / "to a directory")
    os.mkfifo(folder / "fifo")
    with socket.socket(socket.AF_UNIX) as server, contextlib.chdir(folder):  # its path may be 107 bytes long
        server.bind("socket")
    with open(folder / "sparse", "wb") as file:
        file.truncate(1_000_000)
        file.seek(500_000)
        file.write(b"island")
    (folder / "set-id").write_bytes(b"")
    (folder / "set-id").chmod(0o6755)
    os.utime(folder / "set-id", ns=(0, -1_500_000_000))
    _attributes(folder / "attributes")


def _attributes(path: Path) -> None:
    """Extended attributes and a flag, where the file system has such."""
    path.write_bytes(b"with attributes")
    with contextlib.suppress(OSError):
        for name, value in (("user.plain", b"value"), ("user.a=b,c\\d", b"\0\xff,="), ("user.empty", b"")):
            os.setxattr(path, name, value)
        os.setxattr(path.parent, "user.of-a-directory", b"1")
        os.setxattr(path, "user.long", b"long" * 2000)
    with contextlib.suppress(OSError), path.open("rb") as file:
        fcntl.ioctl(file, _FS_IOC_SETFLAGS, struct.pack("l", _NODUMP))
