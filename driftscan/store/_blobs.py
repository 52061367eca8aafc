"""Bytes by their SHA-256: `blobs/ab/cdef...`, written atomically, checked whenever they are read."""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from driftscan import atomic
from driftscan.errors import IncompleteError, UsageError
from driftscan.model.codec import digest as digest_of
from driftscan.model.names import show

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Old:
    """A blob that was last put long ago, or (without a digest) what a crash left half-written."""

    digest: str
    name: str
    size: int


def hexadecimal(digest: str) -> str:
    """The digits of a digest. UsageError for anything else."""
    if not _DIGEST.fullmatch(digest):
        raise UsageError(f"'{show(digest[:80])}' is not a digest", "A digest is sha256: and 64 hexadecimal digits.")
    return digest.removeprefix("sha256:")


class Blobs:
    """A directory of blobs. Several processes may write at once: equal bytes have one name, and a rename is whole."""

    def __init__(self, directory: Path) -> None:
        """The directory need not exist; the first `put` makes it, for this user alone."""
        self._directory = directory

    def put(self, data: bytes) -> str:
        """Keep bytes and return their digest (`sha256:...`). IncompleteError if they cannot be written."""
        digest = digest_of(data)
        path = self._path(digest)
        if not (self._is_whole(path, digest) and _touched(path)):
            make_private(path.parent)
            try:
                atomic.write(path, (data,))
            except UsageError as error:
                raise IncompleteError(error.message, error.hint) from error
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes of a digest. IncompleteError if there are none such or they are no longer those."""
        path = self._path(digest)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise IncompleteError(
                f"{show(str(path))}: no such blob", "It was removed from the state directory."
            ) from None
        except OSError as error:
            raise IncompleteError(f"{show(str(path))}: cannot be read: {error.strerror}", _CHECK) from error
        if digest_of(data) != digest:
            raise IncompleteError(f"{show(str(path))}: the blob is damaged", "Remove it.")
        return data

    def has(self, digest: str) -> bool:
        """Whether there is such a blob (not whether it is whole: `get` checks that)."""
        return self._path(digest).is_file()

    def old(self, before: float) -> Iterator[list[Old]]:
        """What was last put before a time (seconds since 1970), in parts. IncompleteError if it cannot be listed."""
        found = []
        with self._told():
            for path in sorted(self._directory.glob("*/*")):
                with suppress(FileNotFoundError):  # somebody else finished writing or removing it
                    status = path.lstat()
                    if status.st_mtime < before:
                        digest = "" if path.name.startswith(".") else f"sha256:{path.parent.name}{path.name}"
                        found.append(Old(digest, str(path), status.st_size))
        yield found

    def remove(self, unwanted: Iterable[Old], before: float) -> tuple[int, int]:
        """Remove what is old; how many blobs, and of how many bytes. IncompleteError if one cannot be removed.

        A blob that is put again meanwhile stays: it is taken aside first, and put back where its time says so."""
        removed = size = 0
        with self._told():
            for each in unwanted:
                path = Path(each.name)
                aside = path.with_name(f".{path.name[:50]}.gone")
                try:
                    path.rename(aside)
                except FileNotFoundError:  # another prune was here first
                    continue
                if aside.lstat().st_mtime >= before:
                    aside.rename(path)
                    continue
                aside.unlink()
                removed, size = removed + bool(each.digest), size + each.size
        return removed, size

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise IncompleteError(f"{show(str(self._directory))}: {error.strerror}", _CHECK) from error

    def _path(self, digest: str) -> Path:
        name = hexadecimal(digest)
        return self._directory / name[:2] / name[2:]

    def _is_whole(self, path: Path, digest: str) -> bool:
        """Whether the blob is there undamaged; a damaged one is written again."""
        try:
            with path.open("rb") as stream:
                return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}" == digest
        except OSError:
            return False


def _touched(path: Path) -> bool:
    """Put off its end (`collect`); False if it was removed just now."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    except OSError:  # on a file system that cannot be written to it ends no more either
        return True
    return True


_CHECK = "Check the owner and mode of the state directory."


def make_private(directory: Path) -> None:
    """Make a directory and its parents, readable for this user alone. IncompleteError if that cannot be done."""
    try:
        missing = [folder for folder in (directory, *directory.parents) if not folder.exists()]
        for folder in reversed(missing):
            if folder.is_symlink():
                raise IncompleteError(f"{show(str(folder))}: is a link to what is not there", "Make what it leads to.")
            folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        where = show(os.fspath(directory))
        raise IncompleteError(f"{where}: cannot be made: {error.strerror}", _CHECK) from error
