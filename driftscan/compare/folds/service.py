"""A service, socket or timer that came, went or changed: its row, unit file, drop-ins and links. A drop-in of many
units (`service.d`, systemd.unit(5)) is one act, whatever the number of units that it changes."""

import re
from collections.abc import Iterable, Iterator
from posixpath import basename

from driftscan.compare.evidence import Evidence
from driftscan.compare.fold import Fold
from driftscan.compare.folds._parts import and_more, counted, moved, word
from driftscan.compare.folds._trees import came_above, led_to
from driftscan.compare.pool import Pool, text
from driftscan.model.drift import CauseType, Change, Difference, Mutation
from driftscan.model.resource import Value

_CAUSE = {
    Change.ADDED: CauseType.SERVICE_ADDED,
    Change.REMOVED: CauseType.SERVICE_REMOVED,
    Change.MODIFIED: CauseType.SERVICE_CHANGED,
}
_UNITS = (
    *("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system", "/usr/local/lib/systemd/system"),
    *("/run/systemd/system", "/run/systemd/transient"),
    *("/etc/systemd/system.control", "/run/systemd/system.control"),
)
_OF_USERS = re.compile(
    r"(?:/etc/systemd/user|(?:/usr(?:/local)?)?/lib/systemd/user|/usr(?:/local)?/share/systemd/user|/run/systemd/user"
    r"|(?:/root|/home/[^/]+)/\.(?:config|local/share)/systemd/user)/(?P<name>.+)"
)
"""Where the manager of each login looks for units (systemd.unit(5)); there is no row of them."""
_SUFFIX = r"\.(?:service|socket|timer|path|mount|automount|swap|target|slice)"
_OF_UNIT = re.compile(
    rf"(?:.*/)?(?P<unit>[^/]+{_SUFFIX})(?:\.(?:d|wants|requires|upholds)(?:/(?P<inner>[^/]+))?)?",
)
_OF_MANY = re.compile(r".*/(?:[a-z]+|[^/]*-\.[a-z]+)\.d/[^/]+\.conf")
"""A drop-in of all units of a type, or of all whose name begins so (`user-.slice.d`)."""
_BY_DROP_IN = frozenset({"drop_ins", "digest", "user", "exec_start"})
"""What a drop-in changes of a unit's row."""
_SYSV = re.compile(r"/etc/(?:init\.d/|rc[0-6S]\.d/[SK][0-9]{2})(?P<name>[^/]+)")


def unit_of(path: str) -> str:
    """The unit that a file of systemd (or a SysV script) is about; empty: none. A link in `x.target.wants` is about
    the unit that it enables, a file in `y.service.d` about `y.service`."""
    if found := _SYSV.fullmatch(path):
        return found["name"] + ".service"
    root = next((root for root in _UNITS if path.startswith(root + "/")), None)
    return _named(path[len(root) + 1 :]) if root else ""


def _named(path: str) -> str:
    """The unit of a path beneath a directory of units."""
    found = _OF_UNIT.fullmatch(path)
    if found is None:
        return ""
    inner = found["inner"]
    if inner and re.search(_SUFFIX + r"\Z", inner):
        return inner
    return found["unit"]


def unit_files(pool: Pool) -> dict[str, list[Difference]]:
    """Open differences of files by the unit that they are about."""
    found: dict[str, list[Difference]] = {}
    for root in (*_UNITS, "/etc/init.d", *(f"/etc/rc{level}.d" for level in "0123456S")):
        for item in pool.beneath(root):
            if unit := unit_of(item.key):
                found.setdefault(unit, []).append(item)
    return found


def _apply(pool: Pool, evidence: Evidence) -> Iterator[Mutation]:
    yield from _of_many(pool, evidence)
    held = unit_files(pool)
    for rows in _families(pool.of("service")):
        units = [row.key for row in rows]
        names = [*units, *(alias for row in rows for alias in _aliases(row))]
        following = [item for name in names for item in held.get(name, ()) if item in pool]
        following += [led for item in following if (led := led_to(pool, item)) and _names_unit(led)]
        following += [*came_above(pool, following), *_closed(pool, rows)]
        changes = "; ".join(moved(row) or "its files" for row in rows if row.change is Change.MODIFIED)
        title = f"{and_more(units) if len(units) > 2 else ' and '.join(units)} {word(rows[0].change)}" + (
            f" ({changes})" if changes else ""
        )
        yield pool.fold(_CAUSE[rows[0].change], units[0], title, rows, following)
    for unit, items in sorted(held.items()):
        left = [item for item in items if item in pool]
        if left:
            title = f"{counted(len(left), 'file')} of unit {unit} {word(left[0].change)}"
            yield pool.fold(CauseType.SERVICE_CHANGED, unit, title, left)
    yield from _of_users(pool)


