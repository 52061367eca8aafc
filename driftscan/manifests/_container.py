"""What `driftscan.manifest/1` and `driftscan.snapshot/1` share: lines of canonical JSON between an envelope and a
trailer that seals them (docs/formats/manifest.md)."""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from driftscan import __version__, atomic, stored
from driftscan.errors import UsageError
from driftscan.model.codec import canonical
from driftscan.model.lines import Buffer, Lines
from driftscan.model.names import show
from driftscan.model.packed import REWRITE
from driftscan.schema_check import quoted

MAX_LINE = 64 << 20
_TRAILER_ROOM = 1 << 20
_FIRST_READ = 64 << 10
_SHA256 = re.compile(r"[0-9a-f]{64}")
_WRITE_LINES = 2000
"""Lines that are joined before they are handed to the disk."""


@dataclass(frozen=True, slots=True)
class Container:
    """A file whose seal holds: the envelope (line 1), all lines before the trailer, which stay in the file, and the
    digest."""

    file: str
    envelope: Mapping[str, Any]
    lines: Lines
    digest: str

    def error(self, line: int, what: str) -> UsageError:
        """The error for a line (counted from 1) that is sealed and yet wrong: its writer is at fault."""
        return UsageError(f"{show(self.file)}:{line}: {what}", REWRITE)


def write(path: str | os.PathLike[str], lines: Iterable[bytes]) -> str:
    """Write lines and their trailer atomically; the digest, `sha256:...` over all bytes before the trailer.
    Raises what `atomic.write` raises."""
    body = hashlib.sha256()

    def sealed() -> Iterable[bytes]:
        count = 0
        batch: list[bytes] = []
        for line in lines:
            batch.append(line)
            if len(batch) == _WRITE_LINES:
                count += len(batch)
                yield _joined(batch, body)
                batch = []
        count += len(batch)
        yield _joined(batch, body)
        yield canonical({"lines": count, "sha256": body.hexdigest()}) + b"\n"

    atomic.write(path, sealed())
    return f"sha256:{body.hexdigest()}"


def head(first: bytes, file: str, *wanted: str) -> Mapping[str, Any]:
    """The envelope in the first line alone; the seal is not looked at. UsageError if it is none of the formats."""
    envelope = _object(first)
    _check_format(file, envelope, wanted)
    if envelope is None or envelope.get("format") not in wanted:
        raise UsageError(f"{show(file)}: is not {' or '.join(wanted)}", _WHICH)
    return envelope


def first(path: str | os.PathLike[str], *wanted: str) -> Mapping[str, Any]:
    """The same of a file."""
    buffer = stored.open_file(path)
    return head(_first_line(buffer), buffer.name, *wanted)


def _joined(batch: list[bytes], body: Any) -> bytes:
    data = b"".join(line + b"\n" for line in batch)
    body.update(data)
    return data


def read(path: str | os.PathLike[str], *wanted: str) -> Container:
    """Read a file of one of the formats `wanted` and check its seal. UsageError says whether it is another format,
    another version, truncated, or changed after it was written."""
    return parse(stored.open_file(path), *wanted)


def parse(buffer: Buffer, *wanted: str) -> Container:
    """The same for bytes that lie anywhere: all are read once, and stay where they are."""
    file = buffer.name
    first = _first_line(buffer)
    envelope = _object(first)
    _check_format(file, envelope, wanted)
    cut, trailer = _trailer(buffer)
    if trailer is None:
        raise _no_trailer(buffer, envelope, wanted)
    body = hashlib.sha256()
    lines = Lines(buffer, cut, body.update)
    if len(lines) != trailer["lines"]:
        counts = f"its trailer says {trailer['lines']}, it has {len(lines)}"
        raise UsageError(f"{show(file)}: lines are missing or were added: {counts}", _TAMPERED)
    if first.endswith(b"\r"):
        hint = "Copy it again as it is, without converting text (in git: `*.manifest -text` in .gitattributes)."
        raise UsageError(f"{show(file)}: its line ends were converted to CRLF", hint)
    if body.hexdigest() != trailer["sha256"]:
        raise UsageError(f"{show(file)}: was changed or damaged after it was written: the digest differs", _TAMPERED)
    if envelope is None or envelope.get("format") not in wanted:
        raise UsageError(f"{show(file)}: is not {' or '.join(wanted)}", _WHICH)
    return Container(file, envelope, lines, f"sha256:{body.hexdigest()}")


_TAMPERED = "Do not trust it: copy it again from where it was written, or write it again."
_WHICH = "`driftscan bake` writes manifests, `driftscan snapshot` snapshots."


def _check_format(file: str, envelope: Mapping[str, Any] | None, wanted: Sequence[str]) -> None:
    """Another kind or version of file is told before its seal is looked at: later formats may seal otherwise."""
    said = envelope.get("format") if envelope else None
    if not isinstance(said, str) or said in wanted:
        return
    for name, _, version in (known.partition("/") for known in wanted):
        if said.partition("/")[0] == name:
            raise UsageError(
                f"{show(file)}: is {quoted(said)}; this driftscan ({__version__}) reads version {version}",
                "Use the driftscan that wrote it or a later one, or write the file again with this one.",
            )
    raise UsageError(f"{show(file)}: is {quoted(said)}, not {' or '.join(wanted)}", _WHICH)


def _first_line(buffer: Buffer) -> bytes:
    """Line 1 without its newline; empty if none ends within `MAX_LINE`."""
    stop = min(_FIRST_READ, buffer.size)
    while (data := buffer.read(0, stop)).find(b"\n") < 0 and stop < min(buffer.size, MAX_LINE):
        stop = min(8 * stop, buffer.size, MAX_LINE)
    return data[: max(data.find(b"\n"), 0)]


def _trailer(buffer: Buffer) -> tuple[int, Mapping[str, Any] | None]:
    """Where the last line begins, and what it says, if it is a trailer."""
    start = max(0, buffer.size - _TRAILER_ROOM)
    tail = buffer.read(start, buffer.size)
    cut = tail.rfind(b"\n", 0, -1) + 1
    found = _object(tail[cut:]) if tail.endswith(b"\n") and (cut or not start) else None
    return start + cut, found if found is not None and _is_trailer(found) else None


def _no_trailer(buffer: Buffer, envelope: Mapping[str, Any] | None, wanted: Sequence[str]) -> UsageError:
    file = buffer.name
    if not buffer.size:
        return UsageError(f"{show(file)}: is empty", "Copy it again, or write it again.")
    if envelope is None or envelope.get("format") not in wanted:
        return UsageError(f"{show(file)}: is not {' or '.join(wanted)}", _WHICH)
    last = len(Lines(buffer, buffer.size)) + (buffer.read(buffer.size - 1, buffer.size) != b"\n")
    return UsageError(
        f"{show(file)}: truncated or damaged: it ends in line {last} without a trailer",
        "Copy it again, whole, or write it again.",
    )


def _is_trailer(value: Mapping[str, Any]) -> bool:
    return (
        type(value.get("lines")) is int
        and isinstance(value.get("sha256"), str)
        and _SHA256.fullmatch(value["sha256"]) is not None
    )


def _object(line: bytes) -> Mapping[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
