"""A month of hourly scans of a fleet that nobody has to run: what happens to its hosts is made up, and goes through the
real judge, store and outbox. Events are held against what was done. `python benchmarks/month.py`, or

    python benchmarks/month.py [--hosts 200] [--days 31] [--seed 1] [--store DIR|URL]

It prints what RESULTS.md holds; the status is 1 if the events are not what was done to the hosts, one each.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from driftscan.compare.mutation import make
from driftscan.errors import IncompleteError, UnreachableError
from driftscan.model.drift import CauseType, Change, Delta, Difference, Mutation
from driftscan.model.event import Event, EventKind
from driftscan.model.host import Host
from driftscan.model.place import parse
from driftscan.model.result import HostImage, HostResult, ImageMatch, PolicyUse, ScanResult
from driftscan.model.snapshot import CollectorCoverage, CollectorStatus, FileCoverage
from driftscan.model.source import Gap, Status
from driftscan.model.waiver import Waiver
from driftscan.policy import Context, Policy, load
from driftscan.policy.waive import Waiving
from driftscan.reports._base import Style
from driftscan.reports.json import report
from driftscan.scan.judgement import Assessment, conclude, failed, gone
from driftscan.scan.parsing import kinds
from driftscan.scan.targets import Target
from driftscan.store import Store, Watching

START = datetime(2026, 12, 1, tzinfo=UTC)
CHANNEL = "everybody"
IMAGE = HostImage(id="ami-1", version="1", manifest_digest="sha256:" + "00" * 32, match=ImageMatch.GIVEN)
FILES = CollectorCoverage("files", 1, ("file",), CollectorStatus.COMPLETE)
STRICTER = """\
policy: month/stricter
version: 1
title: From the middle of the month on, settings are worse
rules:
  - id: settings
    title: A setting was changed
    on: mutation
    match: {cause: configuration-changed}
    severity: critical
    recommendation: quarantine
    why: So that a rule that is changed makes known findings worse.
    tests:
      - expect: match
        mutation: {cause: configuration-changed, subject: /etc/a}
      - expect: no-match
        mutation: {cause: file-added, subject: /etc/a}
