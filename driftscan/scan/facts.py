"""The small facts: sources asked, parsed, and neither where their answers are known already.

Collectors that speak of the same kinds are one unit. A unit whose answers are those that the manifest was baked from
has the manifest's resources; one whose answers another host of this run gave has what was parsed then. Both are told by
digests, which targets with Python compare themselves: what is as expected is neither sent nor parsed.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from driftscan.capture.base import Session
from driftscan.capture.probe import render
from driftscan.collectors import files
from driftscan.collectors._base import Collector
from driftscan.model.codec import digest
from driftscan.model.manifest import Manifest
from driftscan.model.resource import Plane, Resource, ResourceId
from driftscan.model.snapshot import CollectorCoverage, CollectorStatus
from driftscan.model.source import Capture, Captures, Source
from driftscan.scan.parsing import Parsed, collectors, parse

MOST_ANSWERS = 64 << 20
"""Bytes of answers that are kept during a run, for units of which another host differs in part."""
MOST_EXPECTED = 256
"""Manifests of which it is kept what hosts are expected to answer: a host with a birth has one of its own."""
MOST_PARSED = 4096
"""Parsed units that are kept during a run."""


class Unit:
    """Collectors that share kinds, by name."""

    def __init__(self, collectors: Iterable[Collector]) -> None:
        """At least one collector, after the first of which it is called."""
        self.collectors = tuple(collectors)
        self.name = self.collectors[0].name
        self.kinds = frozenset(kind.name for each in self.collectors for kind in each.kinds)
        self._live = _sources(self.collectors)
        self._stored = _sources(each for each in self.collectors if each.plane is Plane.IMAGE)

    def sources(self, *, live: bool) -> tuple[Source, ...]:
        """What it asks of a running target or a root file system."""
        return self._live if live else self._stored


def _sources(collectors: Iterable[Collector]) -> tuple[Source, ...]:
    return tuple(dict.fromkeys(source for each in collectors for source in each.sources))


class Memory:
    """Answers and what was made of them, shared by the hosts of a run. Safe for threads."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._lock = threading.Lock()
        self._answers: OrderedDict[str, Capture] = OrderedDict()
        self._bytes = 0
        self._parsed: OrderedDict[tuple[str, ...], Parsed] = OrderedDict()
        self._expected: OrderedDict[tuple[int, bool], tuple[Manifest, Expectation]] = OrderedDict()

    def expected(self, manifest: Manifest, *, live: bool) -> "Expectation":
        """What hosts with this manifest are expected to answer."""
        with self._lock:
            key = id(manifest), live
            if key not in self._expected:
                self._expected[key] = manifest, Expectation.of(manifest, live=live)
            self._expected.move_to_end(key)
            while len(self._expected) > MOST_EXPECTED:
                self._expected.popitem(last=False)
            return self._expected[key][1]

    def keep(self, captures: Iterable[Capture]) -> None:
        """Remember answers by their digest, the latest of them."""
        with self._lock:
            for capture in captures:
                if capture.digest and not capture.same and capture.digest not in self._answers:
                    self._answers[capture.digest] = capture
                    self._bytes += _size(capture)
            while self._bytes > MOST_ANSWERS:
                self._bytes -= _size(self._answers.popitem(last=False)[1])

    def answer(self, source: Source, known: str) -> Capture | None:
        """The answer of a digest, as one to this source."""
        with self._lock:
            found = self._answers.get(known)
        return found if found is not None and found.source == source else None

    def parsed(self, key: tuple[str, ...]) -> Parsed | None:
        """What was made of answers with these digests."""
        with self._lock:
            return self._parsed.get(key)

    def learn(self, key: tuple[str, ...], parsed: Parsed) -> None:
        """Remember that."""
        with self._lock:
            self._parsed[key] = parsed
            if len(self._parsed) > MOST_PARSED:
                self._parsed.popitem(last=False)


@cache
def units() -> tuple[Unit, ...]:
    """All collectors but the walk's, those that share kinds together."""
    groups: list[list[Collector]] = []
    for collector in sorted(collectors().values(), key=lambda each: each.name):
        if collector.name == files.NAME:
            continue
        kinds = {kind.name for kind in collector.kinds}
        near = [group for group in groups if any(kind.name in kinds for each in group for kind in each.kinds)]
        groups = [group for group in groups if group not in near]
        groups.append([*(each for group in near for each in group), collector])
    return tuple(Unit(group) for group in groups)


@cache
def _every_source(*, live: bool) -> tuple[Source, ...]:
    return tuple(dict.fromkeys(source for unit in units() for source in unit.sources(live=live)))


@cache
def name_of(source: Source) -> str:
    """The name by which a manifest knows a source: how it is shown, and a digest of the whole of it."""
    (request,) = render.permit((source,))
    return f"{source} {digest(request.encode())[7:23]}"