def _of_many(pool: Pool, evidence: Evidence) -> Iterator[Mutation]:
    """Drop-ins of many units, with the rows of those that nothing else changed."""
    for item in [item for root in _UNITS for item in pool.beneath(root) if _OF_MANY.fullmatch(item.key)]:
        rows = [row for row in pool.of("service") if item.key in _drop_ins_that_changed(row, evidence, item.change)]
        title = f"drop-in {item.key} {word(item.change)}: it changes {counted(len(rows), 'unit')}"
        above = pool.get("file", item.key.rpartition("/")[0])
        yield pool.fold(CauseType.SERVICE_CHANGED, item.key, title, [item], [above, *rows])


def _drop_ins_that_changed(row: Difference, evidence: Evidence, change: Change) -> frozenset[str]:
    """The one drop-in by which a row may differ from the reference, if it does in nothing else; those it has, where a
    drop-in itself was changed."""
    if row.change is not Change.MODIFIED or not set(row.attributes) <= _BY_DROP_IN:
        return frozenset()
    delta = row.attributes.get("drop_ins")
    if delta is not None:
        moved_ones = _paths(delta.expected) ^ _paths(delta.actual)
        return moved_ones if len(moved_ones) == 1 else frozenset()
    known = evidence.resources.get("service", row.key) if change is Change.MODIFIED else None
    return _paths(known.attributes.get("drop_ins")) if known else frozenset()


def _paths(value: Value) -> frozenset[str]:
    return frozenset(part for part in value if isinstance(part, str)) if isinstance(value, tuple) else frozenset()


def _closed(pool: Pool, rows: Iterable[Difference]) -> Iterator[Difference]:
    """The sockets of a service that was stopped."""
    stopped = {row.key for row in rows if "active_state" in row.attributes or row.change is Change.REMOVED}
    for item in pool.of("listen"):
        if item.change is Change.REMOVED and text(item, "unit") in stopped:
            yield item


def _of_users(pool: Pool) -> Iterator[Mutation]:
    found: dict[str, list[Difference]] = {}
    for item in pool.of("file"):
        match = _OF_USERS.fullmatch(item.key)
        if match and not _is_directory(item) and (unit := _named(match["name"])):
            found.setdefault(unit, []).append(item)
    for unit, items in found.items():
        cause = CauseType.SERVICE_ADDED if any(_is_unit(item, unit) for item in items) else CauseType.SERVICE_CHANGED
        items.sort(key=lambda item: item.key.count("/"))  # the unit itself before its drop-ins and links
        above = came_above(pool, items)
        title = f"unit {unit} of users {word(items[0].change)}: {and_more([item.key for item in items], 1)}"
        yield pool.fold(cause, unit, title, items, above)


def _names_unit(item: Difference) -> bool:
    return text(item, "type") == "regular" and re.search(_SUFFIX + r"\Z", item.key) is not None


def _is_directory(item: Difference) -> bool:
    return text(item, "type") == "directory"


def _is_unit(item: Difference, unit: str) -> bool:
    return text(item, "type") == "regular" and item.change is Change.ADDED and basename(item.key) == unit


def _aliases(row: Difference) -> Iterator[str]:
    delta = row.attributes.get("aliases")
    for names in (delta.expected, delta.actual) if delta else ():
        yield from (name for name in names if isinstance(name, str)) if isinstance(names, tuple) else ()


def _families(rows: Iterable[Difference]) -> list[list[Difference]]:
    """A timer or socket and the service that it starts came or went together, and so did a template and what was made
    of it (`x.socket` starts `x@.service`); a change is one unit's own, but that a name (`default.target`) went over
    from one to another."""
    found: dict[tuple[str, Change], list[Difference]] = {}
    for row in rows:
        stem = row.key if row.change is Change.MODIFIED else row.key.rpartition(".")[0].partition("@")[0]
        delta = row.attributes.get("aliases") if row.change is Change.MODIFIED else None
        if delta is not None and len(names := _paths(delta.expected) ^ _paths(delta.actual)) == 1:
            stem = f"name {next(iter(names))}"
        found.setdefault((stem, row.change), []).append(row)
    return list(found.values())


fold = Fold("service", 400, _apply)
