"""Reads a collector's case: a folder with `case.yaml`, `root/`, `captures/` (see README.md) into captures."""

import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from driftscan.model.names import decode_name
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
    Source,
    Status,
    Step,
    Tree,
)

CASES = Path(__file__).parent / "cases"
ROLES = frozenset({"ordinary", "absent", "broken", "edge"})
KEYS = frozenset({"why", "origin", "role", "files", "status", "commands", "processes", "tree", "live"})


@dataclass(frozen=True)
class Entry:
    """One file of the case's root file system."""

    data: bytes
    mode: int = stat.S_IFREG | 0o644
    uid: int = 0
    gid: int = 0
    link: bytes | None = None


@dataclass(frozen=True)
class Case:
    """One case of one collector."""

    folder: Path

    @property
    def collector(self) -> str:
        """The collector that the case is about."""
        return self.folder.parent.name

    @property
    def expected(self) -> Path:
        """The file with the expected outcome."""
        return self.folder / "expected.json"

    @cached_property
    def about(self) -> dict[str, Any]:
        """case.yaml, checked for unknown keys and for what every case must say."""
        about = yaml.safe_load((self.folder / "case.yaml").read_text(encoding="utf-8"))
        assert isinstance(about, dict), f"{self.folder}: case.yaml is not a mapping"
        assert set(about) <= KEYS, f"{self.folder}: unknown keys {sorted(set(about) - KEYS)}"
        assert about.get("why"), f"{self.folder}: case.yaml has no why"
        assert about.get("origin"), f"{self.folder}: case.yaml has no origin"
        assert about.get("role") in ROLES, f"{self.folder}: role is none of {sorted(ROLES)}"
        return about

    @cached_property
    def entries(self) -> dict[bytes, Entry]:
        """The root file system: path -> entry."""
        root = self.folder / "root"
        found = {
            b"/" + path.relative_to(root).as_posix().encode(): Entry(path.read_bytes())
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }
        for name, spec in (self.about.get("files") or {}).items():
            path = decode_name(name)
            found[path] = self._entry(spec or {}, found.get(path))
        return found

    def _entry(self, spec: Mapping[str, Any], base: Entry | None) -> Entry:
        data = base.data if base else b""
        if "file" in spec:
            data = (self.folder / "captures" / spec["file"]).read_bytes()
        elif "hex" in spec:
            data = bytes.fromhex(spec["hex"])
        elif "text" in spec:
            data = spec["text"].encode()
        kind = stat.S_IFDIR if spec.get("directory") else stat.S_IFREG
        link = decode_name(spec["link"]) if "link" in spec else None
        permissions = int(str(spec.get("mode", "0755" if spec.get("directory") else "0644")), 8)
        numbers = {name: int(spec[name]) for name in ("uid", "gid") if name in spec}
        return Entry(data, kind | permissions, link=link, **numbers)

    def captures(self, sources: tuple[Source, ...]) -> Captures:
        """What the target of this case answers to the sources; a `status:` that names no source is an error."""
        unused = set(self.about.get("status") or {})
        captures = [self._capture(source, unused) for source in sources]
        assert not unused, f"{self.folder}: status of {sorted(unused)} fits no source and no member"
        return Captures(captures)

    def _override(self, name: str, unused: set[str]) -> tuple[Status, str] | None:
        spec = (self.about.get("status") or {}).get(name)
        if spec is None:
            return None
        unused.discard(name)
        if isinstance(spec, str):
            return Status(spec), ""
        return Status(spec["status"]), str(spec.get("detail", ""))

    def _capture(self, source: Source, unused: set[str]) -> Capture:
        for name in self._names(source):
            override = self._override(name, unused)
            if override:
                return Capture(source, override[0], detail=override[1])
        match source:
            case File():
                entry = self._follow(source.path.encode())
                return Capture(source, Status.ABSENT) if entry is None else Capture(source, Status.OK, entry.data)
            case Glob():
                return self._glob(source, unused)
            case Command():
                return self._command(source)
            case Processes():
                return self._processes(source)
            case Tree():
                record = self.about.get("tree")
                return Capture(source, Status.OK, (self.folder / "captures" / record).read_bytes() if record else b"")
            case Locks() | Step():
                raise AssertionError(f"{source} is no collector's")

    def _names(self, source: Source) -> tuple[str, ...]:
        """The names by which `status:` may speak of a source."""
        match source:
            case File():
                return (source.path,)
            case Glob():
                return source.patterns
            case Command():
                line = " ".join(source.argv)
                return tuple(name for name in self.about.get("status") or () if line.startswith(name))
            case Processes():
                return ("processes",)
            case Tree():
                return ("tree",)
            case Locks() | Step():
                return ()

    def _follow(self, path: bytes) -> Entry | None:
        for _ in range(8):
            entry = self.entries.get(path)
            if entry is None or entry.link is None:
                return entry
            path = entry.link if entry.link.startswith(b"/") else path.rpartition(b"/")[0] + b"/" + entry.link
        return None

    def _glob(self, source: Glob, unused: set[str]) -> Capture:
        matches = [re.compile(_regex(pattern), re.DOTALL) for pattern in source.patterns]
        members = [
            self._member(source, path, unused)
            for path in sorted(self._all_paths())
            if any(match.fullmatch(path) for match in matches)
        ]
        return Capture(source, Status.OK, members=tuple(members))

    def _all_paths(self) -> set[bytes]:
        paths = set(self.entries)
        for path in self.entries:
            parts = path.split(b"/")
            paths.update(b"/".join(parts[:end]) for end in range(2, len(parts)))
        return paths

    def _member(self, source: Glob, path: bytes, unused: set[str]) -> Member:
        entry = self.entries.get(path, Entry(b"", stat.S_IFDIR | 0o755))
        override = self._override(path.decode("utf-8", "backslashreplace"), unused)
        status, detail = override or (Status.OK, "")
        seen = self._follow(path) if entry.link is not None else entry
        data = seen.data if seen is not None and source.content and status is Status.OK else b""
        return Member(path, status, data, entry.link, entry.mode, entry.uid, entry.gid, detail)

    def _command(self, source: Command) -> Capture:
        line = " ".join(source.argv)
        specs = [spec for name, spec in (self.about.get("commands") or {}).items() if line.startswith(name)]
        assert len(specs) <= 1, f"{self.folder}: two entries of commands fit {line!r}"
        if not specs:
            missing = Status.ABSENT if self.about.get("live", True) else Status.UNSUPPORTED
            return Capture(source, missing)
        data = (self.folder / "captures" / specs[0]["file"]).read_bytes()
        code = int(specs[0].get("exit", 0))
        return Capture(source, Status.OK if code in source.ok else Status.FAILED, data, exit_code=code)

    def _processes(self, source: Processes) -> Capture:
        if not self.about.get("live", True):
            return Capture(source, Status.UNSUPPORTED)
        rows = tuple(_process(row) for row in self.about.get("processes") or ())
        return Capture(source, Status.OK, processes=rows)


