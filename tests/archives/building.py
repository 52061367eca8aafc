"""Debian packages for tests, byte by byte as deb(5) has them."""

import bz2
import gzip
import io
import lzma
import sys
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PACK: Mapping[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
    ".zst": zstd.compress,
}


def entry(name: str, data: bytes = b"", **more: object) -> tuple[tarfile.TarInfo, bytes]:
    """A regular file of root's, unless told otherwise."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o644
    for field, value in more.items():
        setattr(info, field, value)
    return info, data


def tar(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for info, data in entries:
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def ar(members: Mapping[str, bytes]) -> bytes:
    out = b"!<arch>\n"
    for name, data in members.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
    return out


def control(name: str = "tool", version: str = "2.0", architecture: str = "all") -> bytes:
    return f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\nDescription: x\n".encode()


def deb(
    *entries: tuple[tarfile.TarInfo, bytes],
    head: bytes | None = None,
    postinst: bytes = b"",
    about: tuple[tuple[tarfile.TarInfo, bytes], ...] = (),
    compression: str = ".xz",
) -> bytes:
    """`about`: more control files."""
    told = [entry("./control", control() if head is None else head), *about]
    told += [entry("./postinst", postinst, mode=0o755)] if postinst else []
    pack = PACK[compression]
    return ar({
        "debian-binary": b"2.0\n",
        f"control.tar{compression}": pack(tar(*told)),
        f"data.tar{compression}": pack(tar(entry("./", type=tarfile.DIRTYPE, mode=0o755), *entries)),
    })  # fmt: skip


def put(directory: Path, name: str, data: bytes) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_bytes(data)
    return directory / name
