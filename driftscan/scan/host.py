"""One host, from connection to result: the way of the data."""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from driftscan import __version__
from driftscan.capture.base import Session
from driftscan.compare.attribute import attribute, missing
from driftscan.compare.diff import diff
from driftscan.compare.evidence import Evidence
from driftscan.compare.fold import fold
from driftscan.compare.identities import changed_identities, identities, is_reference, shared_identities
from driftscan.compare.lineage import RESOLVERS, resolvers_of
from driftscan.compare.lineage import replaced as is_another
from driftscan.compare.logins import logins
from driftscan.model.drift import CauseType, Difference, Mutation
from driftscan.model.result import NOT_COMPARED, HostImage, ImageMatch, PolicyUse
from driftscan.model.snapshot import Snapshot
from driftscan.model.state import History, Visit
from driftscan.model.times import nanoseconds
from driftscan.policy import Policy, Together, asks, load
from driftscan.policy.waive import Waiving
from driftscan.scan import evidence, standin, texts
from driftscan.scan.baseline import Baselines
from driftscan.scan.continuity import States, sight
from driftscan.scan.facts import Memory
from driftscan.scan.judgement import Assessment, alone, unknown_image
from driftscan.scan.observe import Observation, observing, take_snapshot
from driftscan.scan.on_file import ON_FILE
from driftscan.scan.options import ScanOptions
from driftscan.scan.outside import FOR_ADVISORIES, Deriver
from driftscan.scan.own import Expected, Own
from driftscan.scan.parsing import kinds
from driftscan.scan.plans import Plans
from driftscan.scan.progress import Progress, Silent
from driftscan.scan.proof import Proofs
from driftscan.scan.targets import Target
from driftscan.waivers import load as load_waivers
from driftscan.zones import load as load_zones

WITH_MANIFEST = ("immutable-core",)
WITHOUT_MANIFEST = ("immutable-core", "server-hardening")


class Job:
    """What all hosts of a scan share: baselines, policies, zones by hand; everything the user can get wrong is read
    here, before any connection is made (UsageError)."""

    def __init__(self, options: ScanOptions, targets: Iterable[Target]) -> None:
        """Read manifests, policies and zones."""
        self.options = options
        self.baselines = Baselines(options.manifest, options.state_dir)
        self.baselines.check(targets)
        self.proofs = Proofs(options.packages, self.baselines, options.state_dir)
        self.deriver = Deriver(options.advisories, options.state_dir)
        self.together = Together()
        self.zones = load_zones(Path(options.zones)) if options.zones else ()
        accepted = tuple(waiver for path in options.waivers for waiver in load_waivers(path))
        self.waiving = Waiving(waivers=accepted, today=datetime.now(UTC).date())
        self.memory = Memory()
        self.states = States(options.kept_in)
        self.plans = Plans(self.zones, options.state_dir)
        self._reading = threading.Lock()
        self._policies: dict[tuple[str, ...], tuple[Policy, ...]] = {}
        if options.policies:  # shipped ones are right, and most runs need few of them
            self._load(options.policies)
        self._sessions: dict[int, Session] = {}
        self._lock = threading.Lock()
        self._ended = False

    def policies(self, match: ImageMatch) -> tuple[Policy, ...]:
        """The policies for a host, by whether it has a manifest."""
        default = WITHOUT_MANIFEST if match is ImageMatch.STAND_IN else WITH_MANIFEST
        if self.options.advisories:
            default = (*default, *FOR_ADVISORIES)
        return self._load(self.options.policies or default)

    def policies_used(self) -> tuple[PolicyUse, ...]:
        """Every policy that was loaded for some host."""
        with self._reading:
            loaded = [policy for policies in self._policies.values() for policy in policies]
        used = {PolicyUse(policy.id, policy.version, policy.digest, policy.file) for policy in loaded}
        return tuple(sorted(used, key=lambda one: (one.name, one.file)))

    def opened(self, session: Session) -> None:
        """Remember a session, so that it can be ended; one that comes too late is ended at once."""
        with self._lock:
            self._sessions[id(session)] = session
        if self._ended:
            session.close()

    def closed(self, session: Session) -> None:
        """Forget a session."""
        with self._lock:
            self._sessions.pop(id(session), None)

    def end_sessions(self) -> None:
        """End all that are open: their threads see a lost connection."""
        self._ended = True
        with self._lock:
            sessions = list(self._sessions.values())
        for session in sessions:
            session.close()

    def _load(self, names: tuple[str, ...]) -> tuple[Policy, ...]:
        with self._reading:
            if names not in self._policies:
                self._policies[names] = load(names, kinds())
            return self._policies[names]


