"""Looking at one target: a snapshot of it, with the session left open for follow-up questions."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from driftscan.capture.base import Session
from driftscan.capture.recording import Recorder
from driftscan.collectors import files, os_version
from driftscan.compare.zoning import tolerance
from driftscan.model.manifest import Manifest
from driftscan.model.matching import Matcher
from driftscan.model.snapshot import CollectorCoverage, ImageRef, Resources, Snapshot
from driftscan.model.source import Captures, Gap, Source, WalkRule
from driftscan.model.state import FileState
from driftscan.model.zone import Zone
from driftscan.scan import filescan, program, readiness, texts, torn
from driftscan.scan.facts import Facts, Memory, digests_of
from driftscan.scan.filescan import Files, Plan
from driftscan.scan.look import open_session, seconds_for
from driftscan.scan.on_file import ON_FILE, read_target
from driftscan.scan.options import ScanOptions
from driftscan.scan.packages import package_files
from driftscan.scan.parsing import Parsed, parse
from driftscan.scan.snapshot import assemble, image_of
from driftscan.scan.targets import Target
from driftscan.zones import before_walk, packs, walk_rules
from driftscan.zones.declared import declarations, sources

Phase = Callable[[str], None]
ByImage = Callable[[ImageRef], Manifest | None]
ATTEMPTS = 3
"""How often a target is looked at that a package manager changes meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How the files of a target are compared: see `filescan.compared`."""

    before: FileState | None = None
    quick: bool = False
    audited: tuple[int, ...] = ()
    whole: bool = False


@dataclass(slots=True)
class Observation:
    """A session, and what its first rounds told. When a package manager is at work meanwhile, all is asked again."""

    target: Target
    session: Session
    memory: Memory
    deadline: float
    manifest: Manifest | None = None
    begun: int = 0
    """When the connection was begun; nanoseconds."""
    also: tuple[Source, ...] = ()
    """What else is asked in the first round."""
    captures: Captures = field(default_factory=lambda: Captures([]))
    parsed: Parsed = Parsed({}, ())
    settled: bool = True

    @property
    def image(self) -> ImageRef:
        """The image that the target's os-release names."""
        return image_of(self.parsed)

    def pack_zones(self) -> tuple[Zone, ...]:
        """The shipped zones whose conditions hold for this target, as far as is known before its files are."""
        return before_walk(packs(), Resources(self.parsed.resources))

    def snapshot(self, zones: Sequence[Zone], digest: str = "sha256", more: tuple[WalkRule, ...] = ()) -> Snapshot:
        """A snapshot for which the target tells all of its files. `more` rules come after those of the zones."""
        source = files.tree((*walk_rules(zones), *more), digest)
        matcher = Matcher(zones)

        def sealed(key: str) -> bool:
            return tolerance(matcher.zone_of("file", key)) is None

        return self._calm(lambda last: filescan.listed(self.session, source, sealed))[0]

    def compared(self, plan: Plan, manner: Manner) -> tuple[Snapshot, Files]:
        """A snapshot for which the target tells what differs from the plan's manifest. Asked again, it tells what moved
        since it was asked first."""

        def look(last: Files | None) -> Files:
            return filescan.compared(
                self.session,
                plan,
                last.state if last else manner.before,
                quick=manner.quick or last is not None,
                audited=() if last else manner.audited,
                whole=manner.whole,
            )

        return self._calm(look)

    def _calm(self, look: Callable[[Files | None], Files]) -> tuple[Snapshot, Files]:
        """Look until nothing changes meanwhile, ATTEMPTS times at most. Where files were listed, one that changed while
        it was read twice is no reason to list all of them again; what was seen is not given up for a look for which
        there is no time."""
        found, attempt = look(None), 1
        at_work = torn.disturbed(self.captures, self.session)
        while attempt < ATTEMPTS and (at_work or (found.raced and found.state is not None)):
            torn.wait(self.session, self.deadline)
            if time.monotonic() >= self.deadline:
                break
            self.ask()
            found, attempt = look(found), attempt + 1
            at_work = torn.disturbed(self.captures, self.session)
        facts, disturbed = self.session.facts, (*at_work, *found.raced)
        return assemble(self.target, facts, self.parsed, found, settled=self.settled, torn=disturbed), found

    def ask(self) -> None:
        """Ask what is small, again if need be."""
        facts = Facts(self.session, self.memory, self.manifest, also=(*readiness.SOURCES, *torn.SOURCES, *self.also))
        self.parsed = facts.ask()
        self.captures = Captures(list(facts.captures.values()))
        self.settled = readiness.settled(self.captures)


@contextmanager
def observing(
    target: Target,
    options: ScanOptions,
    phase: Phase = lambda name: None,
    opened: Callable[[Session], None] | None = None,
    *,
    memory: Memory | None = None,
    manifest: Manifest | None = None,
    by_image: ByImage | None = None,
    also: Callable[[Manifest | None], Sequence[Source]] = lambda manifest: (),
) -> Iterator[Observation]:
    """Connect, ask all collectors' sources but the walk, and parse. `opened` is told of the session, so that it can be
    ended from outside; `manifest` is what the target is expected to be, or `by_image` finds it; `also`: what else is
    asked of a target of which that is expected. HostError when the target can't be reached."""
    recorder = Recorder() if options.captures else None
    phase("connect")
    deadline, begun = time.monotonic() + seconds_for(target), time.time_ns()
    session = open_session(target, options, recorder)
    try:
        if opened is not None:
            opened(session)
        phase("collect")
        if by_image is not None:
            manifest = by_image(_image(session))
        program.check(session.facts, manifest)
        seen = Observation(target, session, memory or Memory(), deadline, manifest, begun, tuple(also(manifest)))
        seen.ask()
        yield seen
        if recorder is not None and options.captures is not None:
            recorder.write(str(options.captures), session.facts, target.name)
    finally:
        session.close()


def _image(session: Session) -> ImageRef:
    """The image alone, where the manifest depends on it."""
    collector = os_version.collector
    captures = session.ask(collector.sources)
    return image_of(parse((collector,), captures, live=session.facts.live))


def take_snapshot(
    target: Target, options: ScanOptions, zones: Iterable[Zone] = (), phase: Phase = lambda name: None
) -> Snapshot:
    """A snapshot for its own sake: shipped zones say what is not read; texts of settings are kept."""
    if target.scheme in ON_FILE:
        return read_target(target)[0]
    with observing(target, options, phase) as seen:
        in_force_here = (*seen.pack_zones(), *zones)
        phase("walk")
        taken = seen.snapshot(in_force_here)
        declared, gaps = _declared(seen)
        return replace(
            taken,
            coverage=tuple(_with_gaps(one, gaps) for one in taken.coverage),
            source_digests=digests_of(seen.captures),
            texts=texts.all_texts(seen.session, Matcher(in_force_here)),
            package_files=package_files(seen.session, taken.resources.small),
            declared=declared,
        )


def _with_gaps(coverage: CollectorCoverage, gaps: tuple[Gap, ...]) -> CollectorCoverage:
    """What could not be read of declarations is told with the files, which they are about; it hides none of them."""
    return replace(coverage, gaps=(*coverage.gaps, *gaps)) if coverage.name == files.collector.name else coverage


def _declared(seen: Observation) -> tuple[tuple[Zone, ...], tuple[Gap, ...]]:
    """What the target declares, and what of that could not be read. What collectors asked, too, is not asked again."""
    wanted = sources()
    more = seen.session.ask([source for source in wanted if source not in seen.captures])
    captures = {**seen.captures, **more}
    return declarations(Captures([captures[source] for source in wanted]))
