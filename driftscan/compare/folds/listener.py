"""A program that listens, or no longer does; and a program that runs though the reference has no such file."""

from collections.abc import Iterator

from driftscan.compare.evidence import Evidence
from driftscan.compare.fold import Fold
from driftscan.compare.folds._parts import and_more, moved, word
from driftscan.compare.pool import Pool, text, value
from driftscan.model.drift import CauseType, Change, Difference, Mutation


def executable_of(item: Difference) -> str:
    """The executable of a listener, as far as the difference tells it."""
    found = text(item, "process")
    return found if found.startswith("/") else ""


def _apply(pool: Pool, evidence: Evidence) -> Iterator[Mutation]:
    for rows in _grouped(pool):
        program, change = _program(rows[0]), rows[0].change
        cause = CauseType.LISTENER_CLOSED if change is Change.REMOVED else CauseType.LISTENER_OPENED
        verb = "no longer listens" if change is Change.REMOVED else "listens"
        who = program or "a process"
        where = and_more([row.key for row in rows])
        title = f"{who} {verb} on {where}"
        if change is Change.MODIFIED:
            title = f"listener {where} changed: {moved(rows[0])}"
        yield pool.fold(cause, program or rows[0].key, title, rows, [pool.get("process", program)])
    for row in pool.of("process"):
        state = "runs from a file that is deleted or unknown to the reference"
        title = f"{row.key} {state}" if row.change is Change.ADDED else f"process {row.key} {word(row.change)}"
        yield pool.fold(CauseType.PROCESS_FOREIGN, row.key, title, [row], detail=_vanished(pool, row, evidence))


def _vanished(pool: Pool, row: Difference, evidence: Evidence) -> str:
    """Of what runs from a file that is gone: whether the image never had that file. Empty: it had, or another took its
    place, or nobody can tell."""
    reasons = value(row, "reasons")
    if not isinstance(reasons, tuple) or "deleted" not in reasons or not evidence.baseline_files:
        return ""
    names = {row.key, row.key.removeprefix("/usr")}
    packaged = any(not names.isdisjoint(paths) for paths in evidence.baseline_files.values())
    known = packaged or pool.file(row.key) or evidence.resources.get("file", row.key)
    return "" if known else "of no image, and gone from disk"


def _program(row: Difference) -> str:
    return executable_of(row) if row.change is not Change.MODIFIED else ""


def _grouped(pool: Pool) -> list[list[Difference]]:
    """What one program opened is one thing that happened."""
    found: dict[tuple[str, Change], list[Difference]] = {}
    for row in pool.of("listen"):
        found.setdefault((_program(row) or row.key, row.change), []).append(row)
    return list(found.values())


fold = Fold("listener", 410, _apply)
