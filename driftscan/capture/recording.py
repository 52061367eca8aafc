"""Raw captures kept in a file, and a session that replays them: a new policy or a fixed parser can judge last month.

Format `driftscan.captures/1`: a zip file with `index.json` (facts and, per capture, source, status, digests) and the
raw bytes as `blobs/SHA256`. It holds what left the host, redactions already made there.
"""

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import IO, Any, cast

from driftscan import atomic
from driftscan.capture.base import TargetFacts
from driftscan.errors import UsageError
from driftscan.model.codec import canonical
from driftscan.model.lines import Buffer, Held, pieces
from driftscan.model.names import show
from driftscan.model.source import (
    Capture,
    Captures,
    Command,
    Fate,
    File,
    Glob,
    LoadedFile,
    Locks,
    Member,
    Processes,
    ProcessRow,
    Redact,
    Source,
    Status,
    Step,
    Tree,
    WalkRule,
)
from driftscan.stored import Spool

FORMAT = "driftscan.captures/1"
MAX_BLOB = 1 << 30
_PIECE = 1 << 18
# What zipfile and json raise on bytes that are not theirs, and what an index of another shape leads to.
_DAMAGE = (
    *(OSError, ValueError, LookupError, TypeError, EOFError, AttributeError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)


class Recorder:
    """Collects the rounds of a session, to be written once."""

    def __init__(self) -> None:
        """Nothing recorded yet."""
        self._captures: list[Capture] = []

    def __call__(self, sources: Sequence[Source], captures: Captures) -> None:
        """Keep one round. What was not sent, as it is as it was, stays as it was recorded then."""
        answers = (captures[source] for source in sources)
        self._captures.extend(answer for answer in answers if not answer.same)

    def write(self, path: str, facts: TargetFacts, host: str) -> None:
        """The file, whole or not at all, readable by its owner alone. Errors as `atomic.write`."""
        blobs: dict[str, Buffer] = {}
        index = {
            "format": FORMAT,
            "host": host,
            "facts": asdict(facts),
            "captures": [_encode(capture, blobs) for capture in self._captures],
        }
        written = Spool(path)
        with zipfile.ZipFile(
            cast("IO[bytes]", _Appended(written)), "w", zipfile.ZIP_DEFLATED, compresslevel=1
        ) as archive:
            archive.writestr("index.json", canonical(index))
            for digest, data in sorted(blobs.items()):
                with archive.open(f"blobs/{digest}", "w") as blob:
                    for piece in pieces(data):
                        blob.write(piece)
        atomic.write(path, pieces(written.buffer()), private=True)


class _Appended:
    """As much of a file as zipfile needs to write to the end of one."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    def write(self, data: bytes) -> int:
        """Append."""
        self._spool.write(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is kept back."""


def host_of(path: str | os.PathLike[str]) -> str:
    """The host that a recording is of, without its captures. UsageError if the file is none or is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            return str(_index(archive)["host"])
    except _DAMAGE as error:
        raise _damaged(path, error) from error


def _index(archive: zipfile.ZipFile) -> Mapping[str, Any]:
    index: Mapping[str, Any] = json.loads(archive.read("index.json"))
    if index["format"] != FORMAT:
        raise ValueError(index["format"])
    return index


def _damaged(path: str | os.PathLike[str], error: Exception) -> UsageError:
    return UsageError(f"{show(os.fspath(path))}: not a recording of captures, or damaged ({error})")


class Replay:
    """A session whose answers were recorded. What was not asked then is a gap now."""

    converses = False

    def __init__(self, path: str) -> None:
        """Read the index. UsageError if the file is not a recording or is damaged."""
        try:
            self._archive = zipfile.ZipFile(path)
            index = _index(self._archive)
            self.host = str(index["host"])
            self.facts = TargetFacts(**index["facts"])
            captures = [self._decode(raw) for raw in index["captures"]]
        except _DAMAGE as error:
            raise _damaged(path, error) from error
        self._captures = {_identity(capture.source): capture for capture in captures}

    def ask(self, sources: Sequence[Source], known: Mapping[Source, str] | None = None) -> Captures:
        """See capture.base.Session: a recording has everything."""
        return Captures([self._answer(source) for source in sources])

    def close(self) -> None:
        """See capture.base.Session."""
        self._archive.close()

    def _answer(self, source: Source) -> Capture:
        found = self._captures.get(_identity(source))
        if found is None:
            return Capture(source, Status.UNSUPPORTED, detail="not in the recording")
        return Capture(
            found.source if isinstance(source, Tree) and isinstance(found.source, Tree) else source,
            found.status,
            found.data,
            found.members,
            found.processes,
            found.detail,
            found.exit_code,
            stored=found.stored,
        )

    def _decode(self, raw: dict[str, Any]) -> Capture:
        source = _source(raw["source"])
        walked = isinstance(source, Tree)
        return Capture(
            source=source,
            status=Status(raw["status"]),
            data=b"" if walked else self._blob(raw["data"]),
            stored=self._stored(raw["data"]) if walked else None,
            members=tuple(self._member(member) for member in raw["members"]),
            processes=tuple(_process(row) for row in raw["processes"]),
            detail=str(raw["detail"]),
            exit_code=raw["exit_code"],
        )

    def _member(self, raw: dict[str, Any]) -> Member:
        link = None if raw["link"] is None else bytes.fromhex(raw["link"])
        numbers = {name: int(raw[name]) for name in ("mode", "uid", "gid")}
        return Member(
            path=bytes.fromhex(raw["path"]),
            status=Status(raw["status"]),
            data=self._blob(raw["data"]),
            link=link,
            detail=str(raw["detail"]),
            **numbers,
        )

    def _blob(self, digest: str) -> bytes:
        return b"".join(self._pieces(digest))

    def _stored(self, digest: str) -> Buffer:
        """The records of a walk, put aside."""
        spool = Spool("the records of the walk")
        for piece in self._pieces(digest):
            spool.write(piece)
        return spool.buffer()

    def _pieces(self, digest: str) -> Iterator[bytes]:
        if not digest:
            return
        info = self._archive.getinfo(f"blobs/{digest}")
        if info.file_size > MAX_BLOB:
            raise ValueError("a capture is too large")
        found, size = hashlib.sha256(), 0
        with self._archive.open(info) as stream:
            while piece := stream.read(_PIECE):
                size += len(piece)
                if size > MAX_BLOB:
                    raise ValueError("a capture is too large")
                found.update(piece)
                yield piece
        if found.hexdigest() != digest:
            raise ValueError("a capture does not match its digest")


def _encode(capture: Capture, blobs: dict[str, Buffer]) -> dict[str, Any]:
    return {
        "source": {"type": type(capture.source).__name__, **asdict(capture.source)},
        "status": capture.status,
        "detail": capture.detail,
        "exit_code": capture.exit_code,
        "data": _keep(capture.content, blobs),
        "members": [
            {
                **{name: getattr(member, name) for name in ("status", "mode", "uid", "gid", "detail")},
                "path": member.path.hex(),
                "link": None if member.link is None else member.link.hex(),
                "data": _keep(Held("", member.data), blobs),
            }
            for member in capture.members
        ],
        "processes": [
            {
                **{name: getattr(row, name) for name in ("pid", "ppid", "uid", "deleted", "started", "visible")},
                **{name: getattr(row, name).hex() for name in ("name", "exe", "unit")},
                "sockets": sorted(row.sockets),
                "looked": row.looked,
                "apart": row.apart,
                "loaded": [[file.path.hex(), file.fate, file.sha256, file.since] for file in row.loaded],
            }
            for row in capture.processes
        ],
    }


def _keep(data: Buffer, blobs: dict[str, Buffer]) -> str:
    if not data.size:
        return ""
    digest = hashlib.sha256()
    for piece in pieces(data):
        digest.update(piece)
    blobs[digest.hexdigest()] = data
    return digest.hexdigest()


def _process(raw: dict[str, Any]) -> ProcessRow:
    pid, ppid, uid, started = (int(raw[name]) for name in ("pid", "ppid", "uid", "started"))
    name, exe, unit = (bytes.fromhex(raw[field]) for field in ("name", "exe", "unit"))
    return ProcessRow(
        pid=pid,
        ppid=ppid,
        uid=uid,
        name=name,
        exe=exe,
        deleted=bool(raw["deleted"]),
        sockets=frozenset(int(inode) for inode in raw["sockets"]),
        unit=unit,
        started=started,
        visible=bool(raw["visible"]),
        looked=Status(raw.get("looked", Status.UNSUPPORTED)),  # it is not in older recordings
        apart=bool(raw.get("apart")),
        loaded=tuple(_loaded(*file) for file in raw.get("loaded", ())),
    )


def _loaded(path: str, fate: str, sha256: str, since: int) -> LoadedFile:
    return LoadedFile(bytes.fromhex(path), Fate(fate), sha256, int(since))


def _source(raw: dict[str, Any]) -> Source:
    match raw["type"]:
        case "File":
            return File(raw["path"], raw["max_bytes"], Redact(raw["redact"]))
        case "Glob":
            limits = (raw["max_files"], raw["max_bytes"], Redact(raw["redact"]), raw["content"], raw["public"])
            return Glob(tuple(raw["patterns"]), *limits, tuple(raw["unread"]), raw["unless"])
        case "Command":
            rest = (raw["max_bytes"], raw["timeout"], Redact(raw["redact"]), raw["rooted"])
            return Command(tuple(raw["argv"]), tuple(raw["ok"]), *rest)
        case "Processes":
            return Processes()
        case "Tree":
            rules = tuple(WalkRule(rule["pattern"], rule["action"], rule["size"]) for rule in raw["rules"])
            return Tree(tuple(raw["roots"]), rules, raw["digest"])
        case "Locks":
            return Locks(tuple(raw["paths"]))
        case other:
            raise ValueError(f"unknown source {other}")


def _identity(source: Source) -> object:
    """Zones change a walk's rules without making it another question; limits do not matter either."""
    match source:
        case Tree(roots, _, digest):
            return ("Tree", roots, digest)
        case File(path, _, redact):
            return ("File", path, redact)
        case Glob(patterns, _, _, redact, content, public, unread, unless):
            return ("Glob", patterns, redact, content, public, unread, unless)
        case Command(argv):
            return ("Command", argv)
        case Processes():
            return "Processes"
        case Locks(paths):
            return ("Locks", paths)
        case Step(name):
            return ("Step", name)
