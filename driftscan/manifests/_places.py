"""Where a registry's manifests lie: a directory, or a bucket of S3."""

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from driftscan import atomic, aws, stored
from driftscan.errors import DriftscanError, UsageError
from driftscan.model.codec import digest
from driftscan.model.lines import Buffer, Held
from driftscan.model.names import show
from driftscan.schema_check import quoted

SUFFIX = ".manifest"
MAX_HEAD = 256 << 10
"""Bytes in which the first line of a manifest must end."""
MAX_ENTRIES = 10_000


@dataclass(frozen=True, slots=True)
class Item:
    """One file of a registry. `version` changes whenever its content does."""

    name: str
    version: str
    size: int


class Place(Protocol):
    """A directory or a bucket. Every method raises UsageError."""

    def items(self) -> list[Item]:
        """All manifests, by name."""

    def head(self, item: Item) -> bytes:
        """The first line, or the first `MAX_HEAD` bytes of it."""

    def body(self, item: Item) -> Buffer:
        """All of it."""


def open_place(location: str, cache: Path | None) -> Place:
    """A directory, a single manifest, or `s3://bucket/prefix` whose objects are kept in `cache`."""
    if location.startswith("s3://"):
        return Bucket(location, cache)
    if "://" in location:
        raise UsageError(f"{quoted(location)} is no registry", "A registry is a directory or s3://bucket/prefix.")
    return Directory(location)


class Directory:
    """The `*.manifest` files of a directory, not of those below it; or one file."""

    def __init__(self, path: str) -> None:
        """Nothing is read yet."""
        self._path = path

    def items(self) -> list[Item]:
        """See `Place`."""
        if os.path.isfile(self._path):
            return [self._item(self._path)]
        try:
            names = sorted(name for name in os.listdir(self._path) if name.endswith(SUFFIX))
        except OSError as error:
            hint = "Give a manifest, or a directory of *.manifest files; `driftscan bake` writes them."
            raise UsageError(f"{show(self._path)}: no registry: {error.strerror}", hint) from error
        _check_count(self._path, len(names))
        return [self._item(os.path.join(self._path, name)) for name in names]

    def _item(self, path: str) -> Item:
        try:
            there = os.stat(path)
        except OSError:
            return Item(path, "", 0)  # a dangling link: reading it tells
        return Item(path, f"{there.st_ino}-{there.st_size}-{there.st_mtime_ns}", there.st_size)

    def head(self, item: Item) -> bytes:
        """See `Place`."""
        try:
            if not stat.S_ISREG(os.stat(item.name).st_mode):  # a pipe would never answer
                raise UsageError(f"{show(item.name)}: is not a regular file", "Remove it from the registry.")
            with open(item.name, "rb") as stream:
                return stream.readline(MAX_HEAD)
        except OSError as error:
            raise UsageError(
                f"{show(item.name)}: cannot be read: {error.strerror}", "Check its owner and mode."
            ) from error

    def body(self, item: Item) -> Buffer:
        """See `Place`."""
        return stored.open_file(item.name)


class Bucket:
    """The `*.manifest` objects below a prefix of an S3 bucket. Objects are told apart by their ETag (S3 changes it
    with the content), so what is in the cache need not be fetched again."""

    def __init__(self, location: str, cache: Path | None) -> None:
        """Nothing is asked yet, but for the client's configuration."""
        self._bucket, _, self._prefix = location.removeprefix("s3://").partition("/")
        self._location = location
        self._cache = cache
        self._client: Any = aws.client("s3")

    def items(self) -> list[Item]:
        """See `Place`."""
        found = aws.paginate(self._client, "list_objects_v2", "Contents", Bucket=self._bucket, Prefix=self._prefix)
        items = [
            Item(f"s3://{self._bucket}/{item['Key']}", item["ETag"].strip('"'), item["Size"])
            for item in self._below(found)
        ]
        _check_count(self._location, len(items))
        return sorted(items, key=lambda item: item.name)

    def _below(self, found: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
        """A prefix is a folder or one object: `s3://b/web` does not mean what lies in `s3://b/web-old/`."""
        folder = self._prefix if not self._prefix or self._prefix.endswith("/") else self._prefix + "/"
        for item in found:
            key = item["Key"]
            if key == self._prefix or (
                key.startswith(folder) and "/" not in key[len(folder) :] and key.endswith(SUFFIX)
            ):
                yield item

    def head(self, item: Item) -> bytes:
        """See `Place`."""
        if not item.size:
            return b""  # S3 has no first byte of it to give
        cached = self._cached(item)
        start = cached if cached is not None else self._get(item, Range=f"bytes=0-{MAX_HEAD - 1}")
        return start[: start.find(b"\n") + 1] or start[:MAX_HEAD]

    def body(self, item: Item) -> Buffer:
        """See `Place`."""
        cached = self._cached(item)
        if cached is not None:
            return Held(item.name, cached)
        data = self._get(item)
        if path := self._cache_path(item):
            try:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                atomic.write(path, (digest(data).encode(), b"\n", data))
            except (OSError, DriftscanError):
                pass  # a cache that cannot be written costs time, not the scan
        return Held(item.name, data)

    def _get(self, item: Item, **options: str) -> bytes:
        """What is now under the key, if it still is the item that was listed."""
        key = item.name.removeprefix(f"s3://{self._bucket}/")
        with aws.explained("s3"):
            answer = self._client.get_object(Bucket=self._bucket, Key=key, IfMatch=item.version, **options)
            data: bytes = answer["Body"].read()
        return data

    def _cache_path(self, item: Item) -> Path | None:
        if self._cache is None:
            return None
        name = digest(f"{item.name}\n{item.version}".encode()).removeprefix("sha256:")
        return self._cache / f"{name}{SUFFIX}"

    def _cached(self, item: Item) -> bytes | None:
        """What the cache has, if it is still what was put there: a digest, a newline, the object."""
        path = self._cache_path(item)
        try:
            kept, _, data = path.read_bytes().partition(b"\n") if path else (b"", b"", b"")
        except OSError:
            return None
        return data if path and kept.decode("ascii", "replace") == digest(data) else None


def _check_count(location: str, count: int) -> None:
    if count > MAX_ENTRIES:
        raise UsageError(f"{show(location)}: more than {MAX_ENTRIES} manifests", "Name a narrower directory or prefix.")
