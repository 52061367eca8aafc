"""A library that programs run with though its file is gone, and nothing that happened to the file explains it."""

from collections.abc import Iterator

from driftscan.compare.evidence import Evidence
from driftscan.compare.fold import Fold
from driftscan.compare.folds._parts import and_more, said
from driftscan.compare.loaded import LIBRARY
from driftscan.compare.pool import Pool, value
from driftscan.model.drift import CauseType, Change, Difference, Mutation

_STATES = {
    "memory": ", which never was a file,",
    "deleted": ", whose file is gone,",
    "replaced": ", whose file was replaced since,",
    "equal": ", whose file was written anew with the same content,",
}


def _apply(pool: Pool, evidence: Evidence) -> Iterator[Mutation]:
    for row in pool.of(LIBRARY):
        owners = evidence.owners_of(row.key)
        detail = f"in the paths of package {', '.join(owners)}" if owners else ""
        yield pool.fold(CauseType.LIBRARY_FOREIGN, row.key, _title(row), [row], detail=detail)


def _title(row: Difference) -> str:
    if row.change is not Change.ADDED:
        return f"library {row.key} {'is no longer loaded' if row.change is Change.REMOVED else 'is loaded otherwise'}"
    where = value(row, "units") or value(row, "programs")
    who = and_more([said(name) for name in where]) if isinstance(where, tuple) and where else "a process"
    return f"library {row.key}{_STATES.get(str(value(row, 'state')), '')} is loaded by {who}"


fold = Fold("library", 950, _apply)
