"""What one scan of a host leaves for the next: which files moved since, which are to be read again, what was seen."""

import logging
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from driftscan.compare.coverage import Sights, best, fell, sights
from driftscan.compare.lineage import begin, follow
from driftscan.errors import DriftscanError
from driftscan.model.birth import Birth
from driftscan.model.drift import Mutation
from driftscan.model.place import Place
from driftscan.model.result import Mode, Reading
from driftscan.model.snapshot import CollectorStatus, Snapshot
from driftscan.model.state import VISITS, History, HostState, Visit
from driftscan.scan import born
from driftscan.scan.audit import audit
from driftscan.scan.clock import now
from driftscan.scan.filescan import Plan
from driftscan.scan.observe import Manner, Observation
from driftscan.scan.options import ScanOptions
from driftscan.scan.targets import Target

if TYPE_CHECKING:
    from driftscan.store import HostStates

log = logging.getLogger(__name__)


class States:
    """The states of hosts. One that cannot be read or written costs time, and no result: it is told once."""

    def __init__(self, place: Place | None) -> None:
        """No place: nothing is kept, and every scan is the first."""
        self._place = place
        self._opened: HostStates | None = None
        self._opening = threading.Lock()
        self._told = threading.Event()

    @property
    def _store(self) -> "HostStates | None":
        """Opened when it is first asked: what never asks it does not wait for the database's library."""
        if self._place is None:
            return None
        with self._opening:
            if self._opened is None:
                from driftscan.store import HostStates  # noqa: PLC0415 - 0.2 s, for those who keep something

                self._opened = HostStates(self._place)
            return self._opened

    def load(self, target: Target) -> HostState | None:
        """What the last scan left of a target."""
        try:
            return self._store.load(name_of(target)) if self._store else None
        except DriftscanError as error:
            self._tell(error)
            return None

    def save(self, target: Target, state: HostState, before: HostState | None) -> None:
        """Keep what this one leaves."""
        try:
            if self._store:
                self._store.save(name_of(target), state, before.files if before else None)
        except DriftscanError as error:
            self._tell(error)

    def visited(self, target: Target, visit: Visit) -> None:
        """Keep that a scanner was on a target, if the scan has not: its log tells of that."""
        before = self.load(target)
        known = before is not None and before.visits and before.visits[-1].end >= visit.start
        if visit.user and not known:
            state = before or HostState(key=secrets.token_bytes(32))
            self.save(target, replace(state, visits=(*state.visits, visit)[-VISITS:]), before)

    def follow(self, target: Target, now: History, *, settled: bool) -> History | None:
        """The history of a target with one scan more, which is kept; None where nothing is."""
        if self._store is None:
            return None
        try:
            before = self._store.history(name_of(target))
        except DriftscanError as error:
            self._tell(error)
            before, now = None, replace(now, young=False)
        history = follow(before, now, settled=settled)
        try:
            if history != before:
                self._store.remember(name_of(target), history)
        except DriftscanError as error:
            self._tell(error)
        return history

    def history(self, target: Target) -> History | None:
        """In what a target differed in earlier scans."""
        try:
            return self._store.history(name_of(target)) if self._store else None
        except DriftscanError as error:
            self._tell(error)
            return None

    def birth(self, target: Target) -> Birth | None:
        """What a target was when its first boot had settled; None where nobody has recorded it, or it cannot be read:
        then the target is judged by its image alone, which accepts less."""
        try:
            return self._store.birth(name_of(target)) if self._store else None
        except DriftscanError as error:
            self._tell(error)
            return None

    def births(self, manifest: str, user_data: str) -> Mapping[str, Birth]:
        """The births of hosts of one image with the same user data."""
        try:
            return self._store.births(manifest, user_data) if self._store else {}
        except DriftscanError as error:
            self._tell(error)
            return {}

    def templates(self, manifest: str) -> frozenset[str]:
        """The user data of hosts of one image whose births are known."""
        try:
            return self._store.templates(manifest) if self._store else frozenset()
        except DriftscanError as error:
            self._tell(error)
            return frozenset()

    def record(self, target: Target, birth: Birth, history: History) -> None:
        """Keep a birth, and begin the history of its machine with it: what is not in `history` came later. Raises
        IncompleteError if it cannot be kept: a birth is recorded for that alone."""
        if self._store:
            name = name_of(target)
            digest = self._store.record(name, birth)
            history = replace(history, manifest=born.digest_of(birth.manifest, digest), young=not birth.doubts)
            self._store.remember(name, begin(self.history(target), history))

    def close(self) -> None:
        """When no host is looked at any more."""
        if self._opened:
            self._opened.close()

    def _tell(self, error: DriftscanError) -> None:
        if not self._told.is_set():
            self._told.set()
            log.warning("nothing is kept for quick scans: %s", error.message)


