"""Code that still runs although its file was replaced: whether that follows from what happened to the file, and who
runs it."""

from collections.abc import Iterable
from posixpath import basename

from driftscan.model.drift import Change, Difference
from driftscan.model.resource import Value
from driftscan.model.times import SECOND

LIBRARY = "library"
PROCESS = "process"
_NEAR = 120 * SECOND
"""By so much a clock that was set since may have moved the time at which processes began."""
_MOST = 3
_OLD = ("replaced", "deleted")


def is_gone(row: Difference) -> bool:
    """Whether this is a library, or a program of the image's directories, that runs without its file."""
    if row.kind == LIBRARY:
        return _actual(row, "state") != "scratch"
    return row.kind == PROCESS and _actual(row, "reasons") == ("deleted",)


def left_by(row: Difference, file: Difference) -> bool:
    """Whether what runs without its file is what a file that changed, or went, left behind. It is if it has the content
    that the reference knows; of a file that went, only then. A process that began when the file had changed already has
    loaded something that was there in between, and nobody knows what. (Of programs no digest is known.)"""
    known = file.attributes.get("sha256")
    running = _digests(row)
    if running and known is not None and running == {known.expected}:
        return True
    if running and file.change is Change.REMOVED:
        return False
    return began_before(row, file.observed.get("ctime"))


def began_before(row: Difference, time: Value) -> bool:
    """Whether all processes that run it may have begun before a time (nanoseconds since 1970); it is not known
    when they did, or when that was: they may."""
    began = row.observed.get("began")
    if not isinstance(began, int) or not isinstance(time, int) or time <= 0:
        return True
    return began <= time + _NEAR


def unchanged(row: Difference) -> bool:
    """Whether the file has the very content that runs."""
    state = row.attributes.get("state")
    return state is not None and state.actual == "equal"


def in_use(taken: Iterable[Difference]) -> str:
    """Who still runs what was replaced or removed, as the end of a title; empty: nobody."""
    units: set[str] = set()
    programs: set[str] = set()
    for item in taken:
        if item.change is Change.REMOVED or not _is_old(item):
            continue
        here = _texts(item, "units")
        units.update(here)
        if not here:
            programs.update(basename(path) for path in _texts(item, "programs") or [item.key])
    names = sorted(units) + sorted(programs)
    if not names:
        return ""
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    verb = "runs the old code until it restarts" if len(names) == 1 else "run the old code until they restart"
    return f"; {', '.join(names[:_MOST])}{more} still {verb}"


def _is_old(item: Difference) -> bool:
    return is_gone(item) and (item.kind == PROCESS or _actual(item, "state") in _OLD)


def _digests(row: Difference) -> set[str]:
    return set(_texts(row, "sha256"))


def _texts(item: Difference, name: str) -> list[str]:
    found = _actual(item, name)
    return [text for text in found if isinstance(text, str)] if isinstance(found, tuple) else []


def _actual(item: Difference, name: str) -> Value:
    delta = item.attributes.get(name)
    return None if delta is None else delta.actual
