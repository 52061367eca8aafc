"""Manifests and snapshots as files: `driftscan.manifest/1` and `driftscan.snapshot/1` (docs/formats/)."""

import json
import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from driftscan.errors import UsageError
from driftscan.manifests import _container, _envelope, _rows
from driftscan.manifests._container import Container
from driftscan.model.codec import canonical
from driftscan.model.lazy import Lazy
from driftscan.model.lines import Buffer
from driftscan.model.manifest import FORMAT as MANIFEST_FORMAT
from driftscan.model.manifest import Manifest
from driftscan.model.names import show
from driftscan.model.packed import REWRITE, Packed
from driftscan.model.snapshot import Resources, Snapshot
from driftscan.schema_check import Problem, problems, quoted

SNAPSHOT_FORMAT = "driftscan.snapshot/1"
_SECTIONS = {
    "coverage": "coverage",
    "package": "packages",
    "reference": "references",
    "source": "sources",
    "text": "texts",
    "zone": "zones",
}
"""How a section's line begins -> what the envelope's schema calls the list of them."""
_LATER = ("packages", "texts")
"""Sections that are large and seldom needed."""
MAX_PROBLEMS = 20


def write_manifest(manifest: Manifest, path: str | os.PathLike[str]) -> str:
    """Write a manifest atomically and return its digest. IncompleteError, UsageError: see `atomic.write`."""
    head = {"format": MANIFEST_FORMAT, **_envelope.manifest_head(manifest)}
    return _write(path, head, _envelope.sections(manifest), manifest.resources, observed=False)


def write_snapshot(snapshot: Snapshot, path: str | os.PathLike[str]) -> str:
    """Write a snapshot atomically, evidence included, and return its digest."""
    head = {"format": SNAPSHOT_FORMAT, **_envelope.snapshot_head(snapshot)}
    return _write(path, head, _envelope.sections(snapshot), snapshot.resources, observed=True)


def read_manifest(path: str | os.PathLike[str]) -> Manifest:
    """Read a manifest; its seal, its envelope, and all rows but those of files are checked. UsageError says what is
    wrong with it. What is large and seldom needed stays in the file and is checked when it is looked at: a wrong line
    is an UsageError that names it then."""
    return _manifest(_container.read(path, MANIFEST_FORMAT))


def parse_manifest(buffer: Buffer) -> Manifest:
    """The same from bytes that lie elsewhere than in a file."""
    return _manifest(_container.parse(buffer, MANIFEST_FORMAT))


def _manifest(container: Container) -> Manifest:
    body = _Body(container, "manifest")
    head = body.head
    return Manifest(
        image=_envelope.image(head["image"]),
        provenance=_envelope.provenance(head["provenance"]),
        resources=body.resources(observed=False),
        coverage=tuple(_envelope.coverage(item) for item in head["coverage"]),
        zones=tuple(_envelope.zone(item) for item in head["zones"]),
        references=tuple(_envelope.reference(item) for item in head["references"]),
        texts=Lazy(body.texts),
        package_files=Lazy(body.package_files),
        source_digests={item["name"]: item["digest"] for item in head["sources"]},
        live=head["live"],
        digest=container.digest,
    )


def read_snapshot(path: str | os.PathLike[str]) -> Snapshot:
    """Read a snapshot; all else as for `read_manifest`."""
    body = _Body(_container.read(path, SNAPSHOT_FORMAT), "snapshot")
    head = body.head
    return Snapshot(
        host=head["host"],
        target=head["target"],
        taken_at=head["taken_at"],
        resources=body.resources(observed=True),
        coverage=tuple(_envelope.coverage(item) for item in head["coverage"]),
        files=_envelope.file_coverage(head["files"]),
        image=_envelope.image(head["image"]),
        live=head["live"],
        privileged=head["privileged"],
        settled=head["settled"],
        torn=tuple(head["torn"]),
        probe_digest=head["probe_digest"],
        boot_id=head["boot_id"],
        source_digests={item["name"]: item["digest"] for item in head["sources"]},
        texts=Lazy(body.texts),
        package_files=Lazy(body.package_files),
        declared=tuple(_envelope.zone(item) for item in head["zones"]),
    )


def host_of(path: str | os.PathLike[str]) -> str:
    """The host that a snapshot is of. Its first line alone is read; the seal and all else is not looked at. UsageError
    for a file that is none."""
    return str(_container.first(path, SNAPSHOT_FORMAT).get("host", ""))


def verify(path: str | os.PathLike[str]) -> list[tuple[str, str]]:
    """Check a manifest or a snapshot wholly, each row decoded, and say what it is: (name, value), in the order in
    which to show them. UsageError for the first thing that is wrong."""
    container = _container.read(path, MANIFEST_FORMAT, SNAPSHOT_FORMAT)
    name = str(container.envelope["format"]).partition("/")[0].rpartition(".")[2]
    body = _Body(container, name, later=())
    body.package_files()
    files = body.resources(observed=True).files
    assert isinstance(files, Packed)
    files.check()
    head = body.head
    return [
        ("format", head["format"]),
        ("digest", container.digest),
        ("size", f"{container.lines.buffer.size} bytes, {len(container.lines) + 1} lines"),
        *_about(head),
        ("collectors", _collectors(head["coverage"])),
        ("resources", _tally(head["counts"]["resources"])),
        ("texts", str(len(head["texts"]))),
    ]


