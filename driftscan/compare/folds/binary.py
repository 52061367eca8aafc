"""Programs and libraries that came or were changed: what the host can be made to execute."""

import re
from collections.abc import Iterator

from driftscan.compare.attributes import is_executable
from driftscan.compare.evidence import Evidence
from driftscan.compare.fold import Fold
from driftscan.compare.folds._parts import counted, moved, said
from driftscan.compare.folds._trees import masses, trees
from driftscan.compare.pool import Pool, actual
from driftscan.model.drift import CauseType, Change, Difference, Mutation

_PROGRAMS = re.compile(r"(?:/usr(?:/local)?)?/(?:s?bin|libexec|games)/.+|/opt/.+/s?bin/[^/]+")
_LIBRARIES = re.compile(
    r"(?:/usr(?:/local)?)?/lib(?:32|64|x32)?/.+\.(?:py|pl|pm)|/.+\.(?:so(?:\.[0-9.]{1,20})?|ko(?:\.[a-z0-9]{1,4})?)"
)
_BOOT = re.compile(r"/boot/.+")


def is_program(item: Difference, evidence: Evidence) -> bool:
    """Whether a file that came or changed can be executed or loaded."""
    known = evidence.resources.get("file", item.key) if item.change is Change.MODIFIED else None
    attributes = known.attributes if known else actual(item)
    if item.change is Change.ADDED or known:
        if is_executable(attributes):
            return True
        if attributes.get("type") not in {"regular", "symlink"}:
            return False
    return any(place.fullmatch(item.key) for place in (_PROGRAMS, _LIBRARIES, _BOOT))


def _apply(pool: Pool, evidence: Evidence) -> Iterator[Mutation]:
    came = [item for item in pool.of("file") if item.change is Change.ADDED and is_program(item, evidence)]
    tops = trees(pool, came)
    alone = [programs[0] for top, programs in tops.items() if programs[0].key == top and len(programs) == 1]
    for (directory, _), items in masses(alone).items():
        title = f"{counted(len(items), 'program')} added in {directory}"
        yield pool.fold(CauseType.BINARY_ADDED, directory, title, items)
    for top, programs in tops.items():
        if programs[0] not in pool:
            continue
        beneath = list(pool.beneath(top)) if programs[0].key != top else []
        root = pool.get("file", top)
        rest = [item for item in (root, *beneath) if item is not None and item.change is Change.ADDED]
        yield pool.fold(CauseType.BINARY_ADDED, top, _came(top, programs, rest), programs, rest)
    changed = [item for item in pool.of("file") if item.change is Change.MODIFIED and is_program(item, evidence)]
    for (directory, how), items in masses(changed).items():
        title = f"{len(items)} programs or libraries in {directory} changed"
        which = f" ({', '.join(how[1:])})" if how[1:] else ""
        yield pool.fold(CauseType.BINARY_CHANGED, directory, title + which, items)
    for item in changed:
        if item in pool:
            yield pool.fold(CauseType.BINARY_CHANGED, item.key, _changed(item), [item], detail=_whose(item, evidence))


def _came(top: str, programs: list[Difference], rest: list[Difference]) -> str:
    if len(programs) == 1 and programs[0].key == top:
        facts = actual(programs[0])
        if facts.get("type") == "symlink":
            return f"program {top} added (link to {said(facts.get('target'))})"
        return f"program {top} added (mode {said(facts.get('mode'))}, uid {said(facts.get('uid'))})"
    others = len({item.key for item in rest} - {item.key for item in programs})
    return f"{top} added: {counted(len(programs), 'program')} and {counted(others, 'other file')}"


def _changed(item: Difference) -> str:
    facts = moved(item, sorted(set(item.attributes) - {"size", "nlink"}))
    what = "content" if {"sha256", "md5"} & set(item.telling) else ""
    return f"{item.key} changed: " + "; ".join(part for part in (what, facts) if part)


def _whose(item: Difference, evidence: Evidence) -> str:
    owners = evidence.owners_of(item.key)
    return f"in the paths of package {', '.join(owners)}, which did not change" if owners else ""


fold = Fold("binary", 650, _apply)
