"""What a zone file holds: its entries, and the conditions under which they hold."""

from dataclasses import dataclass

from driftscan.model.zone import Zone


@dataclass(frozen=True, slots=True)
class When:
    """Conditions: of each list that is given one item must be there. `package`: names without architecture; `os`:
    ID or a word of ID_LIKE of os-release(5); `path`: a file of the target. Empty: always."""

    package: tuple[str, ...] = ()
    os: tuple[str, ...] = ()
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One zone with the condition under which it holds."""

    zone: Zone
    when: When = When()


@dataclass(frozen=True, slots=True)
class Pack:
    """A zone file: entries, and a condition for all of them."""

    name: str
    entries: tuple[Entry, ...]
    when: When = When()
