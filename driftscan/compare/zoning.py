"""What each zone class accepts of one resource that differs. The semantics are those of docs/formats/zones.md."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from driftscan.compare.attributes import ALL, CONTENT, NAMES, is_executable, mode_of, privilege
from driftscan.compare.loaded import LIBRARY
from driftscan.compare.rotation import base_of, has_rotated, predecessors, unnumbered
from driftscan.model.drift import Change, Delta
from driftscan.model.matching import Matcher
from driftscan.model.records import Records
from driftscan.model.resource import Resource, Value
from driftscan.model.zone import UNREAD, Tolerance, Zone, ZoneClass

_RENEWED = frozenset({"not_valid_before", "not_valid_after", "not_before", "not_after", "serial", "sha1", "sha256"})
_ANY_ATTRIBUTE = frozenset(
    {ZoneClass.BOOT_ONCE, ZoneClass.IDENTITY, ZoneClass.DERIVED, ZoneClass.SECRET, ZoneClass.FREE}
)
_COMES_AND_GOES = frozenset({ZoneClass.FREE, ZoneClass.BOOT_ONCE})
_EXACT = frozenset({ZoneClass.IDENTITY, ZoneClass.DERIVED, ZoneClass.RENEWING})
"""Zones whose files are wanted as they are: identities are compared among hosts, what is derived follows its rows into
their mutations, and what is renewed is measured against what it replaces."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One resource on both sides (None: not there), and the attributes that differ."""

    expected: Resource | None
    actual: Resource | None
    deltas: Mapping[str, Delta]

    @property
    def change(self) -> Change:
        """How it differs."""
        if self.expected is None:
            return Change.ADDED
        return Change.REMOVED if self.actual is None else Change.MODIFIED

    @property
    def resource(self) -> Resource:
        """Either side."""
        found = self.actual or self.expected
        assert found is not None
        return found


@dataclass(frozen=True, slots=True)
class Ruling:
    """Whether a zone accepts a difference; if not, which attributes it refuses (all, for what came or went), why."""

    allowed: bool
    refused: frozenset[str] = frozenset()
    why: str = ""


_YES = Ruling(True)


@dataclass(frozen=True, slots=True)
class Judge:
    """Rules on differences. `born`: the reference is the host's own birth, so `boot-once` is over. `zones`: those of
    all resources, where what is ruled on may depend on another's."""

    old_files: Records
    new_files: Records
    born: bool = False
    zones: Matcher | None = None

    def rule(self, zone: Zone | None, pair: Pair) -> Ruling:
        """What the zone says of a difference. Zone `external` is never asked: nothing is compared there."""
        if pair.resource.kind == LIBRARY and self._programs_may_come(pair.resource.key):
            return _YES
        if zone is None or zone.zone is ZoneClass.SEALED or (zone.zone is ZoneClass.BOOT_ONCE and self.born):
            return _no(pair)
        if danger := _danger(zone, pair):
            return Ruling(False, frozenset(pair.deltas), danger)
        if pair.change is Change.ADDED:
            return self._added(zone, pair)
        if pair.change is Change.REMOVED:
            return self._removed(zone, pair)
        return self._modified(zone, pair)

    def _programs_may_come(self, path: str) -> bool:
        """Whether programs may come and go there: what runs may then outlive the library that it has loaded."""
        zone = self.zones.zone_of("file", path) if self.zones else None
        return zone is not None and zone.zone is ZoneClass.FREE and zone.executables

    def _added(self, zone: Zone, pair: Pair) -> Ruling:
        if zone.zone is ZoneClass.ROTATING_LOG and zone.may_appear is not False:
            return self._new_log(zone, pair)
        if zone.zone is ZoneClass.RENEWING and (why := self._succeeds_badly(pair.resource)):
            return Ruling(False, frozenset(pair.deltas), why)
        return _YES if _may(zone, zone.may_appear) else _no(pair)

    def _new_log(self, zone: Zone, pair: Pair) -> Ruling:
        base = base_of(pair.resource.key)
        original = None if base is None else _mode_and_owner(self.old_files, base)
        if original is not None:
            why = _less_closed(pair.resource, original)
            return Ruling(False, frozenset(pair.deltas), f"a rotated log {why} than {base}") if why else _YES
        known = base is not None and (base in self.new_files or self._may_have_come(base))
        return _YES if known or zone.may_appear else _no(pair)

    def _may_have_come(self, log: str) -> bool:
        """Whether a log that neither side has would have been accepted: it came, and was rotated away since."""
        zone = self.zones.zone_of("file", log) if self.zones else None
        return zone is not None and zone.zone is ZoneClass.ROTATING_LOG and bool(zone.may_appear)

    def _succeeds_badly(self, new: Resource) -> str:
        """What is wrong with the next of a numbered series (`privkey2.pem`); empty: nothing, or it is the first."""
        for before in predecessors(new.key):
            found = _mode_and_owner(self.old_files, before) or _mode_and_owner(self.new_files, before)
            if found is not None:
                why = _less_closed(new, found)
                return f"a renewed file {why} than {before}" if why else ""
        return ""

    def _removed(self, zone: Zone, pair: Pair) -> Ruling:
        if zone.zone is ZoneClass.ROTATING_LOG and zone.may_vanish is not False:
            key = pair.resource.key
            if base_of(key) is not None or has_rotated(self.new_files, key):
                return _YES
        return _YES if _may(zone, zone.may_vanish) else _no(pair)

    @staticmethod
    def _modified(zone: Zone, pair: Pair) -> Ruling:
        refused = frozenset(pair.deltas) - freed(zone, pair)
        if refused:
            return Ruling(False, refused)
        check = _CHECKS.get(zone.zone)
        why = check(pair) if check else ""
        return Ruling(False, frozenset(pair.deltas), why) if why else _YES


