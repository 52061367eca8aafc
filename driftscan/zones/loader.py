"""Zone files and packs: strict YAML in, zones out. The format is described in docs/formats/zones.md."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from driftscan import content, yaml_strict
from driftscan.model.patterns import split_pattern
from driftscan.model.snapshot import Resources
from driftscan.model.zone import Provenance, Zone, ZoneClass
from driftscan.zones.conditions import in_force
from driftscan.zones.pack import Entry, Pack, When
from driftscan.zones.schema import SCHEMA

MAX_STARS = 6
"""Wildcards `*` in one pattern (a component `**` counts as one): more say nothing that a person can foresee."""
_KIND = re.compile(r"[a-z][a-z0-9_]*")
_HINT = "See docs/formats/zones.md for the format."


def load(path: str | Path, resources: Resources | None = None) -> tuple[Zone, ...]:
    """The zones of a file written by hand. Conditions (`when`) are decided by `resources`, the image's; UsageError
    with file:line:column for a bad file, and for a condition where no resources are given."""
    document = yaml_strict.load(path)
    pack = _pack(document, Provenance.HAND)
    if resources is not None:
        return in_force((pack,), resources)
    if pack.when != When():
        raise document.error(("when",), "a condition, and no image to decide it", key=True)
    for index, raw in enumerate(document.data["zones"]):
        if "when" in raw:
            raise document.error(("zones", index, "when"), "a condition, and no image to decide it", key=True)
    return tuple(entry.zone for entry in pack.entries)


def load_pack(path: str | Path) -> Pack:
    """A pack with its conditions undecided. UsageError as `load`."""
    return _pack(yaml_strict.load(path), Provenance.PACK)


def packs() -> tuple[Pack, ...]:
    """The packs that driftscan ships, by name."""
    return tuple(load_pack(path) for path in sorted((content.folder() / "zones").glob("*.yaml")))


def _pack(document: yaml_strict.Document, provenance: Provenance) -> Pack:
    yaml_strict.check(document, SCHEMA, _HINT)
    entries = (*_entries(document, provenance), *_answers(document))
    return Pack(Path(document.file).stem, entries, _when(document.data.get("when")))


def _entries(document: yaml_strict.Document, provenance: Provenance) -> Iterator[Entry]:
    seen: dict[str, tuple[int, Mapping[str, Any]]] = {}
    for index, raw in enumerate(document.data["zones"]):
        said = {key: value for key, value in raw.items() if key not in {"pattern", "patterns", "reason"}}
        for path, pattern in _patterns(raw, ("zones", index)):
            if why := _bad_pattern(pattern):
                raise document.error(path, why, _HINT)
            first, before = seen.setdefault(pattern, (document.position(path).line, said))
            if before != said:
                what = f"this rule and that of line {first} disagree about '{pattern}'"
                raise document.error(path, what, "Keep one of them.")
            yield Entry(_zone(document, pattern, raw, ("zones", index), provenance), _when(raw.get("when")))
        _check_privileges(document, raw, index)


def _answers(document: yaml_strict.Document) -> Iterator[Entry]:
    """The zones that answered questions are: `accept` as it was asked, `seal`, `exclude` from the comparison. What
    nobody has answered yet is no zone."""
    for index, raw in enumerate(document.data.get("questions", ())):
        if why := _bad_pattern(raw["pattern"]):
            raise document.error(("questions", index, "pattern"), why, _HINT)
        if raw["answer"] is None:
            continue
        if not (raw["reason"] or "").strip():
            raise document.error(("questions", index, "answer"), "an answer without a reason", "Say why in `reason`.")
        accepted = _zone(document, raw["pattern"], raw, ("questions", index), Provenance.HAND)
        strict = {"seal": ZoneClass.SEALED, "exclude": ZoneClass.EXTERNAL}.get(raw["answer"])
        if strict is not None:
            accepted = replace(accepted, zone=strict, attributes=(), may_appear=None, may_vanish=None)
        yield Entry(accepted)


def _patterns(raw: Mapping[str, Any], path: yaml_strict.Path) -> Iterator[tuple[yaml_strict.Path, str]]:
    if "pattern" in raw:
        yield (*path, "pattern"), raw["pattern"]
    for number, pattern in enumerate(raw.get("patterns", ())):
        yield (*path, "patterns", number), pattern


def _bad_pattern(pattern: str) -> str:
    """Why a pattern cannot be, or nothing."""
    kind, glob = split_pattern(pattern)
    if not pattern.startswith("/") and (":" not in pattern or not _KIND.fullmatch(kind)):
        return f"'{pattern}' is no pattern: expected '/path/glob' or 'kind:glob'"
    if kind == "file":
        if not glob.startswith("/") or glob != "/" + "/".join(part for part in glob.split("/") if part):
            return f"'{pattern}': paths are absolute, without empty components"
        if {".", ".."} & set(glob.split("/")):
            return f"'{pattern}': '.' and '..' never stand in a key"
        if any("**" in part and part != "**" for part in glob.split("/")):
            return f"'{pattern}': '**' is a component of its own"
    if len(re.findall(r"\*+", glob)) > MAX_STARS:
        return f"'{pattern}': more than {MAX_STARS} wildcards"
    return ""


def _check_privileges(document: yaml_strict.Document, raw: Mapping[str, Any], index: int) -> None:
    if raw.get("executables") and raw["zone"] != ZoneClass.FREE.value:
        raise document.error(
            ("zones", index, "executables"), "executables can be allowed in a free zone alone", key=True
        )


def _zone(
    document: yaml_strict.Document,
    pattern: str,
    raw: Mapping[str, Any],
    place: yaml_strict.Path,
    provenance: Provenance,
) -> Zone:
    name = document.file if provenance is Provenance.HAND else f"zones/{Path(document.file).name}"
    return Zone(
        pattern=pattern,
        zone=ZoneClass(raw["zone"]),
        reason=" ".join(raw["reason"].split()),
        attributes=tuple(raw.get("attributes", ())),
        may_appear=raw.get("may_appear"),
        may_vanish=raw.get("may_vanish"),
        executables=raw.get("executables", False),
        provenance=provenance,
        origin=f"{name}:{document.position(place).line}",
    )


def _when(raw: Mapping[str, Any] | None) -> When:
    return When(**{name: (value,) if isinstance(value, str) else tuple(value) for name, value in (raw or {}).items()})
