"""`driftscan diff`: any two targets, without policy."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from driftscan.compare.accounting import accounting
from driftscan.compare.diff import diff as compare
from driftscan.compare.evidence import Evidence
from driftscan.compare.fold import fold
from driftscan.model.drift import Accounting, Difference, Mutation
from driftscan.model.lazy import Lazy
from driftscan.model.manifest import Manifest
from driftscan.model.snapshot import Snapshot
from driftscan.model.source import Gap
from driftscan.model.zone import Zone
from driftscan.scan.on_file import ON_FILE, as_manifest, read_target
from driftscan.scan.options import ScanOptions
from driftscan.scan.parallel import each
from driftscan.scan.targets import Target

NO_ZONES = "none"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between two targets, what zones accept of it, and what neither side could see."""

    old: str
    new: str
    accounting: Accounting
    mutations: tuple[Mutation, ...]
    allowed: tuple[Difference, ...]
    unknown: tuple[Difference, ...]
    not_baselined: tuple[str, ...]
    gaps: tuple[Gap, ...]


def diff(old: Target, new: Target, options: ScanOptions) -> Comparison:
    """Compare. Zones: a manifest's own for a manifest, the shipped ones for anything else, and those by hand; with
    `zones` of the options `none`: none at all.
    HostError when a target can't be reached."""
    raw = options.zones == NO_ZONES
    by_hand = _written(options.zones) if options.zones and not raw else ()
    (before, manifest), (after, _) = each((old, new), lambda target: _seen(target, options, by_hand), 2)
    manifest = manifest or as_manifest(before, _shipped(before))
    found = compare(manifest, after, () if raw else (*manifest.zones, *by_hand))
    known = Evidence(package_files=_owned(after), baseline_files=before.package_files, resources=after.resources)
    mutations = fold(found.differences, known)
    return Comparison(
        old=old.name,
        new=new.name,
        accounting=accounting(found.differences, mutations),
        mutations=mutations,
        allowed=tuple(item for item in found.differences if item.allowed),
        unknown=found.unknown,
        not_baselined=found.not_baselined,
        gaps=(*before.gaps, *after.gaps),
    )


def _seen(target: Target, options: ScanOptions, by_hand: Iterable[Zone]) -> tuple[Snapshot, Manifest | None]:
    """What a target is like; of a manifest, itself too."""
    if target.scheme in ON_FILE:
        return read_target(target)
    from driftscan.scan.observe import take_snapshot  # noqa: PLC0415 - paid only by who looks at a host

    return take_snapshot(target, options, by_hand), None


def _shipped(taken: Snapshot) -> tuple[Zone, ...]:
    from driftscan.zones import in_force, packs  # noqa: PLC0415 - not where a manifest has zones of its own

    return in_force(packs(), taken.resources)


def _written(path: str) -> tuple[Zone, ...]:
    from driftscan.zones import load  # noqa: PLC0415 - few have zones by hand

    return load(Path(path))


def _owned(snapshot: Snapshot) -> Mapping[str, Mapping[str, str]]:
    """Files by package, without digests: a stored target can't be asked for them."""
    return Lazy(lambda: {key: dict.fromkeys(paths, "") for key, paths in snapshot.package_files.items()})
