"""Manifests and snapshots as files: `driftscan.manifest/1` and `driftscan.snapshot/1` (docs/formats/)."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from driftscan.errors import UsageError
from driftscan.manifests import _container, _envelope, _rows
from driftscan.manifests._container import Container
from driftscan.model.codec import canonical, decode_resource
from driftscan.model.manifest import FORMAT as MANIFEST_FORMAT
from driftscan.model.manifest import Manifest
from driftscan.model.names import show
from driftscan.model.snapshot import Resources, Snapshot
from driftscan.schema_check import problems, quoted

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
MAX_PROBLEMS = 20


def write_manifest(manifest: Manifest, path: str | os.PathLike[str]) -> str:
    """Write a manifest atomically and return its digest. IncompleteError, UsageError: see `atomic.write`."""
    sections = [
        *({"coverage": _envelope.coverage_row(item)} for item in manifest.coverage),
        *({"package": {"files": paths, "key": key}} for key, paths in sorted(manifest.package_files.items())),
        *({"reference": _envelope.reference_row(item)} for item in manifest.references),
        *({"source": {"digest": digest, "name": name}} for name, digest in sorted(manifest.source_digests.items())),
        *({"text": {"path": name, "text": text}} for name, text in sorted(manifest.texts.items())),
        *({"zone": _envelope.zone_row(item)} for item in manifest.zones),
    ]
    head = {"format": MANIFEST_FORMAT, **_envelope.manifest_head(manifest)}
    return _write(path, head, sections, manifest.resources, observed=False)


def write_snapshot(snapshot: Snapshot, path: str | os.PathLike[str]) -> str:
    """Write a snapshot atomically, evidence included, and return its digest."""
    sections = [
        *({"coverage": _envelope.coverage_row(item)} for item in snapshot.coverage),
        *({"package": {"files": paths, "key": key}} for key, paths in sorted(snapshot.package_files.items())),
        *({"source": {"digest": digest, "name": name}} for name, digest in sorted(snapshot.source_digests.items())),
        *({"text": {"path": name, "text": text}} for name, text in sorted(snapshot.texts.items())),
    ]
    head = {"format": SNAPSHOT_FORMAT, **_envelope.snapshot_head(snapshot)}
    return _write(path, head, sections, snapshot.resources, observed=True)


def read_manifest(path: str | os.PathLike[str]) -> Manifest:
    """Read a manifest; its seal, envelope and rows are checked. UsageError says what is wrong with it."""
    return manifest_from(_container.read(path, MANIFEST_FORMAT))


def parse_manifest(data: bytes, file: str) -> Manifest:
    """The same from bytes that come from elsewhere than a file; `file` is what messages call them."""
    return manifest_from(_container.parse(data, file, MANIFEST_FORMAT))


def manifest_from(container: Container) -> Manifest:
    """The manifest in a sealed file."""
    head, resources = _read(container, "manifest")
    return Manifest(
        image=_envelope.image(head["image"]),
        provenance=_envelope.provenance(head["provenance"]),
        resources=resources,
        coverage=tuple(_envelope.coverage(item) for item in head["coverage"]),
        zones=tuple(_envelope.zone(item) for item in head["zones"]),
        references=tuple(_envelope.reference(item) for item in head["references"]),
        texts={item["path"]: item["text"] for item in head["texts"]},
        package_files=_package_files(container, head["packages"]),
        source_digests={item["name"]: item["digest"] for item in head["sources"]},
        live=head["live"],
        digest=container.digest,
    )


def read_snapshot(path: str | os.PathLike[str]) -> Snapshot:
    """Read a snapshot; its seal, envelope and rows are checked. UsageError says what is wrong with it."""
    return _snapshot_from(_container.read(path, SNAPSHOT_FORMAT))


def _snapshot_from(container: Container) -> Snapshot:
    head, resources = _read(container, "snapshot")
    return Snapshot(
        host=head["host"],
        target=head["target"],
        taken_at=head["taken_at"],
        resources=resources,
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
        texts={item["path"]: item["text"] for item in head["texts"]},
        package_files=_package_files(container, head["packages"]),
    )


def _package_files(container: Container, rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """The paths of each package. Their types are checked here: there are too many for the JSON Schema."""
    for row in rows:
        if any(type(path) is not str for path in row["files"]):
            raise UsageError(
                f"{show(container.file)}: the files of package {quoted(row['key'])} are not text", _REWRITE
            )
    return {row["key"]: tuple(row["files"]) for row in rows}


def verify(path: str | os.PathLike[str]) -> list[tuple[str, str]]:
    """Check a manifest or a snapshot wholly, each row decoded, and say what it is: (name, value), in the order in
    which to show them. UsageError for the first thing that is wrong."""
    container = _container.read(path, MANIFEST_FORMAT, SNAPSHOT_FORMAT)
    name = str(container.envelope["format"]).partition("/")[0].rpartition(".")[2]
    head, resources = _read(container, name)
    for key, line in zip(resources.files.keys, resources.files.lines, strict=True):
        try:
            decode_resource(line)
        except (ValueError, RecursionError):
            raise UsageError(f"{show(container.file)}: the file {quoted(key)} has no proper row", _REWRITE) from None
    return [
        ("format", head["format"]),
        ("digest", container.digest),
        ("size", f"{container.size} bytes, {len(container.lines) + 2} lines"),
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


_REWRITE = "Write the file again with this driftscan."


def _write(
    path: str | os.PathLike[str],
    head: dict[str, Any],
    sections: Sequence[dict[str, Any]],
    resources: Resources,
    *,
    observed: bool,
) -> str:
    tally = Counter(next(iter(section)) for section in sections)
    lists = _sections(str(head["format"]))
    head["counts"] = {lists[name]: tally[name] for name in lists} | {"resources": _rows.counts(resources)}

    def lines() -> Iterator[bytes]:
        yield canonical(head)
        yield from (canonical(section) for section in sections)
        yield from _rows.encode(resources, observed=observed)

    return _container.write(path, lines())


def _sections(file_format: str) -> Mapping[str, str]:
    """The sections that a format has: how their lines begin, and what its schema calls the list of them."""
    if file_format == SNAPSHOT_FORMAT:
        return {"coverage": "coverage", "package": "packages", "source": "sources", "text": "texts"}
    return _SECTIONS


def _read(container: Container, name: str) -> tuple[dict[str, Any], Resources]:
    """The envelope with its sections gathered, checked against its schema, and the resources."""
    sections = _sections(str(container.envelope["format"]))
    head: dict[str, Any] = {**container.envelope, **{section: [] for section in sections.values()}}
    numbers: dict[tuple[str, int], int] = {}
    count = 0
    for line in container.lines:
        section = _section(line, sections)
        if section is None:
            break
        rows = head[sections[section[0]]]
        count += 1
        numbers[sections[section[0]], len(rows)] = count + 1
        rows.append(section[1])
    _check(container, head, name, numbers)
    resources = _rows.decode(container, container.lines[count:], count + 2)
    found = {section: len(head[section]) for section in sections.values()} | {"resources": _rows.counts(resources)}
    if any(head["counts"].get(section, 0) != number for section, number in found.items()):
        raise container.error(1, "the counts in the envelope are not those of the lines")
    return head, resources


def _section(line: bytes, sections: Mapping[str, str]) -> tuple[str, Any] | None:
    """(name, value) if a line belongs to a section; None where the resources begin."""
    if line.startswith(b'{"attributes":'):
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or len(value) != 1:
        return None
    ((name, content),) = value.items()
    return (name, content) if name in sections else None


def _check(container: Container, head: Mapping[str, Any], name: str, numbers: Mapping[tuple[str, int], int]) -> None:
    found = problems(head, _envelope.schema(name))
    if not found:
        return
    lines = []
    for problem in found[:MAX_PROBLEMS]:
        line = numbers.get((str(problem.path[0]), int(problem.path[1])), 1) if _in_section(problem.path) else 1
        lines.append(f"{show(container.file)}:{line}: {'.'.join(map(str, problem.path)) or name}: {problem.what}")
    raise UsageError("\n".join(lines), _REWRITE)


def _in_section(path: tuple[str | int, ...]) -> bool:
    return len(path) > 1 and isinstance(path[1], int)