def _about(head: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    image = head["image"]
    yield "image", f"{image['id'] or '(no id)'} version {image['version'] or '(none)'}"
    if "provenance" in head:
        made = head["provenance"]
        yield "baked", f"{made['baked_at']} by {made['tool']}"
        yield "build", made.get("build_id") or "(not recorded)"
        yield "source commit", made.get("source_commit") or "(not recorded)"
        yield "references", ", ".join(item["host"] for item in head["references"]) or "(none)"
        yield "zones", _tally(Counter(item["provenance"] for item in head["zones"])) or "(none)"
    else:
        yield "host", f"{head['host']} ({head['target']})"
        yield "taken", head["taken_at"]
        yield "torn", "; ".join(head["torn"]) or "no"
    yield "planes", "image and runtime" if head["live"] else "image"


def _collectors(rows: Sequence[Mapping[str, Any]]) -> str:
    gaps = sum(len(row["gaps"]) for row in rows)
    return f"{_tally(Counter(row['status'] for row in rows))}; gaps: {gaps}"


def _tally(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def _write(
    path: str | os.PathLike[str],
    head: dict[str, Any],
    sections: Mapping[str, Collection[Any]],
    resources: Resources,
    *,
    observed: bool,
) -> str:
    head["counts"] = {_SECTIONS[name]: len(items) for name, items in sections.items()}
    head["counts"]["resources"] = _rows.counts(resources)

    def lines() -> Iterator[bytes]:
        yield canonical(head)
        for name, items in sections.items():
            yield from (canonical({name: _envelope.section_row(name, item)}) for item in items)
        yield from _rows.encode(resources, observed=observed)

    return _container.write(path, lines())


def _sections(file_format: str) -> Mapping[str, str]:
    """The sections that a format has: how their lines begin, and what its schema calls the list of them."""
    if file_format == SNAPSHOT_FORMAT:
        return {name: _SECTIONS[name] for name in ("coverage", "package", "source", "text", "zone")}
    return _SECTIONS


class _Body:
    """The lines of a container: its envelope with the sections gathered into lists, checked against its schema, and
    where the resources begin. Lists of `later` sections are left out, and made when they are asked for."""

    def __init__(self, container: Container, name: str, later: Sequence[str] = _LATER) -> None:
        self._container = container
        self._name = name
        sections = _sections(str(container.envelope["format"]))
        self._numbers: dict[str, list[int]] = {section: [] for section in sections.values()}
        self.head: dict[str, Any] = {**container.envelope}
        self.head |= {section: [] for section in self._numbers if section not in later}
        self._first = 1
        for line in container.lines.between(1, len(container.lines)):
            name, content = _section(line, sections, later)
            if name not in sections:
                break
            section = sections[name]
            self._numbers[section].append(self._first)
            if section not in later:
                self.head[section].append(content)
            self._first += 1
        self._check(self.head)
        if any(self.head["counts"].get(section, 0) != len(lines) for section, lines in self._numbers.items()):
            raise _rows.miscounted(container)

    def resources(self, *, observed: bool) -> Resources:
        """The resources."""
        counts = {kind: int(number) for kind, number in self.head["counts"]["resources"].items()}
        return _rows.decode(self._container, self._first, counts, observed=observed)

    def texts(self) -> dict[str, str]:
        """Path -> text. UsageError for a line that is none."""
        return {item["path"]: item["text"] for item in self._list("texts")}

    def package_files(self) -> dict[str, tuple[str, ...]]:
        """The paths of each package. UsageError for a line that has none; their types are checked here, as there are
        too many for the JSON Schema."""
        rows = self._list("packages")
        for row in rows:
            if any(type(path) is not str for path in row["files"]):
                file = show(self._container.file)
                raise UsageError(f"{file}: the files of package {quoted(row['key'])} are not text", REWRITE)
        return {row["key"]: tuple(row["files"]) for row in rows}

    def _list(self, section: str) -> Sequence[Mapping[str, Any]]:
        if section in self.head:
            rows: list[Mapping[str, Any]] = self.head[section]
            return rows
        found = [_only(self._container.lines[number])[1] for number in self._numbers[section]]
        self._check(self.head | {section: found})
        return found

    def _check(self, head: Mapping[str, Any]) -> None:
        found = problems(head, _envelope.schema(self._name))
        if found:
            raise UsageError("\n".join(self._located(problem) for problem in found[:MAX_PROBLEMS]), REWRITE)

    def _located(self, problem: Problem) -> str:
        line, path = 0, problem.path
        if len(path) > 1 and path[0] in self._numbers and isinstance(path[1], int):
            line = self._numbers[str(path[0])][path[1]]
        where = ".".join(map(str, path)) or self._name
        return f"{show(self._container.file)}:{line + 1}: {where}: {problem.what}"


def _section(line: bytes, sections: Mapping[str, str], later: Collection[str]) -> tuple[str, Any]:
    """The one key of a section's line and what it holds, but for `later` ones; no key where the resources begin."""
    if line.startswith(b'{"attributes":'):
        return "", None
    name = line[2 : line.find(b'"', 2)].decode("ascii", "replace")
    if sections.get(name) in later and line.startswith(b'{"' + name.encode() + b'":{'):
        return name, None
    return _only(line)


def _only(line: bytes) -> tuple[str, Any]:
    """The key and the value of a JSON mapping that has one; else no key."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return "", None
    return next(iter(value.items())) if isinstance(value, dict) and len(value) == 1 else ("", None)
