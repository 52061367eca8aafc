"""`driftscan gate`: a candidate image against the approved one. Every difference must be explained by a declaration."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from driftscan.changes import load as load_declared
from driftscan.compare.covering import Covering, Parts, cover
from driftscan.compare.diff import Diff, diff, reasons
from driftscan.compare.evidence import Evidence
from driftscan.compare.fold import fold
from driftscan.compare.folds._generated import loads_code
from driftscan.compare.identities import identities, shared_identities
from driftscan.errors import UsageError
from driftscan.manifests.files import read_manifest
from driftscan.model.declared import DeclaredChanges
from driftscan.model.drift import Change, Mutation
from driftscan.model.finding import Action, JudgedControl, JudgedMutation, Result, Severity
from driftscan.model.gate import Fleet, GateResult, GateVerdict, Ground, ImageChange
from driftscan.model.lazy import Lazy
from driftscan.model.manifest import Manifest
from driftscan.model.matching import Matcher
from driftscan.model.proof import Shipment
from driftscan.model.result import HostImage, ImageMatch
from driftscan.model.snapshot import ImageRef, Snapshot
from driftscan.model.source import Status
from driftscan.model.zone import Zone, ZoneClass
from driftscan.policy import Context, Policy, judge_controls, judge_mutations, load
from driftscan.scan import evidence, readiness, texts
from driftscan.scan.baseline import Baselines
from driftscan.scan.observe import Phase, observing, take_snapshot
from driftscan.scan.on_file import ON_FILE
from driftscan.scan.options import ScanOptions
from driftscan.scan.outside import FOR_ADVISORIES, Deriver, Patches, asks_outside
from driftscan.scan.parsing import kinds
from driftscan.scan.proof import Proofs
from driftscan.scan.targets import Target

ORDER = ("immutable-core",)
"""The policy whose severities put what is left in order. It decides nothing here."""
_ANSWERED = ON_FILE | {"capture"}
"""Schemes of candidates that answer no question but those that were asked when they were recorded."""
OWN_NAME = Zone(
    pattern="os_version:-",
    zone=ZoneClass.FREE,
    attributes=("image_id", "image_version"),
    reason="Each image has its own name.",
    origin="gate",
)
NOT_BOOTED = (
    "the approved manifest was baked from booted hosts and the candidate has not booted: what first boot makes is"
    " missing in it. Compare like with like: boot the candidate, or bake the approved manifest from an unpacked image"
)
BAKED_UNBOOTED = (
    "the approved manifest is of an image that did not run: what is only there when it does (listeners, mounts, kernel"
    " settings) was not compared. Bake one from a booted instance for that"
)
WITHOUT_ROOT = (
    "the directory was read without root rights: read it as root, or gate the image as oci: or docker-archive:, which"
    " need none"
)
_TOP = ("/etc", "/usr")
NOT_SETTLED = "first boot of the candidate has not finished; give it more with --timeout"


class Approved:
    """What a candidate is judged by. Everything the user can get wrong is read here, before any connection is made
    (UsageError)."""

    def __init__(
        self,
        manifest: str,
        declared: str,
        policies: tuple[str, ...],
        fail_on: Severity | Action,
        *,
        advisories: tuple[str, ...] = (),
        packages: tuple[str, ...] = (),
        state_dir: Path | None = None,
    ) -> None:
        """`manifest`: the approved image's; `declared`: a file of declared changes, or nothing; `advisories`: files of
        them, and `packages`: directories of archives, whose indexes are kept below `state_dir`."""
        self.name = manifest
        self.manifest = read_manifest(Path(manifest))
        self.declared = load_declared(declared, kinds()) if declared else DeclaredChanges()
        policies = policies or (FOR_ADVISORIES if advisories else ())
        self.policies: tuple[Policy, ...] = load(policies, kinds()) if policies else ()
        self.deriver = Deriver(advisories, state_dir)
        self.proofs = Proofs(packages, Baselines(""), state_dir)
        self.archives = bool(packages)
        self.fail_on = fail_on
        self.order = load(ORDER, kinds())
        self._zones = (*map(_from_image_to_image, self.manifest.zones), OWN_NAME)

    def zones(self, *, booted: bool) -> Matcher:
        """What may differ between two images, and, for one that has not booted, between it and one that has."""
        if booted or not self.manifest.live:
            return Matcher(self._zones)
        return Matcher(_before_boot(zone) for zone in self._zones)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A candidate, and in what it differs. `asked`: whether it could be asked for its package database."""

    taken: Snapshot
    found: Diff
    evidence: Evidence
    asked: bool


