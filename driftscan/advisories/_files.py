"""Files of advisories as texts of JSON: plain, compressed, in a zip, in a folder. They are the user's and may be
broken or hostile all the same: what they unfold to is bounded."""

import hashlib
import os
import stat
import zipfile
from collections.abc import Iterator
from io import BufferedReader

from driftscan.compressed import BROKEN, Readable, unfolded
from driftscan.errors import UsageError
from driftscan.model.names import show

MAX_TEXT = 1 << 30
"""Bytes of one file when unfolded."""
MAX_MEMBER = 64 << 20
"""Bytes of one record's file in a zip."""
MAX_ALL = 8 << 30
"""Bytes of all that one archive unfolds to."""
MAX_FILES = 2_000_000
_BLOCK = 1 << 20
_ZIP = b"PK\x03\x04"
_BROKEN = (
    *BROKEN,
    zipfile.BadZipFile,
    NotImplementedError,  # a compression that zipfile does not know
    RuntimeError,  # an encrypted member
)


def paths_of(given: str) -> list[str]:
    """The files of a path: itself, or in a folder, at any depth, all that may hold advisories. UsageError if there is
    none."""
    if not os.path.isdir(given):
        if not os.path.exists(given):
            raise UsageError(f"--advisories {show(given)}: no such file or folder", "Check the path.")
        return [given]
    found: list[str] = []
    for folder, folders, names in os.walk(given):
        folders.sort()
        found += [os.path.join(folder, name) for name in sorted(names) if ".json" in name or name.endswith(".zip")]
        if len(found) > MAX_FILES:
            raise UsageError(f"--advisories {show(given)}: more than {MAX_FILES:,} files", "Is it the right folder?")
    if not found:
        hint = "It needs files of JSON (*.json, *.json.gz, *.jsonl) or *.zip."
        raise UsageError(f"--advisories {show(given)}: no advisories in this folder", hint)
    return found


def digests_of(paths: list[str]) -> list[bytes]:
    """SHA-256 of the content of each file. UsageError if one cannot be read."""
    found = []
    for path in paths:
        with _opened(path) as stream:
            found.append(hashlib.file_digest(stream, "sha256").digest())
    return found


def texts_of(path: str) -> Iterator[tuple[str, str]]:
    """(where, text) of each JSON text of a file; of a zip, of each of its JSON files. UsageError for one that is
    broken, larger than what is bounded, or not UTF-8."""
    with _opened(path) as stream:
        start = stream.read(len(_ZIP))
        stream.seek(0)
        try:
            if start.startswith(_ZIP):
                yield from _members(path, stream)
                return
            data = _bounded(unfolded(stream), MAX_TEXT, path)
        except _BROKEN as error:
            raise UsageError(f"{show(path)}: {show(str(error))}", "Fetch the file again.") from error
    yield path, _text(data, path)


def _members(path: str, stream: BufferedReader) -> Iterator[tuple[str, str]]:
    left = MAX_ALL
    with zipfile.ZipFile(stream) as archive:
        members = [each for each in archive.infolist() if each.filename.endswith(".json")]
        if len(members) > MAX_FILES:
            raise UsageError(f"{show(path)}: more than {MAX_FILES:,} files", "Is it the right file?")
        for member in members:
            where = f"{path}: {member.filename}"
            with archive.open(member) as unfolded:
                data = _bounded(unfolded, min(MAX_MEMBER, left), where)
            left -= len(data)
            yield where, _text(data, where)


def _bounded(stream: Readable, limit: int, where: str) -> bytes:
    parts: list[bytes] = []
    size = 0
    while block := stream.read(_BLOCK):
        size += len(block)
        if size > limit:
            raise UsageError(f"{show(where)}: unfolds to more than {limit >> 20:,} MiB", "Is it the right file?")
        parts.append(block)
    return b"".join(parts)


def _text(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{show(where)}: byte {error.start:,} is no UTF-8", "It should be JSON.") from None


def _opened(path: str) -> BufferedReader:
    try:
        stream = open(path, "rb")  # noqa: SIM115 - the callers close it
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            stream.close()
            raise UsageError(f"{show(path)}: is no regular file", "Save it to a file first.")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"{show(path)}: cannot be read: {why}", "Check its owner and mode.") from error
    return stream
