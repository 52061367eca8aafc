"""What a target's files are expected to be, in the form in which it can be told: digests of sealed ones by directory,
and zoned ones one by one (`model/digests.py`). `scan/exchange.py` talks with targets about it."""

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass

from driftscan.compare.grouping import Grouping, group, place_of
from driftscan.compare.zoning import tolerance
from driftscan.model.codec import canonical, decode_resource
from driftscan.model.columns import line as columns_line
from driftscan.model.columns import quoted
from driftscan.model.digests import (
    BUCKETS,
    DIGEST,
    KEPT,
    WHOLE,
    bucket_digests,
    comparable,
    directory_number,
    group_digest,
    kept_line,
    mark_of,
    root_digest,
    salted,
)
from driftscan.model.names import decode_name
from driftscan.model.records import Records
from driftscan.model.zone import Tolerance, Zone, ZoneClass

ZoneOf = Callable[[str], Zone | None]


@dataclass(frozen=True, slots=True)
class Group:
    """The sealed records of one directory: its own, and those of its entries but subdirectories."""

    directory: str
    number: int
    digest: bytes

    @property
    def row(self) -> bytes:
        """Number and digest, as the target has them."""
        return self.number.to_bytes(4, "big") + self.digest


@dataclass(frozen=True, slots=True)
class Known:
    """Zoned records as the target is told of them: `rows` (mark, digest of what the zone holds fast, digest of all) in
    the order of `keys`."""

    keys: tuple[str, ...]
    rows: bytes


class Reference:
    """The expectation of a table of records under zones. Records in zones that are not compared are not in it."""

    def __init__(
        self, records: Records, zone_of: ZoneOf, *, born: bool = False, grouping: Grouping | None = None
    ) -> None:
        """`zone_of` is that of a matcher for files; `born`: see `compare.diff`; `grouping`: that of the records, if it
        was worked out before."""
        self._records = records
        self._zone_of = zone_of
        self._born = born
        self.grouping = grouping or group(records, lambda key: self._given(key)[0])
        self._members = dict(zip(self.grouping.directories, self.grouping.members, strict=True))
        self._zoned: dict[str, tuple[bytes, Tolerance]] = {}
        for index in self.grouping.zoned:
            key = records.keys[index]
            if (given := self._given(key)[1]) is not None:
                self._zoned[key] = records.lines[index], given
        self._changed: dict[str, dict[str, bytes]] = {}
        self._fresh: frozenset[str] = frozenset()
        self._buckets: list[list[Group]] = [[] for _ in range(BUCKETS)]
        for index, directory in enumerate(self.grouping.directories):
            self._add(directory, self.grouping.digests[index * DIGEST : (index + 1) * DIGEST])
        self.buckets: list[bytes] = bucket_digests([[each.digest for each in bucket] for bucket in self._buckets])
        self._rows: dict[bytes, dict[str, bytes]] = {}

    @property
    def root(self) -> bytes:
        """The digest of all sealed records."""
        return root_digest(self.buckets)

    def changed(self, removed: Iterable[str], added: Mapping[str, bytes]) -> "Reference":
        """The same with some records (by key) gone, and some come or changed: key -> line."""
        gone = {*removed, *added}
        if not gone:
            return self
        other = copy(self)
        other._change(gone, added)  # noqa: SLF001 - of the same class
        return other

    def known(self, salt: bytes) -> Known:
        """The zoned records, told with a salt that the target has not seen before."""
        cache = self._rows.setdefault(salt, {})
        rows = []
        for key, (line, given) in self._zoned.items():
            row = None if key in self._fresh else cache.get(key)
            if row is None:
                row = _row(salt, key, line, given)
                if key not in self._fresh:
                    cache[key] = row
            rows.append(row)
        return Known(tuple(self._zoned), b"".join(rows))

    def groups(self, buckets: Iterable[int]) -> tuple[Group, ...]:
        """The groups of some buckets."""
        return tuple(group for number in buckets for group in self._buckets[number])

    def lines(self, group: Group) -> Mapping[str, bytes]:
        """Key -> line of a group's records."""
        if group.directory in self._changed:
            return self._changed[group.directory]
        rows = (self._records.row(index) for index in self._members.get(group.directory, ()))
        return {key: line for key, line, _ in rows}

    def _change(self, gone: set[str], added: Mapping[str, bytes]) -> None:
        """Make a copy of another reference differ from it; what they share is not touched."""
        places = {key: self._place(key, line) for key in gone if (line := self._line(key)) is not None}
        self._zoned = {key: item for key, item in self._zoned.items() if key not in gone}
        self._changed = {directory: dict(lines) for directory, lines in self._changed.items()}
        self._fresh |= gone
        touched: set[str] = set()
        for key, place in places.items():
            if isinstance(place, str):
                self._own(place).pop(key, None)
                touched.add(place)
        for key, line in added.items():
            place = self._place(key, line)
            if isinstance(place, str):
                self._own(place)[key] = line
                touched.add(place)
            elif place is not None:
                self._zoned[key] = line, place
        self._regroup(touched)

    def _given(self, key: str) -> tuple[bool | None, Tolerance | None]:
        """Whether a key is sealed (None: it is not compared), and what its zone accepts."""
        zone = self._zone_of(key)
        if zone is not None and zone.zone is ZoneClass.EXTERNAL:
            return None, None
        given = tolerance(zone, born=self._born) if zone is not None else None
        return given is None, given

    def _place(self, key: str, line: bytes) -> "str | Tolerance | None":
        """The directory whose group a record is in, or what its zone accepts; None: it is not compared."""
        sealed, given = self._given(key)
        return place_of(key, line) if sealed else given

    def _line(self, key: str) -> bytes | None:
        if key in self._zoned:
            return self._zoned[key][0]
        for place in (key, key.rpartition("/")[0]):
            if key in self._changed.get(place, ()):
                return self._changed[place][key]
        return self._records.line(key)

    def _own(self, directory: str) -> dict[str, bytes]:
        """A copy of a group's records that may be changed."""
        if directory not in self._changed:
            self._changed[directory] = dict(self.lines(Group(directory, 0, b"")))
        return self._changed[directory]

    def _regroup(self, touched: Iterable[str]) -> None:
        self._buckets = list(self._buckets)
        self.buckets = list(self.buckets)
        numbers = {directory: directory_number(decode_name(directory)) % BUCKETS for directory in touched}
        for number in set(numbers.values()):
            self._buckets[number] = [each for each in self._buckets[number] if each.directory not in numbers]
        for directory in numbers:
            if self._changed[directory]:
                self._add(directory, group_digest(b"\n".join(sorted(self._changed[directory].values()))))
        for number in set(numbers.values()):
            self.buckets[number] = bucket_digests([[each.digest for each in self._buckets[number]]])[0]

    def _add(self, directory: str, digest: bytes) -> None:
        number = directory_number(decode_name(directory))
        self._buckets[number % BUCKETS].append(Group(directory, number, digest))


def _row(salt: bytes, key: str, line: bytes, given: Tolerance) -> bytes:
    """One zoned record as the target knows it."""
    attributes = decode_resource(line).attributes
    columns = comparable({name: canonical(value).decode() for name, value in attributes.items()}, given.unread)
    prefix = None
    if given.grows:
        prefix = str(attributes.get("sha256", "")) if attributes.get("size") else ""
    kept = kept_line(columns, quoted(key), frozenset(given.frees), given.guarded, prefix)
    whole = columns_line(columns, quoted(key))
    return mark_of(salt, decode_name(key)) + salted(salt, kept, KEPT) + salted(salt, whole, WHOLE)
