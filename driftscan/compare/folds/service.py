"""A service, socket or timer that came, went or changed: its row, unit file, drop-ins and links."""

import re
from collections.abc import Iterable, Iterator

from driftscan.compare.evidence import Evidence
from driftscan.compare.fold import Fold
from driftscan.compare.folds._parts import counted, moved, word
from driftscan.compare.pool import Pool
from driftscan.model.drift import CauseType, Change, Difference, Mutation

_CAUSE = {
    Change.ADDED: CauseType.SERVICE_ADDED,
    Change.REMOVED: CauseType.SERVICE_REMOVED,
    Change.MODIFIED: CauseType.SERVICE_CHANGED,
}
_UNITS = ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system", "/usr/local/lib/systemd/system")
_SUFFIX = r"\.(?:service|socket|timer|path|mount|automount|swap|target|slice)"
_OF_UNIT = re.compile(
    rf"(?:.*/)?(?P<unit>[^/]+{_SUFFIX})(?:\.(?:d|wants|requires|upholds)(?:/(?P<inner>[^/]+))?)?",
)
_SYSV = re.compile(r"/etc/(?:init\.d/|rc[0-6S]\.d/[SK][0-9]{2})(?P<name>[^/]+)")


def unit_of(path: str) -> str:
    """The unit that a file of systemd (or a SysV script) is about; empty: none. A link in `x.target.wants` is about
    the unit that it enables, a file in `y.service.d` about `y.service`."""
    if found := _SYSV.fullmatch(path):
        return found["name"] + ".service"
    root = next((root for root in _UNITS if path.startswith(root + "/")), None)
    found = _OF_UNIT.fullmatch(path[len(root) + 1 :]) if root else None
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
    held = unit_files(pool)
    for rows in _families(pool.of("service")):
        units = [row.key for row in rows]
        names = [*units, *(alias for row in rows for alias in _aliases(row))]
        following = [item for name in names for item in held.get(name, ()) if item in pool]
        changes = "; ".join(moved(row) or "its files" for row in rows if row.change is Change.MODIFIED)
        title = f"{' and '.join(units)} {word(rows[0].change)}" + (f" ({changes})" if changes else "")
        yield pool.fold(_CAUSE[rows[0].change], units[0], title, rows, following)
    for unit, items in sorted(held.items()):
        left = [item for item in items if item in pool]
        if left:
            title = f"{counted(len(left), 'file')} of unit {unit} {word(left[0].change)}"
            yield pool.fold(CauseType.SERVICE_CHANGED, unit, title, left)


def _aliases(row: Difference) -> Iterator[str]:
    delta = row.attributes.get("aliases")
    for names in (delta.expected, delta.actual) if delta else ():
        yield from (name for name in names if isinstance(name, str)) if isinstance(names, tuple) else ()


def _families(rows: Iterable[Difference]) -> list[list[Difference]]:
    """A timer or socket and the service that it starts came or went together; a change is one unit's own."""
    found: dict[tuple[str, Change], list[Difference]] = {}
    for row in rows:
        stem = row.key if row.change is Change.MODIFIED else row.key.rpartition(".")[0]
        found.setdefault((stem, row.change), []).append(row)
    return list(found.values())


fold = Fold("service", 400, _apply)