@dataclass(slots=True)
class Stopwatch:
    """Milliseconds per phase."""

    target: str
    progress: Progress
    spent: dict[str, int] = field(default_factory=dict)
    _phase: str = ""
    _since: float = field(default_factory=time.monotonic)

    def __call__(self, phase: str) -> None:
        """Enter a phase; the one before it ends."""
        now = time.monotonic()
        if self._phase:
            self.spent[self._phase] = self.spent.get(self._phase, 0) + int((now - self._since) * 1000)
        self._phase, self._since = phase, now
        if phase:
            self.progress.phase(self.target, phase)


def scan_host(job: Job, target: Target, progress: Progress) -> Assessment:
    """Everything that one scan finds out about one target; HostError when it can't be reached."""
    watch = Stopwatch(target.name, progress)
    if target.scheme in ON_FILE:
        return replace(_stored(job, target, watch), waiving=job.waiving)
    own = Own(job.baselines, job.states, job.plans, target)
    sessions: list[Session] = []
    begun = time.time_ns()

    def opened(session: Session) -> None:
        sessions.append(session)
        job.opened(session)

    try:
        with observing(
            target,
            job.options,
            watch,
            opened,
            memory=job.memory,
            manifest=own.ahead(),
            by_image=own.by_image(),
            also=own.sources,
        ) as seen:
            facts = _compare(job, seen, own, watch)
    except Exception:
        for session in sessions:
            job.states.visited(target, Visit(begun, time.time_ns(), session.facts.user, session.facts.key))
        raise
    finally:
        for session in sessions:
            job.closed(session)
    watch("")
    return replace(facts, timings=watch.spent, waiving=job.waiving)


def _compare(job: Job, seen: Observation, own: Own, watch: Stopwatch) -> Assessment:
    baseline = job.baselines.of(seen.target, seen.image)
    if baseline.image.match is ImageMatch.STAND_IN:
        return _against_packages(job, seen, baseline.image, watch)
    manifest = baseline.manifest
    if manifest is None:
        return _without_image(job, seen, baseline.image, watch)
    policies = job.policies(baseline.image.match)
    expected = own.expected(seen, manifest)
    plan, zones = expected.plan, expected.plan.matcher
    watch("walk")
    whole = any("file" in policy.kinds() for policy in policies)
    sighting = sight(seen, plan, job.states, job.options, whole=whole)
    taken = sighting.taken
    watch("compare")
    same = seen.parsed.same - expected.apart
    resolvers = resolvers_of(each.key for each in (expected.manifest if "dns" in same else taken).resources.of("dns"))
    known_by = job.states.history(seen.target)
    elsewhere = known_by is not None and known_by.machine.get(RESOLVERS, resolvers[RESOLVERS]) != resolvers[RESOLVERS]
    fixed = frozenset({"dns"} if expected.born or elsewhere else ())
    found = diff(expected.manifest, taken, zones, born=expected.born, same=same, own=fixed)
    watch("explain")
    changed = (item.key for item in found.differences if item.kind == "file" and not item.allowed)
    taken = replace(taken, texts=texts.texts_of(seen.session, changed, zones))
    if taken.texts:
        found = diff(expected.manifest, taken, zones, born=expected.born, same=same, own=fixed)
    told = asks(policies, CauseType.INTERACTIVE_LOGIN) and seen.session.facts.live
    known, differences = evidence.gather(
        seen.session,
        found.differences,
        taken,
        seen.captures,
        manifest,
        visits=sighting.visits,
        logins_since=nanoseconds(expected.since) if told else None,
    )
    known = replace(known, shipments=job.proofs.of(seen.target, differences, taken.resources))
    mine = identities(taken.resources, zones)
    mutations = (*_explained(differences, known), *_identity(seen.target, mine, expected, known_by), *sighting.lost)
    assessment = Assessment.of(
        seen.target,
        taken,
        baseline.image,
        policies=policies,
        deriver=job.deriver,
        together=job.together,
        manifest=manifest,
        mutations=mutations,
        found=replace(found, differences=differences),
        notes=expected.notes,
        identities=mine,
        reading=sighting.reading,
        accepted=sighting.accepted,
        logins_told=told,
    )
    scan = alone(assessment, manifest=expected.manifest.digest, young=sighting.first, resolvers=resolvers)
    return replace(assessment, history=job.states.follow(seen.target, scan, settled=taken.settled))


