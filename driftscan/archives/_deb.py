"""What a Debian package archive holds: deb(5), an ar(5) archive of `debian-binary`, `control.tar` and `data.tar`, the
latter two compressed. Read as a stream: neither is unpacked, and nothing of it is written or run."""

import bz2
import gzip
import hashlib
import io
import lzma
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from posixpath import normpath
from typing import IO, BinaryIO, cast

from driftscan.compressed import ZstdError, ZstdFile
from driftscan.errors import UsageError
from driftscan.model.names import encode_name, show
from driftscan.model.proof import INFO, Shipped

MAX_FILES = 300_000
MAX_UNPACKED = 32 << 30
"""Bytes of all files of an archive: the largest that Debian has are of some GiB."""
MAX_CONTROL = 16 << 20
SCRIPTS = ("preinst", "postinst")
_MAGIC = b"!<arch>\n"
_HEADER = 60
_SIZE = re.compile(rb"(\d{1,10}) *")
_FIELD = re.compile(r"^(Package|Version|Architecture|Multi-Arch): *(\S+) *$", re.MULTILINE)
_CONTROL = re.compile(r"[A-Za-z0-9-]+")
_PIECE = 1 << 20
_TYPES = {
    tarfile.REGTYPE: "regular",
    tarfile.AREGTYPE: "regular",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.FIFOTYPE: "fifo",
    tarfile.CHRTYPE: "character",
    tarfile.BLKTYPE: "block",
}
_FILES: Mapping[str, Callable[[BinaryIO], object]] = {
    ".gz": lambda part: gzip.GzipFile(fileobj=part),
    ".xz": lzma.LZMAFile,
    ".lzma": lzma.LZMAFile,
    ".bz2": bz2.BZ2File,
    ".zst": ZstdFile,
}
_BROKEN = (tarfile.TarError, lzma.LZMAError, ZstdError, zlib.error, EOFError, OSError, ValueError, LookupError)


@dataclass(frozen=True, slots=True)
class Contents:
    """An archive: what its control file says it is, its files and those of its control part by path, and the text of
    its install scripts."""

    package: str
    version: str
    architecture: str
    files: dict[str, Shipped]
    scripts: str


@dataclass(frozen=True, slots=True)
class _Control:
    """The control part: texts that are read, and by name what dpkg keeps beneath /var/lib/dpkg/info as it is."""

    texts: dict[str, str] = field(default_factory=dict)
    files: dict[str, Shipped] = field(default_factory=dict)


class _Part(io.RawIOBase):
    """A stretch of a file, as a file."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        data = self._file.read(min(len(buffer), self._left))
        buffer[: len(data)] = data
        self._left -= len(data)
        return len(data)


def contents(file: BinaryIO, name: str) -> Contents:
    """Read an archive that is open at its beginning. UsageError if it is none, is damaged, or is too large."""
    try:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise ValueError("it does not begin as one")
        control = _Control()
        files: dict[str, Shipped] | None = None
        for member, part in _members(file):
            if member.startswith("control.tar"):
                control = _control(part, member)
            elif member.startswith("data.tar"):
                files = _data(part, member)
        found = dict(_FIELD.findall(control.texts.get("control", "")))
        if files is None or not {"Package", "Version", "Architecture"} <= found.keys():
            raise ValueError("it has no data or no control file")
    except _BROKEN as error:
        raise UsageError(
            f"{show(name)}: not a Debian package that can be read: {show(str(error)) or type(error).__name__}",
            "Fetch it again, or take it away.",
        ) from error
    scripts = "\n".join(control.texts[script] for script in SCRIPTS if script in control.texts)
    package, architecture = found["Package"], found["Architecture"]
    stem = f"{package}:{architecture}" if found.get("Multi-Arch") == "same" else package
    files.update((f"{INFO}{stem}.{name}", shipped) for name, shipped in control.files.items())
    return Contents(package, found["Version"], architecture, files, scripts)


def _members(file: BinaryIO) -> Iterator[tuple[str, BinaryIO]]:
    place = len(_MAGIC)
    while header := file.read(_HEADER):
        size = _SIZE.fullmatch(header[48:58])
        if len(header) < _HEADER or header[58:] != b"`\n" or size is None:
            raise ValueError("a member of it has no header")
        place += _HEADER
        yield header[:16].decode("ascii", "replace").strip().rstrip("/"), io.BufferedReader(_Part(file, int(size[1])))
        place += int(size[1]) + int(size[1]) % 2
        file.seek(place)


@contextmanager
def _tar(part: BinaryIO, member: str) -> Iterator[tarfile.TarFile]:
    compression = member.partition(".tar")[2]
    if compression and compression not in _FILES:
        raise ValueError(f"its {member} is compressed in an unknown way")
    stream = cast("IO[bytes]", _FILES[compression](part)) if compression else part
    with stream, tarfile.open(fileobj=stream, mode="r|", encoding="utf-8", errors="surrogateescape") as tar:
        yield tar


def _control(part: BinaryIO, member: str) -> _Control:
    found = _Control()
    left = MAX_CONTROL
    with _tar(part, member) as tar:
        for item in tar:
            left -= item.size
            if left < 0:
                raise ValueError("its control files are too large")
            name = item.name.removeprefix("./")
            if not item.isreg() or not _CONTROL.fullmatch(name):
                continue
            data = cast("IO[bytes]", tar.extractfile(item)).read()
            if name in {"control", *SCRIPTS}:
                found.texts[name] = data.decode("utf-8", "replace")
            if name != "control":  # that becomes an entry of dpkg's status
                digest = hashlib.sha256(data).hexdigest()
                found.files[name] = Shipped("regular", digest, _mode(item), item.uid, item.gid)
    return found


def _data(part: BinaryIO, member: str) -> dict[str, Shipped]:
    found: dict[str, Shipped] = {}
    left = MAX_UNPACKED
    with _tar(part, member) as tar:
        for item in tar:
            left -= item.size
            if left < 0 or len(found) >= MAX_FILES:
                raise ValueError("it unpacks to more than a package holds")
            path = _path(item.name)
            if item.islnk():  # to a file of the same archive, which stands before it
                found[path] = found[_path(item.linkname)]
            elif path != "/":
                found[path] = _shipped(tar, item)
    return found


def _path(name: str) -> str:
    return encode_name(normpath("/" + name.lstrip("/")).encode("utf-8", "surrogateescape"))


def _shipped(tar: tarfile.TarFile, item: tarfile.TarInfo) -> Shipped:
    kind = _TYPES.get(item.type, "regular")
    content: str | None = None
    if kind == "symlink":
        content = encode_name(item.linkname.encode("utf-8", "surrogateescape"))
    elif kind == "regular":
        content = _digest(tar.extractfile(item))
    return Shipped(kind, content, None if kind == "symlink" else _mode(item), item.uid, item.gid)


def _mode(item: tarfile.TarInfo) -> str:
    return f"{item.mode & 0o7777:04o}"


def _digest(file: IO[bytes] | None) -> str:
    digest = hashlib.sha256()
    while file is not None and (piece := file.read(_PIECE)):
        digest.update(piece)
    return digest.hexdigest()