def _process(row: Mapping[str, Any]) -> ProcessRow:
    values: dict[str, Any] = {
        "pid": 1, "ppid": 0, "uid": 0, "name": "", "exe": "", "deleted": False, "sockets": (), "unit": "", "started": 0,
    } | dict(row)  # fmt: skip
    values["sockets"] = frozenset(values["sockets"])
    values["looked"] = Status(values.get("looked", "ok"))
    values["loaded"] = tuple(
        LoadedFile(decode_name(path), Fate(fate), *more) for path, fate, *more in values.get("loaded", ())
    )
    for name in ("name", "exe", "unit"):
        values[name] = decode_name(values[name])
    assert set(values) <= {field.name for field in fields(ProcessRow)}, f"no such field of a process: {row}"
    return ProcessRow(**values)


def _regex(pattern: str) -> bytes:
    """A Glob pattern as a regular expression over bytes."""
    parts: list[str] = []
    for component in pattern.strip("/").split("/"):
        if component == "**":
            parts.append("(?:/[^/]+)*")
            continue
        text = re.sub(r"\\\*", "[^/]*", re.escape(component))
        text = text.replace(r"\?", "[^/]")
        text = re.sub(r"\\\[(.*?)\\\]", lambda match: "[" + match[1].replace("\\-", "-").replace("!", "^") + "]", text)
        parts.append("/" + text)
    return "".join(parts).encode()


def all_cases() -> Iterator[Case]:
    """Every case of every collector, sorted."""
    for file in sorted(CASES.glob("*/*/case.yaml")):
        yield Case(file.parent)
