"""Looking at one target: a snapshot of it, with the session left open for follow-up questions."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from driftscan.capture.base import Session
from driftscan.capture.recording import Recorder
from driftscan.collectors import files
from driftscan.manifests.files import read_manifest, read_snapshot
from driftscan.model.codec import digest
from driftscan.model.manifest import Manifest, Provenance
from driftscan.model.matching import Matcher
from driftscan.model.snapshot import ImageRef, Resources, Snapshot
from driftscan.model.source import Captures, File, Status, Tree
from driftscan.model.zone import Zone
from driftscan.scan import readiness, texts
from driftscan.scan.look import open_session
from driftscan.scan.options import ScanOptions
from driftscan.scan.packages import package_files
from driftscan.scan.snapshot import Parsed, assemble, parse_small, small_sources, walk
from driftscan.scan.targets import Target
from driftscan.zones import in_force, packs, walk_rules

Phase = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Observation:
    """A session, and what its first round told."""

    target: Target
    session: Session
    captures: Captures
    parsed: Parsed
    settled: bool

    @property
    def image(self) -> ImageRef:
        """The image that the target's os-release names."""
        version = self.parsed.resources.get(("os_version", "-"))
        attributes = version.attributes if version else {}
        return ImageRef(str(attributes.get("image_id") or ""), str(attributes.get("image_version") or ""))

    def pack_zones(self) -> tuple[Zone, ...]:
        """The shipped zones whose conditions hold for this target, as far as is known before its files are."""
        return in_force(packs(), Resources(self.parsed.resources))

    def snapshot(self, source: Tree) -> Snapshot:
        """Walk the tree and put the snapshot together."""
        walked = walk(self.session, self.captures, source)
        return assemble(self.target, self.session.facts, self.parsed, walked, settled=self.settled)


@contextmanager
def observing(
    target: Target,
    options: ScanOptions,
    phase: Phase = lambda name: None,
    opened: Callable[[Session], None] | None = None,
) -> Iterator[Observation]:
    """Connect, ask all collectors' sources but the walk, and parse. `opened` is told of the session, so that it can be
    ended from outside. HostError when the target can't be reached."""
    recorder = Recorder() if options.captures else None
    phase("connect")
    session = open_session(target, options, recorder)
    try:
        if opened is not None:
            opened(session)
        phase("collect")
        sources = (*small_sources(live=session.facts.live), *readiness.SOURCES)
        captures = session.ask(sources)
        parsed = parse_small(captures, live=session.facts.live)
        yield Observation(target, session, captures, parsed, readiness.settled(captures))
        if recorder is not None and options.captures is not None:
            recorder.write(str(options.captures), session.facts, target.name)
    finally:
        session.close()


def take_snapshot(
    target: Target, options: ScanOptions, zones: Iterable[Zone] = (), phase: Phase = lambda name: None
) -> Snapshot:
    """A snapshot for its own sake: shipped zones say what is not read; texts of settings are kept."""
    if target.scheme == "snapshot":
        return read_snapshot(target.path)
    if target.scheme == "manifest":
        return from_manifest(read_manifest(target.path), target)
    with observing(target, options, phase) as seen:
        in_force_here = (*seen.pack_zones(), *zones)
        phase("walk")
        taken = seen.snapshot(files.tree(walk_rules(in_force_here)))
        return replace(
            taken,
            source_digests=source_digests(seen.captures),
            texts=texts.all_texts(seen.session, Matcher(in_force_here)),
            package_files=package_files(seen.session, taken.resources.small),
        )


def source_digests(captures: Captures) -> dict[str, str]:
    """The digest of each file that a collector asked for and got whole."""
    return {
        source.path: digest(capture.data)
        for source, capture in captures.items()
        if isinstance(source, File) and capture.status is Status.OK and not source.path.startswith(("/proc/", "/sys/"))
    }


def from_manifest(manifest: Manifest, target: Target) -> Snapshot:
    """A manifest as if it were a snapshot, to compare two of them."""
    return Snapshot(
        host=target.name,
        target=target.spec,
        taken_at=manifest.provenance.baked_at,
        resources=manifest.resources,
        coverage=manifest.coverage,
        image=manifest.image,
        live=manifest.live,
        source_digests=manifest.source_digests,
        texts=manifest.texts,
        package_files=manifest.package_files,
    )


def as_manifest(snapshot: Snapshot, zones: tuple[Zone, ...] = (), tool: str = "") -> Manifest:
    """A snapshot as the reference of a comparison."""
    return Manifest(
        image=snapshot.image,
        provenance=Provenance(baked_at=snapshot.taken_at, tool=tool),
        resources=snapshot.resources,
        coverage=snapshot.coverage,
        zones=zones,
        source_digests=snapshot.source_digests,
        texts=snapshot.texts,
        package_files=snapshot.package_files,
        live=snapshot.live,
    )