def digests_of(captures: Captures) -> dict[str, str]:
    """Name of each source -> digest of its answer: for a manifest or a snapshot."""
    return {name_of(source): capture.digest for source, capture in captures.items() if capture.digest}


@dataclass(slots=True)
class Facts:
    """The facts of one target, asked in one round, or two where a unit differs in part."""

    session: Session
    memory: Memory
    manifest: Manifest | None = None
    also: Sequence[Source] = ()
    """What else is asked in the first round."""
    captures: dict[Source, Capture] = field(default_factory=dict)

    def ask(self) -> Parsed:
        """Ask and parse. What was captured is in `captures`; answers that were as expected have no data there."""
        live = self.session.facts.live
        expected = self.memory.expected(self.manifest, live=live) if self.manifest else Expectation()
        self.captures = dict(self.session.ask((*_every_source(live=live), *self.also), expected.answers).items())
        known = {unit: self._known(unit, live, expected) for unit in units()}
        self._fetch([unit.sources(live=live) for unit, found in known.items() if found is None])
        self.memory.keep(self.captures.values())
        return joined(found or self._parsed(unit, live) for unit, found in known.items())

    def _known(self, unit: Unit, live: bool, expected: "Expectation") -> Parsed | None:
        """What is known of a unit with these answers: from the manifest, or from another host of this run."""
        key = self._key(unit, live)
        baked, found = expected.units.get(unit.name, ((), None))
        if found is not None and key == baked:
            return found
        return self.memory.parsed(key) if key else None

    def _key(self, unit: Unit, live: bool) -> tuple[str, ...]:
        """What a unit's answers are known by; nothing where the digest of one is not known."""
        found = tuple(self.captures[source].digest for source in unit.sources(live=live))
        return _key_of(unit, found, live=live) if all(found) else ()

    def _fetch(self, units_of: Iterable[Sequence[Source]]) -> None:
        """Get what was not sent, of units that must be parsed because other answers differ: from another host of this
        run that answered the same, or else from this one."""
        missing: dict[Source, None] = {}
        for source in (source for sources in units_of for source in sources if self.captures[source].same):
            known = self.memory.answer(source, self.captures[source].digest)
            if known is not None:
                self.captures[source] = known
            else:
                missing[source] = None
        if missing:
            self.captures.update(self.session.ask(tuple(missing)).items())

    def _parsed(self, unit: Unit, live: bool) -> Parsed:
        captures = Captures([self.captures[source] for source in unit.sources(live=live)])
        found = parse(unit.collectors, captures, live=live)
        key = self._key(unit, live)
        if key:
            self.memory.learn(key, found)
        return found


@dataclass(frozen=True, slots=True)
class Expectation:
    """What targets with one manifest are expected to answer, by digest, and for each unit, by its name, what these
    answers are known by together, and the manifest's resources."""

    answers: Mapping[Source, str] = field(default_factory=dict)
    units: Mapping[str, tuple[tuple[str, ...], Parsed]] = field(default_factory=dict)

    @classmethod
    def of(cls, manifest: Manifest, *, live: bool) -> "Expectation":
        """That of a manifest; what does not run is not expected to be as what ran when the manifest was baked."""
        known = manifest.source_digests
        answers = {source: known[name] for source in _every_source(live=live) if (name := name_of(source)) in known}
        units_of: dict[str, tuple[tuple[str, ...], Parsed]] = {}
        for unit in units() if live is manifest.live else ():
            sources = unit.sources(live=live)
            if sources and all(source in answers for source in sources) and (found := _baked(manifest, unit)):
                units_of[unit.name] = _key_of(unit, (answers[source] for source in sources), live=live), found
        return cls(answers, units_of)


def _key_of(unit: Unit, digests: Iterable[str], *, live: bool) -> tuple[str, ...]:
    return (unit.name, str(live), *digests)


def _baked(manifest: Manifest, unit: Unit) -> Parsed | None:
    by_name = {coverage.name: coverage for coverage in manifest.coverage}
    coverage = [by_name.get(collector.name) for collector in unit.collectors]
    found = [each for each in coverage if each is not None]
    versions = [each.version for each in found]
    if versions != [collector.version for collector in unit.collectors]:
        return None
    if any(each.status is CollectorStatus.FAILED for each in found):
        return None
    resources = {rid: item for kind in unit.kinds for rid, item in manifest.resources.by_kind.get(kind, {}).items()}
    return Parsed(resources, tuple(found), unit.kinds)


def joined(parts: Iterable[Parsed]) -> Parsed:
    """The facts of several units, which share no kinds."""
    resources: dict[ResourceId, Resource] = {}
    coverage: list[CollectorCoverage] = []
    same: set[str] = set()
    for part in parts:
        resources.update(part.resources)
        coverage.extend(part.coverage)
        same.update(part.same)
    return Parsed(resources, tuple(sorted(coverage, key=lambda each: each.name)), frozenset(same))


def _size(capture: Capture) -> int:
    return len(capture.data) + sum(len(member.data) + 200 for member in capture.members)
