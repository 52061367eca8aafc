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
MOST_PARSED = 4096
"""Parsed units that are kept during a run."""


@dataclass(frozen=True)
class Unit:
    """Collectors that share kinds, by name."""

    collectors: tuple[Collector, ...]

    @property
    def name(self) -> str:
        """The name of its first collector."""
        return self.collectors[0].name

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds that it speaks of."""
        return frozenset(kind.name for collector in self.collectors for kind in collector.kinds)

    def sources(self, *, live: bool) -> tuple[Source, ...]:
        """What it asks of a running target or a root file system."""
        asked = (each for each in self.collectors if live or each.plane is Plane.IMAGE)
        return tuple(dict.fromkeys(source for each in asked for source in each.sources))


class Memory:
    """Answers and what was made of them, shared by the hosts of a run. Safe for threads."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._lock = threading.Lock()
        self._answers: OrderedDict[str, Capture] = OrderedDict()
        self._bytes = 0
        self._parsed: OrderedDict[tuple[str, ...], Parsed] = OrderedDict()

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
    return tuple(Unit(tuple(group)) for group in groups)


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
        sources = tuple(dict.fromkeys(source for unit in units() for source in unit.sources(live=live)))
        asked = (*sources, *self.also)
        self.captures = dict(self.session.ask(asked, self._expected(sources)).items())
        self._fetch(sorted({source for unit in units() for source in self._lacking(unit, live)}, key=name_of))
        self.memory.keep(self.captures.values())
        return joined(self._of(unit, live) for unit in units())

    def _expected(self, sources: Iterable[Source]) -> Mapping[Source, str]:
        if self.manifest is None:
            return {}
        known = self.manifest.source_digests
        return {source: known[name] for source in sources if (name := name_of(source)) in known}

    def _lacking(self, unit: Unit, live: bool) -> list[Source]:
        """What was not sent, of a unit that must be parsed because other answers differ."""
        sources = unit.sources(live=live)
        unsent = [source for source in sources if self.captures[source].same]
        if not unsent or self._known(unit, live) is not None:
            return []
        for source in unsent:
            known = self.memory.answer(source, self.captures[source].digest)
            if known is not None:
                self.captures[source] = known
        return [source for source in unsent if self.captures[source].same]

    def _fetch(self, sources: Sequence[Source]) -> None:
        if sources:
            self.captures.update(self.session.ask(sources).items())

    def _of(self, unit: Unit, live: bool) -> Parsed:
        known = self._known(unit, live)
        if known is not None:
            return known
        captures = Captures([self.captures[source] for source in unit.sources(live=live)])
        found = parse(unit.collectors, captures, live=live)
        key = self._key(unit, live)
        if key:
            self.memory.learn(key, found)
        return found

    def _known(self, unit: Unit, live: bool) -> Parsed | None:
        key = self._key(unit, live)
        if not key:
            return None
        if self.manifest is not None and (baked := self._baked(unit, live)) is not None:
            return baked
        return self.memory.parsed(key)

    def _key(self, unit: Unit, live: bool) -> tuple[str, ...]:
        """The digests of a unit's answers; empty where one is not known."""
        found = tuple(self.captures[source].digest for source in unit.sources(live=live))
        return (unit.name, str(live), *found) if all(found) else ()

    def _baked(self, unit: Unit, live: bool) -> Parsed | None:
        """The manifest's resources, if all answers are those that it was baked from."""
        assert self.manifest is not None
        known = self.manifest.source_digests
        sources = unit.sources(live=live)
        if live is not self.manifest.live or not sources:
            return None
        if any(known.get(name_of(source)) != self.captures[source].digest for source in sources):
            return None
        return _baked(self.manifest, unit)


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
