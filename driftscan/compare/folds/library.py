"""A library that programs run with though its file is gone, and nothing that happened to the file explains it."""

from collections.abc import Iterator

from driftscan.compare.evidence import Evidence
from driftscan.compare.fold import Fold
from driftscan.compare.folds._operations import done_by
from driftscan.compare.folds._parts import and_more, said
from driftscan.compare.loaded import LIBRARY, began_before
from driftscan.compare.pool import Pool, value
from driftscan.compare.transaction import Transaction
from driftscan.model.drift import CauseType, Change, Difference, Mutation
from driftscan.model.names import spellings

_STATES = {
    "memory": ", which never was a file,",
    "scratch": ", in a directory that everybody may write to,",
    "deleted": ", whose file is gone,",
    "replaced": ", whose file was replaced since,",
    "other": ", with another content than its file has,",
    "equal": ", whose file was written anew with the same content,",
}


def _apply(pool: Pool, evidence: Evidence) -> Iterator[Mutation]:
    for row in pool.of(LIBRARY):
        owners = _owners(row.key, evidence)
        detail = f"in the paths of package {', '.join(owners)}" if owners else ""
        by = done_by(_writer(row, owners, evidence))
        yield pool.fold(CauseType.LIBRARY_FOREIGN, row.key, _title(row), [row], detail=detail, attribution=by)


def _owners(path: str, evidence: Evidence) -> list[str]:
    """The packages that have a path; of packages that did not change the reference knows it."""
    names = frozenset(spellings(path))
    theirs = (key for key, paths in evidence.baseline_files.items() if not names.isdisjoint(paths))
    return sorted({*evidence.owners_of(path), *theirs})


def _writer(row: Difference, owners: list[str], evidence: Evidence) -> Transaction | None:
    """What a package manager did when the file was written that has the name now, though it is as the reference has it:
    a version that came and went, or the same one again."""
    time = row.observed.get("written")
    if not isinstance(time, int) or time <= 0 or not began_before(row, time):
        return None
    found = (evidence.under_way(key.partition("/")[0], time) for key in owners)
    return next((entry for entry in found if entry is not None), None)


def _title(row: Difference) -> str:
    if row.change is not Change.ADDED:
        return f"library {row.key} {'is no longer loaded' if row.change is Change.REMOVED else 'is loaded otherwise'}"
    where = value(row, "units") or value(row, "programs")
    who = and_more([said(name) for name in where]) if isinstance(where, tuple) and where else "a process"
    state = str(value(row, "state"))
    state = "other" if state == "replaced" and value(row, "sha256") else state
    return f"library {row.key}{_STATES.get(state, '')} is loaded by {who}"


fold = Fold("library", 950, _apply)
