"""Who opened a port: commands that start the program, or its unit, and name the port; beside the time at which the
process that holds the socket began."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from posixpath import basename

from driftscan.compare.command_lines import words
from driftscan.compare.witness import BEFORE, LASTS, Act, Deed, between
from driftscan.model.drift import CauseType, Change, Difference, Grade, Mutation

_VERSION = re.compile(r"[0-9][0-9.]*$")


def times(items: Iterable[Difference]) -> tuple[int, ...]:
    """When processes, those of listeners too, began (nanoseconds since 1970), as far as that is known. What runs from
    a deleted file may have begun long before that went."""
    came = (item for item in items if item.kind in {"listen", "process"} and item.change is Change.ADDED)
    found = [item.observed.get("began") for item in came if _actual(item, "deleted") is not True]
    return tuple(sorted(time for time in found if isinstance(time, int) and time > 0))


@dataclass(frozen=True, slots=True)
class _Opened:
    """What a command may call the sockets of one program: its names, a pattern of its ports, its units."""

    programs: frozenset[str]
    ports: re.Pattern[str] | None
    units: frozenset[str]
    began: tuple[int, ...]

    def at(self, act: Act) -> bool:
        """Whether the process may have begun by this act; nobody knows when it did: it may."""
        return not self.began or any(-BEFORE <= time - act.at <= LASTS for time in self.began)


def opened(mutation: Mutation, acts: Sequence[Act]) -> tuple[Act, Grade] | None:
    """The last act that names an open port's program with that port, or its unit, and how well that founds it:
    `recorded` if the process began then, `consistent` if nobody knows when it did. `consistent`, too, is one at that
    time that names but one of program and port: a script may have started it."""
    if mutation.cause.type is not CauseType.LISTENER_OPENED:
        return None
    what = _opened([item for item in mutation.differences if item.kind == "listen"])
    half: Act | None = None
    near = between(acts, what.began[0] - LASTS, what.began[-1] + BEFORE) if what.began else acts
    for act in reversed(near):
        if act.deed is not Deed.COMMAND or not what.at(act):
            continue
        program = not what.programs.isdisjoint(_programs(act.command))
        port = what.ports is not None and what.ports.search(act.command) is not None
        if (program and port) or not what.units.isdisjoint(words(act.command)):
            return act, Grade.RECORDED if what.began else Grade.CONSISTENT
        half = half or (act if what.began and (program or port) else None)
    return (half, Grade.CONSISTENT) if half else None


def _opened(sockets: Sequence[Difference]) -> _Opened:
    programs = {basename(found) for item in sockets if isinstance(found := _actual(item, "process"), str)} - {""}
    units = {found for item in sockets if isinstance(found := _actual(item, "unit"), str)} - {""}
    ports = {str(found) for item in sockets if isinstance(found := _actual(item, "port"), int) and found > 0}
    return _Opened(
        programs=frozenset(programs | {_VERSION.sub("", name) for name in programs}),
        ports=re.compile(rf"(?<![0-9.])(?:{'|'.join(sorted(ports))})(?![0-9.])") if ports else None,
        units=frozenset(units | {unit.removesuffix(".service") for unit in units}),
        began=times(sockets),
    )


@lru_cache(maxsize=1 << 15)
def _programs(command: str) -> frozenset[str]:
    """The programs that a command line may name, also without a version: python3 runs python3.11."""
    names = {basename(word) for word in words(command)} - {""}
    return frozenset(names | {_VERSION.sub("", name) for name in names}) - {""}


def _actual(item: Difference, name: str) -> object:
    delta = item.attributes.get(name)
    return delta.actual if delta else None