def _identity(
    target: Target, mine: Mapping[str, str], expected: Expected, history: History | None
) -> tuple[Mutation, ...]:
    """What is another's, and what was another while the machine stayed the same: as its birth, else the first of the
    earlier scans, else the manifest has it, if the host is the one that was baked."""
    references = expected.manifest.references
    before = [each.identities for each in references if is_reference(mine, each, target.name)]
    before += [history.machine] if history else []
    before += [expected.machine] if expected.machine else []
    known = before[-1] if before else {}
    changed = () if is_another(known, mine) else changed_identities(mine, known)
    return (*shared_identities(mine, references, {}, name=target.name), *changed)


def _explained(differences: Sequence[Difference], known: Evidence) -> tuple[Mutation, ...]:
    """What happened, who did it, who logged in, and which logs do not tell."""
    return (*attribute(fold(differences, known), known), *logins(known.witness), *missing(known.witness))


def _against_packages(job: Job, seen: Observation, image: HostImage, watch: Stopwatch) -> Assessment:
    database = standin.ask(seen.session)
    usable = standin.usable(database)
    watch("walk")
    zones = (*seen.pack_zones(), *job.zones)
    taken = seen.snapshot(zones, "md5" if usable else "", standin.RULES)
    if not usable:
        return Assessment.of(
            seen.target,
            taken,
            image,
            policies=job.policies(image.match),
            notes=(NOT_COMPARED,),
            deriver=job.deriver,
            together=job.together,
        )
    watch("compare")
    manifest = standin.manifest(database, taken, f"driftscan {__version__}")
    found = diff(manifest, standin.reduced(database, taken, manifest), manifest.zones)
    watch("explain")
    known, differences = evidence.gather(seen.session, found.differences, taken, seen.captures, manifest)
    mutations = _explained(differences, known)
    return Assessment.of(
        seen.target,
        taken,
        image,
        policies=job.policies(image.match),
        deriver=job.deriver,
        together=job.together,
        manifest=manifest,
        mutations=mutations,
        found=replace(found, differences=differences),
        notes=(standin.WEAK,),
    )


def _without_image(job: Job, seen: Observation, image: HostImage, watch: Stopwatch) -> Assessment:
    watch("walk")
    taken = seen.snapshot(seen.pack_zones())
    mutation = unknown_image(image)
    return Assessment.of(
        seen.target,
        taken,
        image,
        policies=job.policies(image.match),
        deriver=job.deriver,
        together=job.together,
        mutations=(mutation,),
    )


def _stored(job: Job, target: Target, watch: Stopwatch) -> Assessment:
    """A snapshot or manifest in a file is judged as it lies there; no follow-up question can be asked."""
    watch("compare")
    taken = take_snapshot(target, job.options)
    baseline = job.baselines.of(target, taken.image)
    policies = job.policies(baseline.image.match)
    if baseline.manifest is None:
        unknown = baseline.image.match is ImageMatch.UNKNOWN
        return Assessment.of(
            target,
            taken,
            baseline.image,
            policies=policies,
            deriver=job.deriver,
            together=job.together,
            mutations=[unknown_image(baseline.image)] if unknown else [],
            notes=() if unknown else (NOT_COMPARED,),
        )
    zones = (*baseline.manifest.zones, *job.zones)
    found = diff(baseline.manifest, taken, zones)
    stored = Evidence(
        baseline_files=baseline.manifest.package_files,
        shipments=job.proofs.of(target, found.differences, taken.resources),
        resources=taken.resources,
    )
    mutations = fold(found.differences, stored)
    own = identities(taken.resources, zones)
    shared = shared_identities(own, baseline.manifest.references, {})
    watch("")
    return Assessment.of(
        target,
        taken,
        baseline.image,
        policies=policies,
        deriver=job.deriver,
        together=job.together,
        manifest=baseline.manifest,
        mutations=(*mutations, *shared),
        found=found,
        identities=own,
    )


def snapshot(
    target: Target, options: ScanOptions, captures: Path | None = None, progress: Progress | None = None
) -> Snapshot:
    """A snapshot of one target for its own sake."""
    watch = Stopwatch(target.name, progress or Silent())
    zones = load_zones(Path(options.zones)) if options.zones else ()
    return take_snapshot(target, replace(options, captures=captures or options.captures), zones, watch)