def look(
    candidate: Target,
    approved: Approved,
    options: ScanOptions,
    phase: Phase = lambda name: None,
    waiting: Callable[[], None] = lambda: None,
) -> Seen:
    """Compare a candidate with the approved image; `waiting` is called when its first boot is waited for, as long as
    there is time. HostError when it can't be reached; UsageError for a bad file."""
    manifest = approved.manifest
    if candidate.scheme in _ANSWERED:
        taken = take_snapshot(candidate, options)
        found = diff(manifest, taken, approved.zones(booted=taken.live))
        shipments = approved.proofs.of(candidate, found.differences, taken.resources)
        return Seen(taken=taken, found=found, evidence=_on_file(manifest, taken, shipments), asked=False)
    with observing(candidate, options, phase) as seen:
        if not seen.settled:
            waiting()
            readiness.wait(seen.session, seen.deadline)
            seen.ask()
        phase("walk")
        zones = approved.zones(booted=seen.session.facts.live)
        taken = seen.snapshot(approved.zones(booted=True).zones)  # identities are read, whatever may differ in them
        _refuse_no_root(candidate, taken, manifest)
        phase("compare")
        found = diff(manifest, taken, zones)
        changed = (item.key for item in found.differences if item.kind == "file" and not item.allowed)
        taken = replace(taken, texts=texts.texts_of(seen.session, changed, zones))
        found = diff(manifest, taken, zones) if taken.texts else found
        phase("explain")
        known, told = evidence.gather(seen.session, found.differences, taken, seen.captures, manifest)
        known = replace(known, shipments=approved.proofs.of(candidate, told, taken.resources))
        return Seen(taken=taken, found=replace(found, differences=told), evidence=known, asked=True)


def judge(candidate: Target, seen: Seen, approved: Approved, fleet: Fleet, started_at: str) -> GateResult:
    """What the gate says. Pure."""
    # Apt's history would make one mutation of packages that are declared and packages that are not.
    known = replace(seen.evidence, history=())
    covering = cover(fold(seen.found.differences, known), approved.declared, known, database=seen.asked)
    context = _context(seen.taken, approved.manifest)
    changes = tuple(sorted(_changes(covering, approved.order, context), key=_worst_first))
    own = identities(seen.taken.resources, approved.manifest.zones)
    shared = judge_mutations(approved.order, shared_identities(own, approved.manifest.references, {}), context)
    controls, patches = _controls(seen.taken, approved, context)
    failing = [one for one in controls if one.result is Result.FAIL and _counts(one, approved.fail_on)]
    against = _against(changes, shared, failing)
    unseen = _unseen(seen, changes, controls)
    image = approved.manifest.image
    return GateResult(
        candidate=candidate.name,
        image=HostImage(
            id=image.id,
            version=image.version,
            manifest_digest=approved.manifest.digest,
            match=ImageMatch.GIVEN,
        ),
        approved=approved.name,
        started_at=started_at,
        verdict=GateVerdict.FAILED if against else GateVerdict.INCOMPLETE if unseen else GateVerdict.PASSED,
        reasons=(*against, *unseen),
        raw=seen.found.raw,
        zoned=sum(item.allowed and item.change is not Change.UNKNOWN for item in seen.found.differences),
        changes=changes,
        identities=shared,
        controls=controls,
        entries=approved.declared.entries,
        unused=covering.unused,
        unknown=seen.found.unknown,
        uncompared=seen.found.uncompared,
        gaps=tuple(dict.fromkeys(seen.taken.gaps)),
        torn=seen.taken.torn,
        notes=(
            *_notes(seen, own, approved.manifest),
            *_without_archive(changes, approved),
            *_code_on_trust(changes),
            *patches.notes,
        ),
        fleet=fleet,
        sources=_sources(seen, approved.manifest),
    )


