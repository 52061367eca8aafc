"""What `driftscan.manifest/1` and `driftscan.snapshot/1` share: lines of canonical JSON between an envelope and a
trailer that seals them (docs/formats/manifest.md)."""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from driftscan import __version__, atomic
from driftscan.errors import UsageError
from driftscan.model.codec import canonical
from driftscan.model.names import show
from driftscan.schema_check import quoted

MAX_BYTES = 2 << 30
MAX_LINE = 64 << 20
_TRAILER_ROOM = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_WRITE_LINES = 2000
"""Lines that are joined before they are handed to the disk."""


@dataclass(frozen=True, slots=True)
class Container:
    """A file whose seal holds: the envelope (line 1), the lines after it without newlines, and the digest."""

    file: str
    envelope: Mapping[str, Any]
    lines: Sequence[bytes]
    digest: str
    size: int

    def error(self, line: int, what: str) -> UsageError:
        """The error for a line (counted from 1) that is sealed and yet wrong: its writer is at fault."""
        return UsageError(f"{show(self.file)}:{line}: {what}", "Write the file again with this driftscan.")


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


def _joined(batch: list[bytes], body: Any) -> bytes:
    data = b"".join(line + b"\n" for line in batch)
    body.update(data)
    return data


def read(path: str | os.PathLike[str], *wanted: str) -> Container:
    """Read a file of one of the formats `wanted` and check its seal. UsageError says whether it is another format,
    another version, truncated, or changed after it was written."""
    file = os.fspath(path)
    return parse(_read(file), file, *wanted)


def parse(data: bytes, file: str, *wanted: str) -> Container:
    """The same for bytes that are already read; `file` is what messages call them."""
    envelope = _object(data[: max(data.find(b"\n", 0, MAX_LINE), 0)])
    _check_format(file, envelope, wanted)
    cut = data.rfind(b"\n", 0, -1) + 1
    trailer = _object(data[cut:]) if data.endswith(b"\n") and len(data) - cut <= _TRAILER_ROOM else None
    if not _is_trailer(trailer):
        raise _no_trailer(file, data, envelope, wanted)
    assert trailer is not None
    lines = data.split(b"\n")
    del lines[-2:]  # the trailer, and nothing after its newline
    if len(lines) != trailer["lines"]:
        counts = f"its trailer says {trailer['lines']}, it has {len(lines)}"
        raise UsageError(f"{show(file)}: lines are missing or were added: {counts}", _TAMPERED)
    body = hashlib.sha256(memoryview(data)[:cut]).hexdigest()
    if lines[0].endswith(b"\r"):
        hint = "Copy it again as it is, without converting text (in git: `*.manifest -text` in .gitattributes)."
        raise UsageError(f"{show(file)}: its line ends were converted to CRLF", hint)
    if body != trailer["sha256"]:
        raise UsageError(f"{show(file)}: was changed or damaged after it was written: the digest differs", _TAMPERED)
    if envelope is None or envelope.get("format") not in wanted:
        raise UsageError(f"{show(file)}: is not {' or '.join(wanted)}", _WHICH)
    return Container(file, envelope, lines[1:], f"sha256:{body}", len(data))


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


def _no_trailer(file: str, data: bytes, envelope: Mapping[str, Any] | None, wanted: Sequence[str]) -> UsageError:
    if not data:
        return UsageError(f"{show(file)}: is empty", "Copy it again, or write it again.")
    if envelope is None or envelope.get("format") not in wanted:
        return UsageError(f"{show(file)}: is not {' or '.join(wanted)}", _WHICH)
    last = data.count(b"\n") + (not data.endswith(b"\n"))
    return UsageError(
        f"{show(file)}: truncated or damaged: it ends in line {last} without a trailer",
        "Copy it again, whole, or write it again.",
    )


def _is_trailer(value: Mapping[str, Any] | None) -> bool:
    return (
        value is not None
        and type(value.get("lines")) is int
        and isinstance(value.get("sha256"), str)
        and _SHA256.fullmatch(value["sha256"]) is not None
    )


def _object(line: bytes) -> Mapping[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _read(file: str) -> bytes:
    try:
        with open(file, "rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(f"{show(file)}: no such file", "Check the path.") from None
    except IsADirectoryError:
        raise UsageError(f"{show(file)}: is a directory", "Name one file in it.") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"{show(file)}: cannot be read: {reason}", "Check its owner and mode.") from error
    if len(data) > MAX_BYTES:
        raise UsageError(f"{show(file)}: larger than {MAX_BYTES >> 30} GiB", "Is it the right file?")
    return data
