"""Raw captures kept in a file, and a session that replays them: a new policy or a fixed parser can judge last month.

Format `driftscan.captures/1`: a zip file with `index.json` (facts and, per capture, source, status, digests) and the
raw bytes as `blobs/SHA256`. It holds what left the host, redactions already made there.
"""

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from driftscan import atomic
from driftscan.capture.base import TargetFacts
from driftscan.errors import UsageError
from driftscan.model.codec import canonical
from driftscan.model.source import (
    Capture,
    Captures,
    Command,
    File,
    Glob,
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

FORMAT = "driftscan.captures/1"
MAX_BLOB = 1 << 30
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
        """Keep one round."""
        self._captures.extend(captures[source] for source in sources)

    def write(self, path: str, facts: TargetFacts, host: str) -> None:
        """The file, whole or not at all, readable by its owner alone. Errors as `atomic.write`."""
        blobs: dict[str, bytes] = {}
        index = {
            "format": FORMAT,
            "host": host,
            "facts": asdict(facts),
            "captures": [_encode(capture, blobs) for capture in self._captures],
        }
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr("index.json", canonical(index))
            for digest, data in sorted(blobs.items()):
                archive.writestr(f"blobs/{digest}", data)
        atomic.write(path, [buffer.getvalue()], private=True)


class Replay:
    """A session whose answers were recorded. What was not asked then is a gap now."""

    converses = False

    def __init__(self, path: str) -> None:
        """Read the index. UsageError if the file is not a recording or is damaged."""
        try:
            self._archive = zipfile.ZipFile(path)
            index = json.loads(self._archive.read("index.json"))
            if index["format"] != FORMAT:
                raise ValueError(index["format"])
            self.host = str(index["host"])
            self.facts = TargetFacts(**index["facts"])
            captures = [self._decode(raw) for raw in index["captures"]]
        except _DAMAGE as error:
            raise UsageError(f"{path}: not a recording of captures, or damaged ({error})") from error
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
        )

    def _decode(self, raw: dict[str, Any]) -> Capture:
        return Capture(
            source=_source(raw["source"]),
            status=Status(raw["status"]),
            data=self._blob(raw["data"]),
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
        if not digest:
            return b""
        info = self._archive.getinfo(f"blobs/{digest}")
        if info.file_size > MAX_BLOB:
            raise ValueError("a capture is too large")
        data = self._archive.read(info)
        if hashlib.sha256(data).hexdigest() != digest:
            raise ValueError("a capture does not match its digest")
        return data


def _encode(capture: Capture, blobs: dict[str, bytes]) -> dict[str, Any]:
    return {
        "source": {"type": type(capture.source).__name__, **asdict(capture.source)},
        "status": capture.status,
        "detail": capture.detail,
        "exit_code": capture.exit_code,
        "data": _keep(capture.data, blobs),
        "members": [
            {
                **{name: getattr(member, name) for name in ("status", "mode", "uid", "gid", "detail")},
                "path": member.path.hex(),
                "link": None if member.link is None else member.link.hex(),
                "data": _keep(member.data, blobs),
            }
            for member in capture.members
        ],
        "processes": [
            {
                **{name: getattr(row, name) for name in ("pid", "ppid", "uid", "deleted", "started", "visible")},
                **{name: getattr(row, name).hex() for name in ("name", "exe", "unit")},
                "sockets": sorted(row.sockets),
            }
            for row in capture.processes
        ],
    }


def _keep(data: bytes, blobs: dict[str, bytes]) -> str:
    if not data:
        return ""
    digest = hashlib.sha256(data).hexdigest()
    blobs[digest] = data
    return digest


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
    )


def _source(raw: dict[str, Any]) -> Source:
    match raw["type"]:
        case "File":
            return File(raw["path"], raw["max_bytes"], Redact(raw["redact"]))
        case "Glob":
            limits = (raw["max_files"], raw["max_bytes"], Redact(raw["redact"]), raw["content"], raw["public"])
            return Glob(tuple(raw["patterns"]), *limits, tuple(raw["unread"]))
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
        case Glob(patterns, _, _, redact, content, public, unread):
            return ("Glob", patterns, redact, content, public, unread)
        case Command(argv):
            return ("Command", argv)
        case Processes():
            return "Processes"
        case Locks(paths):
            return ("Locks", paths)
        case Step(name):
            return ("Step", name)