def _refuse_no_root(candidate: Target, taken: Snapshot, manifest: Manifest) -> None:
    """UsageError for a directory that is none: that it lacks whatever the approved image has is no news of an image."""
    has = [any(each.resources.get("file", path) for path in _TOP) for each in (taken, manifest)]
    if not taken.live and has == [False, True]:
        raise UsageError(
            f"{candidate.name}: holds neither {_TOP[0]} nor {_TOP[1]}, which the approved image has",
            "Name the root of an unpacked image (of a bundle, its rootfs).",
        )


def _sources(seen: Seen, manifest: Manifest) -> dict[str, str]:
    """By the candidate's package, else by the approved image's."""
    keys = {item.key for item in seen.found.differences if item.kind == "package" and not item.allowed}
    found: dict[str, str] = {}
    for key in sorted(keys):
        package = seen.taken.resources.get("package", key) or manifest.resources.get("package", key)
        if package is not None and (source := str(package.attributes.get("source") or "")):
            # rpm has the name of a file: bash-5.2-1.el9.src.rpm
            found[key] = source.rsplit("-", 2)[0] if source.endswith(".src.rpm") else source
    return found


def _controls(taken: Snapshot, approved: Approved, context: Context) -> tuple[tuple[JudgedControl, ...], Patches]:
    """The policies' controls, with what follows from the candidate's facts; how old the approved image is, is no matter
    of the candidate."""
    deriver = approved.deriver
    patches = deriver.patches(taken)
    if not asks_outside(approved.policies):
        return judge_controls(approved.policies, taken, context), patches
    asked = replace(context, manifest=deriver.manifest(approved.manifest))
    return judge_controls(approved.policies, deriver.snapshot(taken, None, patches), asked), patches


def _from_image_to_image(zone: Zone) -> Zone:
    """A log that grows on a host is not the beginning of another image's: there its content is free."""
    if zone.zone is not ZoneClass.APPEND_ONLY:
        return zone
    return replace(zone, zone=ZoneClass.FREE, may_appear=zone.may_appear or False, may_vanish=zone.may_vanish or False)


def _before_boot(zone: Zone) -> Zone:
    """Identities and logs are made at first boot: an image that has not booted may lack them, or have them empty."""
    if zone.zone is ZoneClass.IDENTITY:
        return replace(zone, zone=ZoneClass.FREE, attributes=(), may_appear=zone.may_appear or False, may_vanish=True)
    return replace(zone, may_vanish=True) if zone.zone is ZoneClass.ROTATING_LOG else zone


def _on_file(manifest: Manifest, taken: Snapshot, shipments: Mapping[str, tuple[Shipment, ...]]) -> Evidence:
    owned = Lazy(lambda: {key: dict.fromkeys(paths, "") for key, paths in taken.package_files.items()})
    return Evidence(
        package_files=owned,
        baseline_files=manifest.package_files,
        package_system=evidence.package_system(taken),
        resources=taken.resources,
        shipments=shipments,
    )


def _context(taken: Snapshot, manifest: Manifest) -> Context:
    version = taken.resources.get("os_version", "-")
    image = ImageRef(taken.image.id, taken.image.version)
    return Context(os=version.attributes if version else None, image=image, manifest=manifest)


def _changes(covering: Covering, order: tuple[Policy, ...], context: Context) -> list[ImageChange]:
    """Each mutation judged as what is left of it: a declared part of it makes the rest no worse."""
    left = judge_mutations(order, [_rest(parts) for parts in covering.parts], context)
    return [
        ImageChange(
            judged=replace(judged, mutation=parts.mutation),
            explained=parts.explained,
            residual=parts.residual,
            unproved=parts.unproved,
        )
        for judged, parts in zip(left, covering.parts, strict=True)
    ]


def _rest(parts: Parts) -> Mutation:
    open_ones = tuple(one.difference for one in (*parts.residual, *parts.unproved))
    return replace(parts.mutation, differences=open_ones) if open_ones else parts.mutation


def _worst_first(change: ImageChange) -> tuple[bool, bool, int, int, str, str]:
    judged = change.judged
    cause = judged.mutation.cause
    rank = (-judged.severity, -judged.action) if change.residual or change.unproved else (0, 0)
    return not change.residual, not change.unproved, *rank, cause.type.value, cause.subject