"""
Told = tuple[str, str, str]
"""Kind, host, subject."""


def mutations() -> tuple[Mutation, ...]:
    """What can happen to a host."""
    made = []
    for number in range(8):
        path = f"/etc/app/setting-{number}.conf"
        delta = {"sha256": Delta("aa", "bb")}
        heart = Difference(kind="file", key=path, change=Change.MODIFIED, attributes=delta)
        made.append(make(CauseType.CONFIGURATION_CHANGED, path, f"{path} was changed", [heart]))
        path = f"/opt/tool-{number}"
        heart = Difference(kind="file", key=path, change=Change.ADDED, attributes={"mode": Delta(None, "0755")})
        made.append(make(CauseType.FILE_ADDED, path, f"{path} was added", [heart]))
    return tuple(made)


@dataclass
class Machine:
    """A host as it is, and what was told of it."""

    target: Target
    has: set[str] = field(default_factory=set)
    hidden: str = ""
    """The path that a gap hides."""
    answers: bool = True
    listed: bool = True
    gone: bool = False
    until: int = 0
    """The hour in which it answers, or shows all, again."""
    told: dict[str, tuple[bool, bool]] = field(default_factory=dict)
    """What scans last saw of it: whether that was accepted, and whether it was judged by the stricter policy."""
    ever: set[str] = field(default_factory=set)
    seen: int = 2
    """How much the last scan saw of it: all, a part (1), nothing."""
    missed: int = 0
    silent: bool = False


class World:
    """The fleet, hour by hour. What should be told is written down by whoever does it to a host, as soon as a scan can
    see it: by rules of its own, which know nothing of rows and lives."""

    def __init__(self, hosts: int, hours: int, seed: int, folder: Path) -> None:
        """Nothing has happened yet."""
        self.hours = hours
        self.expected: Counter[Told] = Counter()
        self._dice = random.Random(seed)
        self._pool = {each.id: each for each in mutations()}
        self._machines = [_machine(number) for number in range(hosts)]
        (folder / "stricter.yaml").write_text(STRICTER)
        core = load(("immutable-core",), kinds())
        self._policies = (core, load(("immutable-core", str(folder / "stricter.yaml")), kinds()))
        self._waivers = self._waived()

    def scan(self, hour: int) -> tuple[ScanResult, float]:
        """What happens in an hour, and the scan after it, and how long the judge took for it, in seconds."""
        if hour:
            self._happen(hour)
        clock = self._clock(hour)
        policies = self._policies[hour >= self.hours // 2]
        waiving = Waiving(waivers=self._waivers, today=clock.date())
        listed = [each for each in self._machines if each.listed]
        began = time.perf_counter()
        results = tuple(self._result(each, policies, waiving) for each in listed)
        judged = time.perf_counter() - began
        self._expect(hour, clock)
        return self._scan(f"scan-{hour}", clock, results), judged

    def late(self, hour: int) -> ScanResult:
        """A scan that began and ended before the one of an hour, and is stored after it. It saw a fleet as new, but for
        hosts that did not answer the later one: of those it would have the last word."""
        clock = self._clock(hour) - timedelta(minutes=2)
        results = [
            self._result(_machine(index), self._policies[0], Waiving()) for index, _ in enumerate(self._machines)
        ]
        kept = [
            result
            for each, result in zip(self._machines, results, strict=True)
            if each.listed and each.answers and not each.gone
        ]
        return self._scan(f"late-{hour}", clock, tuple(kept))

    def interrupted(self, hour: int) -> ScanResult:
        """A scan that was ended before any host was asked."""
        error = IncompleteError("the scan was interrupted before this host was finished")
        results = tuple(failed(each.target, error) for each in self._machines if each.listed and not each.gone)
        found = self._scan(f"cut-{hour}", self._clock(hour) + timedelta(minutes=30), results)
        return replace(found, interrupted=True)

    def _clock(self, hour: int) -> datetime:
        """It is five hours behind for the eighth part of the time."""
        behind = 5 if self.hours * 3 // 8 <= hour < self.hours // 2 else 0
        return START + timedelta(hours=hour - behind)

    def _happen(self, hour: int) -> None:
        """Some twenty acts a day on 200 hosts."""
        for machine in self._machines:
            if machine.until == hour:
                machine.answers, machine.hidden = True, ""
        usable = [each for each in self._machines if not each.gone]
        for _ in range(3):
            machine = self._dice.choice(usable)
            act = self._dice.random()
            if act < 0.3:
                machine.has.add(self._dice.choice(sorted(self._pool)))
            elif act < 0.5 and machine.has:
                machine.has.remove(self._dice.choice(sorted(machine.has)))
            elif act < 0.56 and machine.until <= hour:
                machine.answers, machine.until = False, hour + self._dice.randint(1, 6)
            elif act < 0.62 and machine.until <= hour:
                path = self._pool[self._dice.choice(sorted(machine.has or self._pool))].differences[0].key
                machine.hidden, machine.until = path, hour + self._dice.randint(1, 6)
        if hour == self.hours // 3:  # the same thing on many hosts at once
            for machine in usable[: len(usable) // 8]:
                machine.has.add(min(self._pool))
        if hour == self.hours * 2 // 3:
            usable[-1].gone = True
            usable[-2].listed = False

    def _waived(self) -> tuple[Waiver, ...]:
        """One that ends within the time, one that lasts, both of what some hosts will have."""
        ids = sorted(each.id for each in self._pool.values() if each.cause.type is CauseType.FILE_ADDED)
        days = (self.hours // 2 // 24, 80)
        return tuple(
            Waiver(
                finding=finding,
                hosts=("web-*",),
                reason="known",
                owner="ops",
                expires=(START + timedelta(days=count)).date(),
                origin=f"waivers.yaml:{count}",
            )
            for finding, count in zip(ids, days, strict=False)
        )

    def _result(self, machine: Machine, policies: tuple[Policy, ...], waiving: Waiving) -> HostResult:
        if machine.gone:
            return gone(machine.target)
        if not machine.answers:
            return failed(machine.target, UnreachableError("no connection: timed out"))
        shown = [each for each in machine.has if self._pool[each].differences[0].key != machine.hidden]
        coverage = FILES
        unknown: tuple[Difference, ...] = ()
        if machine.hidden:
            gap = Gap("files", Status.FORBIDDEN, "no right to look", (machine.hidden,))
            coverage = replace(FILES, status=CollectorStatus.PARTIAL, gaps=(gap,))
            unknown = (Difference(kind="file", key=machine.hidden, change=Change.UNKNOWN),)
        found = Assessment(
            target=machine.target,
            image=IMAGE,
            policies=policies,
            context=Context(labels=machine.target.host.labels if machine.target.host else {}),
            settled=True,
            mutations=tuple(self._pool[each] for each in sorted(shown)),
            controls=(),
            differences=tuple(item for each in sorted(shown) for item in self._pool[each].differences),
            unknown=unknown,
            not_baselined=(),
            coverage=(coverage,),
            files=FileCoverage(),
            torn=(),
            notes=(),
            identities={},
            waiving=waiving,
        )
        return conclude(found)

    def _scan(self, name: str, clock: datetime, results: Sequence[HostResult]) -> ScanResult:
        waivers = tuple((each, each.state(clock.date())) for each in self._waivers)
        return ScanResult(
            id=name,
            started_at=_text(clock),
            finished_at=_text(clock + timedelta(minutes=1)),
            mode="quick",
            hosts=tuple(results),
            waivers=waivers,
            policies=tuple(PolicyUse(each.id, each.version, "sha256:00", each.file) for each in self._policies[0]),
        )

    def _expect(self, hour: int, clock: datetime) -> None:
        """What a scan of this hour has to tell."""
        for waiver in self._waivers:
            left = (waiver.expires - clock.date()).days
            for kind, reached in ((EventKind.WAIVER_EXPIRED, left < 0), (EventKind.WAIVER_EXPIRING, 0 <= left <= 14)):
                self.expected[kind.value, "", waiver.finding] |= int(reached)
        for machine in self._machines:
            for kind, subject in list(self._news(machine, clock, worse=hour >= self.hours // 2)):
                if hour:
                    self.expected[kind.value, machine.target.name, subject] += 1
        self.expected[EventKind.ADOPTED.value, "", ""] = 1

    def _news(self, machine: Machine, clock: datetime, *, worse: bool) -> Iterator[tuple[EventKind, str]]:
        if machine.gone:
            yield from ((EventKind.RESOLVED, each) for each, (accepted, _) in machine.told.items() if not accepted)
            machine.told.clear()
            return
        if not (machine.answers and machine.listed):
            machine.missed += 1
            if machine.seen and machine.listed:
                machine.seen = 0
                yield EventKind.COVERAGE_LOST, ""
            if machine.missed == 3:
                machine.silent = True
                yield EventKind.SILENT, ""
            return
        if machine.silent:
            yield EventKind.ANSWERS, ""
        machine.missed, machine.silent = 0, False
        seen = 1 if machine.hidden else 2
        if machine.seen != seen:
            yield EventKind.COVERAGE_RESTORED if machine.seen < seen else EventKind.COVERAGE_LOST, ""
            machine.seen = seen
        for each, mutation in self._pool.items():
            if mutation.differences[0].key != machine.hidden:
                yield from ((kind, each) for kind in self._drift(machine, mutation, clock, worse=worse))

    def _drift(self, machine: Machine, mutation: Mutation, clock: datetime, *, worse: bool) -> Iterator[EventKind]:
        accepted = any(each.finding == mutation.id and clock.date() <= each.expires for each in self._waivers)
        worse = worse and mutation.cause.type is CauseType.CONFIGURATION_CHANGED
        before = machine.told.pop(mutation.id, None)
        if mutation.id not in machine.has:
            if before is not None and not before[0]:
                yield EventKind.RESOLVED
            return
        machine.told[mutation.id] = (accepted, worse)
        if before is None and not accepted:
            yield EventKind.RETURNED if mutation.id in machine.ever else EventKind.NEW
        if before is not None and not accepted and (before[0] or worse > before[1]):
            yield EventKind.WORSENED
        machine.ever.add(mutation.id)


@dataclass
class Ran:
    """What came of it. Times in seconds."""

    expected: Counter[Told]
    delivered: Counter[Told]
    judged: float
    saves: list[float]
    claims: list[float]


def run(store: Store, world: World, *, reports: bool) -> Ran:
    """Scan, save and deliver each hour. Delivery is down for a while; scans come late, twice, and cut short."""
    told: Counter[Told] = Counter()
    ran = Ran(world.expected, told, 0.0, [], [])
    watching = Watching(scope="fleet", channels=(CHANNEL,))
    for hour in range(world.hours):
        result, judged = world.scan(hour)
        ran.judged += judged
        page = "".join(report.render(result, Style(width=100))).encode() if reports else b""
        began = time.perf_counter()
        store.save(result, page, watching)
        ran.saves.append(time.perf_counter() - began)
        if hour % 50 == 49:
            _disturb(store, world, hour, result, watching)
        if hour % 3 == 2 or hour == world.hours - 1:
            began = time.perf_counter()
            _deliver(store, result.finished_at, told, works=hour % 40 not in range(10, 20) or hour == world.hours - 1)
            ran.claims.append(time.perf_counter() - began)
    ran.expected = Counter({event: count for event, count in world.expected.items() if count})
    return ran


def _disturb(store: Store, world: World, hour: int, result: ScanResult, watching: Watching) -> None:
    store.save(world.late(hour), b"", watching)
    store.save(world.interrupted(hour), b"", watching)
    try:
        store.save(result, b"", watching)
    except IncompleteError:
        return
    raise RuntimeError("a scan was stored twice")


def _deliver(store: Store, now: str, told: Counter[Told], *, works: bool) -> None:
    pending = store.claim(CHANNEL, now)
    if pending is None:
        return
    if store.claim(CHANNEL, now) is not None:
        raise RuntimeError("two deliver the same")
    if works:
        told.update(_key(each) for each in pending.events)
        if pending.expired:
            raise RuntimeError("events were too old")
    store.settle(pending, "" if works else "the mail server is down")


def _key(event: Event) -> Told:
    return event.kind.value, event.host, event.subject


def _machine(number: int) -> Machine:
    name = f"web-{number}"
    host = Host(name=name, address=name, labels={"az": "abc"[number % 3], "role": "web"})
    return Machine(Target("ssh", name, f"ssh://{name}", host=host))


def _text(clock: datetime) -> str:
    return clock.strftime("%Y-%m-%dT%H:%M:%SZ")


def _size(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def main() -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--hosts", type=int, default=200)
    parser.add_argument("--days", type=int, default=31)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = parse(options.store, Path(folder) / "store")
        world = World(options.hosts, options.days * 24, options.seed, Path(folder))
        began = time.perf_counter()
        ran = run(Store(place), world, reports=True)
        took = time.perf_counter() - began
        tables, blobs = Path(place.directory), _size(place.directory / "blobs")
        print(f"{options.hosts} hosts, {world.hours} scans, {took:.0f} s; the judge {ran.judged:.0f} s of them")
        print(f"tables {(_size(tables) - blobs) / 1e6:.1f} MB, reports {blobs / 1e6:.1f} MB")
        for name, times in (("save", sorted(ran.saves)), ("claim", sorted(ran.claims))):
            print(f"{name}: median {times[len(times) // 2] * 1e3:.0f} ms, longest {times[-1] * 1e3:.0f} ms")
    kinds_told: Counter[str] = Counter()
    for (kind, _, _), count in ran.delivered.items():
        kinds_told[kind] += count
    print(", ".join(f"{kind} {count}" for kind, count in sorted(kinds_told.items())))
    wrong = [*(ran.expected - ran.delivered).items(), *(ran.delivered - ran.expected).items()]
    print(f"{ran.delivered.total()} events delivered, {ran.expected.total()} expected, {len(wrong)} differ")
    for event, count in wrong[:20]:
        print("  ", *event, count)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
