"""What images are written as: a layout (OCI image-layout.md) is a directory, or a tar of one, and an archive of `docker
save` a tar, too. A blob of a layout is named by its digest, and is what it is named for, or an error."""

import hashlib
import os
import posixpath
import re
import stat
from dataclasses import dataclass
from typing import Protocol

from driftscan.capture.image.headers import Member, TarError, members
from driftscan.errors import UsageError
from driftscan.model.names import show

DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
MAX_DOCUMENT = 4 << 20
"""Bytes of an index, manifest or configuration: registries take no larger ones."""
MAX_BLOBS = 10_000
MAX_LINKS = 8
_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a blob lies: `size` bytes of a file from `start` on."""

    path: str
    start: int
    size: int


class Blobs(Protocol):
    """What a layout holds, by the paths that the specification gives."""

    def place(self, path: str) -> Place | None:
        """Where a file of the layout lies; None if there is none."""


class Region:
    """A stretch of an open file as a `model.lines.Buffer`."""

    def __init__(self, name: str, descriptor: int, start: int, size: int) -> None:
        """The descriptor stays the caller's."""
        self.name = name
        self.size = size
        self._descriptor = descriptor
        self._start = start

    def read(self, start: int, stop: int) -> bytes:
        """See `Buffer`. UsageError where the file is shorter by now."""
        data = os.pread(self._descriptor, stop - start, self._start + start)
        if len(data) != stop - start:
            raise UsageError(f"{show(self.name)}: was cut short while it was read")
        return data


class Directory:
    """A layout as a directory."""

    def __init__(self, path: str) -> None:
        """The directory."""
        self._path = path

    def place(self, path: str) -> Place | None:
        """See Blobs. A name that leads to no regular file is none."""
        whole = os.path.join(self._path, path)
        try:
            status = os.stat(whole)
        except OSError:
            return None
        return Place(whole, 0, status.st_size) if stat.S_ISREG(status.st_mode) else None


class Archive:
    """A layout in a tar that is not compressed."""

    def __init__(self, path: str) -> None:
        """Find the blobs in it. UsageError for what is no such tar."""
        self._places: dict[str, Place] = {}
        self._links: dict[str, str] = {}
        with open(path, "rb") as file:
            if compression_of(file.read(8)):
                raise UsageError(f"{show(path)}: is compressed", "Unpack it once with gunzip or unzstd.")
            size = os.fstat(file.fileno()).st_size
            try:
                for member in members(Region(path, file.fileno(), 0, size)):
                    if len(self._places) + len(self._links) < MAX_BLOBS:
                        self._note(path, member)
            except TarError as error:
                raise UsageError(f"{show(path)}: no tar of an image: {error}") from error

    def _note(self, path: str, member: Member) -> None:
        """Files, and links to files: `docker save` and tar write what they had already as a link."""
        name, link = (posixpath.normpath(os.fsdecode(each)) for each in (member.name, member.link))
        if member.kind == "f":
            self._places[name] = Place(path, member.start, member.size)
            self._links.pop(name, None)
        elif member.kind in "hl":
            self._links[name] = link if member.kind == "h" else posixpath.normpath(f"{posixpath.dirname(name)}/{link}")
            self._places.pop(name, None)

    def place(self, path: str) -> Place | None:
        """See Blobs."""
        for _ in range(MAX_LINKS):
            if path not in self._links:
                return self._places.get(path)
            path = self._links[path]
        return None


def compression_of(head: bytes) -> str:
    """How what begins so is compressed: `gzip`, `zstd`, or not at all."""
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), "")


def open_archive(path: str) -> Blobs:
    """What a tar, or a directory, holds. UsageError if it cannot be read."""
    try:
        return Directory(path) if os.path.isdir(path) else Archive(path)
    except OSError as error:
        raise UsageError(f"{show(path)}: cannot be read: {error.strerror}") from error


def open_layout(path: str) -> Blobs:
    """The layout at a path. UsageError if there is none."""
    found = open_archive(path)
    if found.place("index.json") is None:
        if found.place("manifest.json") is not None and not os.path.isdir(path):
            raise UsageError(
                f"{show(path)}: holds no index.json, but what `docker save` writes", "Write docker-archive:FILE."
            )
        raise UsageError(
            f"{show(path)}: holds no index.json, so it is no OCI image layout",
            "Write one with `docker buildx build --output type=oci,dest=image.tar`, `skopeo copy ... oci:DIR:TAG`, or"
            " `buildah push ... oci:DIR:TAG`.",
        )
    return found


def path_of(digest: str) -> str:
    """Where a layout has the blob of a digest."""
    return "blobs/" + digest.replace(":", "/", 1)


def document(blobs: Blobs, path: str, what: str) -> bytes:
    """A file of a layout that is not named by its digest. UsageError if it is missing or too large."""
    place = blobs.place(path)
    if place is None:
        raise UsageError(f"{what}: {path} is missing in the layout", "Was it copied whole?")
    if place.size > MAX_DOCUMENT:
        raise UsageError(f"{what}: {path} is larger than {MAX_DOCUMENT >> 20} MiB")
    with open(place.path, "rb") as file:
        file.seek(place.start)
        return file.read(place.size)


def blob(blobs: Blobs, digest: str, size: int, what: str) -> Place:
    """Where a blob lies. UsageError if it is missing or of another size; its content is not looked at."""
    place = blobs.place(path_of(digest))
    if place is None:
        raise UsageError(f"{what}: {digest} is missing in the layout", "Was it copied whole?")
    if place.size != size:
        raise UsageError(f"{what}: {digest} has {place.size:,} bytes where {size:,} are announced")
    return place


def verified(blobs: Blobs, digest: str, size: int, what: str) -> bytes:
    """A small blob's content. UsageError if it is not that of the digest."""
    blob(blobs, digest, size, what)
    data = document(blobs, path_of(digest), what)
    if new_digest(digest, data).hexdigest() != digest.partition(":")[2]:
        raise UsageError(f"{what}: the content of {digest} is not that of its digest", "Was the layout changed?")
    return data


def new_digest(digest: str, data: bytes = b"") -> "hashlib._Hash":
    """A hash of the algorithm that a digest names."""
    return hashlib.new(digest.partition(":")[0], data, usedforsecurity=False)
