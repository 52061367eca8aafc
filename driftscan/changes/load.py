"""Reads a file of declared changes, and the directories of the build repository that it names."""

import os
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from driftscan import yaml_strict
from driftscan.changes.schema import SCHEMA
from driftscan.changes.tree import contents
from driftscan.model.declared import (
    ANY,
    EVERY_CHANGE,
    USUAL_PACKAGE_CHANGES,
    DeclaredChanges,
    FactEntry,
    FileEntry,
    PackageChange,
    PackageEntry,
)
from driftscan.model.drift import Change
from driftscan.model.patterns import split_pattern
from driftscan.schema_check import did_you_mean, quoted

MAX_STARS = 6
"""Wildcards in one pattern, as in zones."""
_HINT = "See docs/formats/declared.md for the format."
_ELSEWHERE = {"file": "files", "package": "packages"}


def load(path: str | os.PathLike[str], kinds: Collection[str]) -> DeclaredChanges:
    """What a file declares. `kinds`: those that there are. UsageError with file:line:column for a bad file, and for a
    `tree` that cannot be read."""
    document = yaml_strict.load(path)
    yaml_strict.check(document, SCHEMA, _HINT)
    return DeclaredChanges(
        packages=tuple(_package(document, *each) for each in _raw(document, "packages")),
        files=tuple(_file(document, *each) for each in _raw(document, "files")),
        facts=tuple(_fact(document, *each, kinds) for each in _raw(document, "resources")),
    )


def _raw(document: yaml_strict.Document, section: str) -> Iterator[tuple[yaml_strict.Path, Mapping[str, Any]]]:
    for index, raw in enumerate(document.data.get(section, ())):
        yield (section, index), raw


def _package(document: yaml_strict.Document, place: yaml_strict.Path, raw: Mapping[str, Any]) -> PackageEntry:
    changes = frozenset(map(PackageChange, yaml_strict.listed(raw.get("change"))))
    return PackageEntry(
        names=yaml_strict.listed(raw["name"]),
        before=raw.get("from", ANY),
        after=raw.get("to", ANY),
        changes=changes or USUAL_PACKAGE_CHANGES,
        **_common(document, place, raw),
    )


def _file(document: yaml_strict.Document, place: yaml_strict.Path, raw: Mapping[str, Any]) -> FileEntry:
    paths = yaml_strict.listed(raw["path"])
    for path in paths:
        if why := _bad_path(path):
            raise document.error((*place, "path"), why, _HINT)
    if "sha256" in raw and "tree" in raw:
        raise document.error((*place, "tree"), "sha256 and tree exclude each other", "Keep one of them.", key=True)
    tree = _tree(document.file, raw["tree"]) if "tree" in raw else ""
    if tree and not os.path.isdir(tree):
        raise document.error((*place, "tree"), f"no directory {quoted(tree)}", "It is relative to this file.")
    with_content = bool(tree or "sha256" in raw)
    changes = frozenset(map(Change, yaml_strict.listed(raw.get("change"))))
    return FileEntry(
        paths=paths,
        changes=changes or (EVERY_CHANGE - {Change.REMOVED} if with_content else EVERY_CHANGE),
        sha256=raw.get("sha256", ""),
        tree=raw.get("tree", ""),
        contents=contents(tree, paths) if tree else {},
        privileged=raw.get("privileged", False),
        **_common(document, place, raw),
    )


def _fact(
    document: yaml_strict.Document, place: yaml_strict.Path, raw: Mapping[str, Any], kinds: Collection[str]
) -> FactEntry:
    patterns = yaml_strict.listed(raw["pattern"])
    for pattern in patterns:
        kind, glob = split_pattern(pattern)
        if kind in _ELSEWHERE:
            raise document.error((*place, "pattern"), f"a {kind} stands under `{_ELSEWHERE[kind]}`", _HINT)
        if kind not in kinds:
            why = f"{quoted(pattern)}: no kind {quoted(kind)}{did_you_mean(kind, kinds, all_known=False)}"
            raise document.error((*place, "pattern"), why, _HINT)
        if _stars(glob) > MAX_STARS:
            raise document.error((*place, "pattern"), f"{quoted(pattern)}: more than {MAX_STARS} wildcards", _HINT)
    return FactEntry(
        patterns=patterns,
        changes=frozenset(map(Change, yaml_strict.listed(raw.get("change")))) or EVERY_CHANGE,
        attributes=frozenset(raw.get("attributes", ())),
        **_common(document, place, raw),
    )


def _tree(file: str, path: str) -> str:
    """Relative to the file that names it."""
    return os.path.normpath(os.path.join(os.path.dirname(file), os.path.expanduser(path)))


def _common(document: yaml_strict.Document, place: yaml_strict.Path, raw: Mapping[str, Any]) -> dict[str, str]:
    position = document.position(place)
    return {
        "reason": " ".join(raw["reason"].split()),
        "origin": f"{os.path.basename(document.file)}:{position.line}:{position.column}",
    }


def _bad_path(path: str) -> str:
    """Why a glob of paths cannot be, or nothing."""
    if path != "/" + "/".join(part for part in path.split("/") if part):
        return f"{quoted(path)}: paths are absolute, without empty components"
    if {".", ".."} & set(path.split("/")):
        return f"{quoted(path)}: '.' and '..' never stand in a key"
    if any("**" in part and part != "**" for part in path.split("/")):
        return f"{quoted(path)}: '**' is a component of its own"
    return f"{quoted(path)}: more than {MAX_STARS} wildcards" if _stars(path) > MAX_STARS else ""


def _stars(glob: str) -> int:
    return len(re.findall(r"\*+", glob))