def name_of(target: Target) -> str:
    """What a target's state is kept under: two inventories may call different hosts by one name, and who looks with
    other rights sees other things."""
    if target.host is None:
        return target.spec
    options = target.host.options
    return f"{target.name} {options.user}@{target.host.address}:{options.port} {options.sudo}"


@dataclass(frozen=True, slots=True)
class Sighting:
    """A snapshot, how much of the files was read for it, what zones accept and the target did not tell, and what is
    no longer seen."""

    taken: Snapshot
    reading: Reading
    accepted: int
    lost: tuple[Mutation, ...]
    visits: tuple[Visit, ...]
    """The scanner's own, this one the last."""
    first: bool
    """Whether no earlier scan of the target is known."""


def sight(seen: Observation, plan: Plan, states: States, options: ScanOptions, *, whole: bool) -> Sighting:
    """Look at the files of a target, quickly where there was a scan before; keep what the next scan needs."""
    before = states.load(seen.target)
    state = before or HostState(key=secrets.token_bytes(32))
    visit = Visit(seen.begun, time.time_ns(), seen.session.facts.user, seen.session.facts.key)
    state = replace(state, visits=(*state.visits, visit)[-VISITS:])
    if not seen.session.converses:
        taken = seen.snapshot(plan.zones)
        lost = _keep(seen.target, states, before, replace(state, files=None), taken)
        return Sighting(taken, Reading(), 0, lost, state.visits, _known(before) is None)
    quick = options.mode != Mode.FULL and plan.fits(state.files)
    drawn = audit(state.key, state.scans, options.cycle)
    manner = Manner(before=state.files, quick=quick, audited=drawn.buckets if quick else (), whole=whole)
    taken, found = seen.compared(plan, manner)
    seen_at = now()
    state = replace(
        state,
        scans=state.scans + 1,
        seen_at=seen_at,
        full_at=state.full_at if quick else seen_at,
        files=None if taken.torn else found.state,
    )
    reading = Reading(mode=Mode.QUICK, probability=drawn.probability, within=drawn.cycle, since=state.full_at)
    lost = _keep(seen.target, states, before, state, taken)
    told = reading if quick else Reading(since=seen_at)
    return Sighting(taken, told, found.accepted, lost, state.visits, _known(before) is None)


def _keep(
    target: Target, states: States, before: HostState | None, state: HostState, taken: Snapshot
) -> tuple[Mutation, ...]:
    """Keep the state with the most that was ever seen; what is no longer seen."""
    now = sights(taken.coverage, taken.files)
    known = _known(before)
    lost = fell(known, now) if known else None
    most = best(known, now) if known else now
    collectors = tuple((name, status.value, gaps) for name, (status, gaps) in sorted(most.collectors.items()))
    states.save(target, replace(state, coverage=most.files, collectors=collectors), before)
    return (lost,) if lost else ()


def _known(state: HostState | None) -> Sights | None:
    if state is None or not state.collectors:
        return None
    collectors = {name: (CollectorStatus(status), gaps) for name, status, gaps in state.collectors}
    return Sights(collectors, state.coverage)


def mode_of(readings: Sequence[Reading]) -> Mode:
    """The mode of a scan of several hosts."""
    modes = {reading.mode for reading in readings}
    return modes.pop() if len(modes) == 1 else Mode.MIXED if modes else Mode.FULL
