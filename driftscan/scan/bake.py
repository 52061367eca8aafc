"""From one or several boots of an image to its manifest."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from driftscan import __version__
from driftscan.compare.diff import diff
from driftscan.compare.identities import identities
from driftscan.errors import IncompleteError, UsageError
from driftscan.model.manifest import Manifest, Provenance
from driftscan.model.snapshot import (
    CollectorCoverage,
    CollectorStatus,
    ImageRef,
    Reference,
    Resources,
    Snapshot,
)
from driftscan.model.zone import Zone
from driftscan.scan.clock import now
from driftscan.scan.host import snapshot
from driftscan.scan.options import ScanOptions
from driftscan.scan.parallel import each
from driftscan.scan.progress import Progress
from driftscan.scan.targets import Target
from driftscan.zones import Boots, HeldOut, Question, declared, hold_out, in_force, load, merge, packs
from driftscan.zones.declared import Declared

NO_ZONES = "none"
_WORST = (
    CollectorStatus.FAILED,
    CollectorStatus.NOT_APPLICABLE,
    CollectorStatus.PARTIAL,
    CollectorStatus.COMPLETE,
)


@dataclass(frozen=True, slots=True)
class BakeResult:
    """The manifest, the zones learned from several boots (they are in it), what the image's owner must answer, what is
    not in the manifest and why, what the image itself declares, the zones by hand that were given, how well each of
    several boots is explained by the others, and what is sealed because they agree in it."""

    manifest: Manifest
    learned: tuple[Zone, ...]
    questions: tuple[Question, ...]
    notes: tuple[str, ...]
    declared: Declared = Declared()
    by_hand: tuple[Zone, ...] = ()
    held_out: HeldOut | None = None
    agreed: tuple[Zone, ...] = ()


def bake(
    targets: Sequence[Target], *, image: ImageRef, zones: str, options: ScanOptions, progress: Progress
) -> BakeResult:
    """Bake. `zones`: a file of zones written by hand, empty, or `none` to leave learned ones out. IncompleteError for
    a snapshot that is torn or not whole, HostError for a target that can't be reached, UsageError for bad zones."""
    by_hand = load(Path(zones)) if zones and zones != NO_ZONES else ()
    snapshots = each(targets, lambda target: snapshot(target, options, progress=progress), options.workers)
    for taken in snapshots:
        _check(taken)
    known = (*in_force(packs(), snapshots[0].resources), *by_hand)
    merged = merge(snapshots)
    said = declared.accept([taken.declared for taken in snapshots], known, merged.files)
    known = (*known, *said.zones)
    boots = Boots(snapshots, known, lambda manifest, taken, using: diff(manifest, taken, using).differences)
    learned = boots.learn()
    held_out = hold_out(boots) if len(snapshots) > 1 and zones != NO_ZONES else None
    if zones == NO_ZONES:
        learned = replace(learned, zones=(), agreed=())
    every = (*known, *learned.zones, *learned.agreed)
    manifest = _manifest(snapshots, _image(image, snapshots), merged, every)
    notes = _notes(snapshots)
    return BakeResult(manifest, learned.zones, learned.questions, notes, said, by_hand, held_out, learned.agreed)


def _manifest(snapshots: Sequence[Snapshot], image: ImageRef, merged: Resources, zones: tuple[Zone, ...]) -> Manifest:
    return Manifest(
        image=image,
        provenance=Provenance(baked_at=now(), tool=f"driftscan {__version__}"),
        resources=Resources(merged.small, merged.files.bare()),
        coverage=_coverage(snapshots),
        zones=zones,
        references=tuple(
            Reference(host=taken.host, taken_at=taken.taken_at, identities=identities(taken.resources, zones))
            for taken in snapshots
        ),
        texts=_common([taken.texts for taken in snapshots]),
        source_digests=_common([taken.source_digests for taken in snapshots]),
        package_files=snapshots[0].package_files,
        live=all(taken.live for taken in snapshots),
    )


def _check(taken: Snapshot) -> None:
    if taken.torn:
        raise IncompleteError(
            f"{taken.host}: the snapshot is torn: {taken.torn[0]}", "Bake again when nothing changes the target."
        )
    if not taken.settled:
        raise IncompleteError(f"{taken.host}: first boot has not finished", "Bake again in a minute.")
    for coverage in taken.coverage:
        gaps = [gap for gap in coverage.gaps if gap.hides]
        if coverage.name == "files" and gaps:
            more = f" (and {len(gaps) - 1} more)" if len(gaps) > 1 else ""
            hint = "" if taken.privileged else "Run as root: the probe has no root rights."
            raise IncompleteError(f"{taken.host}: {gaps[0].reason}{more}", hint)
        if coverage.status is CollectorStatus.FAILED:
            reason = coverage.gaps[0].reason if coverage.gaps else "no reason given"
            raise IncompleteError(f"{taken.host}: collector {coverage.name} failed: {reason}")


def _image(given: ImageRef, snapshots: Sequence[Snapshot]) -> ImageRef:
    """What was given, else what all os-releases agree on. UsageError where boots of two images are mixed."""
    said = {taken.image for taken in snapshots}
    if len(said) > 1:
        names = ", ".join(sorted(f"{image.id or '-'} {image.version or '-'}" for image in said))
        raise UsageError(f"the targets are of different images: {names}", "Bake each image on its own.")
    found = next(iter(said))
    return ImageRef(given.id or found.id, given.version or found.version)


def _coverage(snapshots: Sequence[Snapshot]) -> tuple[CollectorCoverage, ...]:
    """Per collector the poorest of all boots: what one boot could not see is not in the baseline."""
    by_name: dict[str, list[CollectorCoverage]] = {}
    for taken in snapshots:
        for coverage in taken.coverage:
            by_name.setdefault(coverage.name, []).append(coverage)
    return tuple(min(rows, key=lambda row: _WORST.index(row.status)) for _, rows in sorted(by_name.items()))


def _common(boots: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """What all boots say alike."""
    first, *rest = boots
    return {name: value for name, value in first.items() if all(other.get(name) == value for other in rest)}


def _notes(snapshots: Iterable[Snapshot]) -> tuple[str, ...]:
    notes = []
    for taken in snapshots:
        if not taken.live:
            notes.append(f"{taken.host}: not a running target: processes, listeners, mounts ... are not baselined")
        notes.extend(f"{taken.host}: not baselined: {gap.collector}: {gap.reason}" for gap in taken.gaps)
    return tuple(dict.fromkeys(notes))
