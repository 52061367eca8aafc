"""Which zone a resource is in: the most specific pattern wins (see `model.zone.Zone`); and sets of patterns."""

from collections.abc import Iterable, Iterator
from re import Pattern
from typing import Generic, TypeVar

from driftscan.model.patterns import compile_key_glob, is_literal, literal_prefix, split_pattern
from driftscan.model.records import Records
from driftscan.model.zone import Provenance, Zone

T = TypeVar("T")
_RANK = {Provenance.PACK: 0, Provenance.DECLARED: 1, Provenance.LEARNED: 2, Provenance.HAND: 3}


def specificity(zone: Zone) -> tuple[bool, int, int, int]:
    """What orders zones: one exact key before any glob, the longest text before the first wildcard, the longest
    pattern, then who says so."""
    glob = zone.glob
    return is_literal(glob), len(literal_prefix(glob)), len(glob), _RANK[zone.provenance]


def most_specific_first(zones: Iterable[Zone]) -> tuple[Zone, ...]:
    """Zones in the order in which they are tried; of two for one pattern the later one of the same provenance."""
    ordered = sorted(zones, key=specificity)
    ordered.reverse()
    return tuple(ordered)


def covered(files: Records, glob: str) -> Iterator[str]:
    """The keys of a table of files that a glob covers, in order; only those that begin with its text are looked at."""
    if is_literal(glob):
        yield from (glob,) if glob in files else ()
        return
    expression = compile_key_glob("file", glob)
    yield from (key for key in files.beneath(literal_prefix(glob)) if expression.fullmatch(key))


class _Entry(Generic[T]):
    """A pattern and its value. Most patterns are never asked, and not compiled."""

    __slots__ = ("_expression", "_glob", "_kind", "value")

    def __init__(self, kind: str, glob: str, value: T) -> None:
        self._kind = kind
        self._glob = glob
        self._expression: Pattern[str] | None = None
        self.value = value

    def covers(self, key: str) -> bool:
        if self._expression is None:
            self._expression = compile_key_glob(self._kind, self._glob)
        return self._expression.fullmatch(key) is not None


class PatternIndex(Generic[T]):
    """Patterns by kind, those about files by the directory before their first wildcard, so that a key is tried
    against the few that lie on its way."""

    def __init__(self) -> None:
        """Nothing in it."""
        self._files: dict[str, list[_Entry[T]]] = {}
        self._others: dict[str, list[_Entry[T]]] = {}

    def add(self, pattern: str, value: T) -> None:
        """Add a pattern; of those in one directory (other kinds: of one kind) the first added is found first."""
        kind, glob = split_pattern(pattern)
        rule = _Entry(kind, glob, value)
        if kind != "file":
            self._others.setdefault(kind, []).append(rule)
            return
        place = glob if is_literal(glob) else literal_prefix(glob).rpartition("/")[0]
        self._files.setdefault(place, []).append(rule)

    def find(self, kind: str, key: str) -> Iterator[T]:
        """The values of the patterns that cover a key; files: those of the deepest directory first."""
        for entry in self._on_the_way(key) if kind == "file" else self._others.get(kind, ()):
            if entry.covers(key):
                yield entry.value

    def _on_the_way(self, key: str) -> Iterator[_Entry[T]]:
        place = key
        while place:
            yield from self._files.get(place, ())
            place = place.rpartition("/")[0]
        yield from self._files.get("", ())


class Matcher:
    """The zones of resources."""

    def __init__(self, zones: Iterable[Zone]) -> None:
        """Index the zones."""
        self.zones = most_specific_first(zones)
        self._index: PatternIndex[Zone] = PatternIndex()
        for zone in self.zones:
            self._index.add(f"{zone.kind}:{zone.glob}", zone)

    @classmethod
    def of(cls, zones: "Iterable[Zone] | Matcher") -> "Matcher":
        """A matcher of zones; one that is there already is taken, since making it takes some milliseconds."""
        return zones if isinstance(zones, Matcher) else cls(zones)

    def zone_of(self, kind: str, key: str) -> Zone | None:
        """The zone of a resource; None where no pattern covers it (it is sealed)."""
        return next(self._index.find(kind, key), None)


class PatternSet:
    """Patterns `kind`, `kind:glob` or `/glob`, asked whether any covers a resource."""

    def __init__(self, patterns: Iterable[str]) -> None:
        """Index the patterns; a kind alone covers all its keys."""
        self._kinds: set[str] = set()
        self._index: PatternIndex[str] = PatternIndex()
        for pattern in sorted(set(patterns)):
            if ":" in pattern or pattern.startswith("/"):
                self._index.add(pattern, pattern)
            else:
                self._kinds.add(pattern)

    def covering(self, kind: str, key: str) -> str | None:
        """A pattern that covers a resource, or None."""
        return kind if kind in self._kinds else next(self._index.find(kind, key), None)