def freed(zone: Zone, pair: Pair) -> frozenset[str]:
    """The attributes that may differ: those that the zone names, else those that its class frees."""
    if zone.attributes:
        return frozenset(zone.attributes)
    if pair.resource.kind == "file":
        if zone.zone is ZoneClass.BOOT_ONCE:
            return frozenset(pair.deltas)
        return CONTENT | NAMES if zone.zone in {ZoneClass.FREE, ZoneClass.ROTATING_LOG} else CONTENT
    if zone.zone in _ANY_ATTRIBUTE:
        return frozenset(pair.deltas)
    return _RENEWED if zone.zone is ZoneClass.RENEWING else frozenset()


def unmissed(zone: Zone, pair: Pair, *, born: bool = False) -> frozenset[str]:
    """The attributes that nobody misses where one side does not know them: those that may differ, and the flags of
    files that are not read, since flags are seen of what was opened."""
    if zone.zone is ZoneClass.SEALED or (zone.zone is ZoneClass.BOOT_ONCE and born):
        return frozenset()
    if zone.zone is ZoneClass.BOOT_ONCE and pair.resource.kind == "file":
        return ALL
    return freed(zone, pair) | {"flags"} if zone.zone in UNREAD else freed(zone, pair)


def tolerance(zone: Zone | None, *, born: bool = False) -> Tolerance | None:
    """What of a zone's ruling on files a target can decide by itself; None for what is sealed. Whatever `Judge` may
    refuse of a file must be told under it: a test compares the two."""
    if zone is None or zone.zone is ZoneClass.SEALED or (zone.zone is ZoneClass.BOOT_ONCE and born):
        return None
    if zone.attributes:
        frees = zone.attributes
    elif zone.zone is ZoneClass.BOOT_ONCE:
        frees = tuple(sorted(ALL))
    else:
        frees = tuple(sorted(CONTENT | NAMES if zone.zone in {ZoneClass.FREE, ZoneClass.ROTATING_LOG} else CONTENT))
    return Tolerance(
        frees=frees,
        comes=zone.zone is not ZoneClass.ROTATING_LOG and _may(zone, zone.may_appear),
        guarded=not zone.executables,
        exact=zone.zone in _EXACT,
        grows=zone.zone is ZoneClass.APPEND_ONLY,
        unread=zone.zone in UNREAD,
    )


def _may(zone: Zone, said: bool | None) -> bool:
    """May it come or go: as the zone says, else as its class does; a zone of named attributes frees no names."""
    if said is not None:
        return said
    return zone.zone in _COMES_AND_GOES and not zone.attributes


def _no(pair: Pair) -> Ruling:
    return Ruling(False, frozenset(pair.deltas))


def _danger(zone: Zone, pair: Pair) -> str:
    """What is refused whatever the zone frees."""
    new = pair.actual
    if new is None or new.kind != "file" or zone.executables:
        return ""
    old = pair.expected.attributes if pair.expected else {}
    what = privilege(new.attributes)
    if what and what != privilege(old):
        return f"{what} in a zone that is {zone.zone.value}"
    if is_executable(new.attributes) and not is_executable(old):
        return f"a new executable in a zone that is {zone.zone.value}"
    return ""


def _appended(pair: Pair) -> str:
    """The old content must be the beginning of the new one: the walk hashed as many bytes as the image has."""
    assert pair.expected is not None
    assert pair.actual is not None
    old, new = pair.expected.attributes, pair.actual.attributes
    before, after = old.get("size"), new.get("size")
    if not isinstance(before, int) or not isinstance(after, int):
        return "its size is not known"
    if after < before:
        return "it has shrunk"
    if before and pair.actual.observed.get("prefix_sha256") != old.get("sha256"):
        return "its old content is not the beginning of the new one"
    return ""


def _shape(pair: Pair) -> str:
    assert pair.actual is not None
    if pair.actual.kind == "file" and "size" in pair.deltas and pair.deltas["size"].actual == 0:
        return "an identity that is empty"
    return ""


def _renewed(pair: Pair) -> str:
    for name in ("not_valid_after", "not_after"):
        delta = pair.deltas.get(name)
        if delta and not _later(delta.expected, delta.actual):
            return "it does not end later than the one it replaces"
    target = pair.deltas.get("target")
    if target and unnumbered(str(target.expected)) != unnumbered(str(target.actual)):
        return "it leads to something else than a successor"
    return ""


def _later(old: Value, new: Value) -> bool:
    if isinstance(old, int) and isinstance(new, int):
        return new >= old
    return isinstance(old, str) and isinstance(new, str) and new >= old


def _less_closed(new: Resource, old: tuple[int, Value, Value]) -> str:
    """How what follows something else is less closed than that, or another's; empty: it is not."""
    mode, uid, gid = old
    if mode_of(new.attributes) & ~mode:
        return "that more may read or write"
    return "with another owner" if (new.attributes.get("uid"), new.attributes.get("gid")) != (uid, gid) else ""


def _mode_and_owner(files: Records, key: str) -> tuple[int, Value, Value] | None:
    found = files.resource(key)
    if found is None:
        return None
    return mode_of(found.attributes), found.attributes.get("uid"), found.attributes.get("gid")


_CHECKS: Mapping[ZoneClass, Callable[[Pair], str]] = {
    ZoneClass.APPEND_ONLY: _appended,
    ZoneClass.IDENTITY: _shape,
    ZoneClass.RENEWING: _renewed,
}