def _counts(control: JudgedControl, fail_on: Severity | Action) -> bool:
    return control.severity >= fail_on if isinstance(fail_on, Severity) else control.action >= fail_on


def _against(
    changes: Sequence[ImageChange], shared: Sequence[JudgedMutation], failing: Sequence[JudgedControl]
) -> list[str]:
    """Why the candidate does not pass."""
    told = []
    if left := sum(len(change.residual) for change in changes):
        told.append(f"{_counted(left, 'difference')} not explained by declared changes")
    if shared:
        told.append(f"{_counted(len(shared), 'identity', 'identities')} equal to the approved image's")
    if failing:
        told.append(f"{_counted(len(failing), 'control')} of the policies failed")
    return told


def _unseen(seen: Seen, changes: Sequence[ImageChange], controls: Sequence[JudgedControl]) -> list[str]:
    """Why the candidate was not wholly seen."""
    told = [f"the snapshot is torn: {why}" for why in seen.taken.torn[:1]]
    if not seen.taken.settled:
        told.append(NOT_SETTLED)
    if seen.found.unknown:
        facts = _counted(len(seen.found.unknown), "fact")
        told.append(f"{facts} of the approved image could not be seen ({reasons(seen.found.unknown)})")
    if unproved := sum(len(change.unproved) for change in changes):
        told.append(
            f"{_counted(unproved, 'file')} of declared packages could not be compared with the package database:"
            " gate the image itself (oci:DIR, rootfs:DIR), a host of it, or bring the archives (--packages DIR)"
        )
    if undecided := sum(one.result is Result.UNKNOWN for one in controls):
        told.append(f"{_counted(undecided, 'control')} could not be decided")
    return told


def _notes(seen: Seen, own: dict[str, str], manifest: Manifest) -> tuple[str, ...]:
    told = []
    if not seen.taken.live and manifest.live:
        told.append(NOT_BOOTED)
    if not seen.taken.live:
        if own:
            names = ", ".join(name.partition(":")[2] for name in sorted(own)[:3])
            more = f" and {len(own) - 3} more" if len(own) > 3 else ""
            told.append(f"the image holds identities that all of its hosts would share: {names}{more}")
        told.append("the candidate does not run: processes, listeners, kernel settings and mounts were not compared")
    if seen.taken.live and not manifest.live:
        told.append(BAKED_UNBOOTED)
    if not seen.taken.privileged and not seen.taken.live and _forbidden(seen.taken):
        told.append(WITHOUT_ROOT)
    if not seen.taken.privileged and seen.taken.live:
        told.append("the probe ran without root rights: what only root may read was not seen")
    return tuple(told)


def _without_archive(changes: Sequence[ImageChange], approved: Approved) -> Iterator[str]:
    """Whoever brings archives wants to know for which packages there was none."""
    count = sum(each.ground is Ground.DATABASE for change in changes for each in change.explained)
    if approved.archives and count:
        yield (
            f"{_counted(count, 'file')} of declared packages stand on the candidate's own package database: --packages"
            " has no archive of theirs (NAME_VERSION_ARCHITECTURE.deb)"
        )


def _code_on_trust(changes: Sequence[ImageChange]) -> Iterator[str]:
    """Of what operations wrote, that from which code is loaded: a reader decides whether the build is trusted."""
    written = (each.difference for change in changes for each in change.explained if each.ground is Ground.GENERATED)
    paths = [item.key for item in written if item.kind == "file" and loads_code(item.key)]
    if paths:
        paths.sort(key=lambda path: (path.endswith(".pyc"), path))
        more = f" and {len(paths) - 3:,} more" if len(paths) > 3 else ""
        yield (
            f"{_counted(len(paths), 'file')} from which code is loaded, written by the operations on declared packages:"
            f" {', '.join(paths[:3])}{more}. Nothing has a digest of such: they are as the build made them"
        )


def _forbidden(taken: Snapshot) -> bool:
    return any(gap.status is Status.FORBIDDEN for gap in taken.gaps)


def _counted(count: int, noun: str, plural: str = "") -> str:
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
