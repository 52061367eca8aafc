"""From mutations and facts to a host's result: judged by policy, with verdict and recommendation."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from driftscan.compare.accounting import accounting
from driftscan.compare.diff import Diff, reasons
from driftscan.compare.lineage import came_back, first, machine_of, view_of
from driftscan.compare.mutation import make
from driftscan.errors import DriftscanError, HostError, HostKeyChangedError
from driftscan.model.advisory import Known
from driftscan.model.cohort import Cohort
from driftscan.model.drift import CauseType, Change, Delta, Difference, Mutation
from driftscan.model.finding import JudgedControl, Verdict
from driftscan.model.manifest import Manifest
from driftscan.model.result import NOT_COMPARED, HostErrorRecord, HostImage, HostResult, ImageMatch, Reading
from driftscan.model.snapshot import CollectorCoverage, FileCoverage, ImageRef, Snapshot
from driftscan.model.state import History, View
from driftscan.policy import (
    AS_ASKED,
    AS_BAKED,
    AS_PACKAGED,
    Context,
    Policy,
    Together,
    asks,
    judge_controls,
    judge_mutations,
    load,
    placed,
    recommend,
    verdict,
)
from driftscan.policy.verdict import is_failure, is_finding
from driftscan.policy.waive import Waiving, longest
from driftscan.scan.outside import Deriver, Patches, asks_outside, old_code
from driftscan.scan.parsing import kinds
from driftscan.scan.targets import Target

MAX_TOLD = 5
"""Hidden facts that a result names; the rest it counts by kind. The report's coverage has what hides them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """All that one scan found out about one host but the verdict, which may wait for what other hosts show. It holds
    no snapshot: a fleet's snapshots do not fit into memory."""

    target: Target
    image: HostImage
    policies: tuple[Policy, ...]
    context: Context
    settled: bool
    mutations: tuple[Mutation, ...]
    controls: tuple[JudgedControl, ...]
    differences: tuple[Difference, ...]
    unknown: tuple[Difference, ...]
    not_baselined: tuple[str, ...]
    coverage: tuple[CollectorCoverage, ...]
    files: FileCoverage
    torn: tuple[str, ...]
    notes: tuple[str, ...]
    identities: Mapping[str, str]
    reading: Reading = Reading()
    accepted: int = 0
    """How many differences zones accept and the target did not tell."""
    view: View = View()
    patches: tuple[Known, ...] = ()
    """What advisories say of its packages."""
    old_code: tuple[tuple[str, str], ...] = ()
    """(service, file) of what was replaced or removed, and runs on; where a policy asks for what is to be mended, and
    where there is no image."""
    history: History | None = None
    """In what it differed in earlier scans and this one; None: nothing is kept of it."""
    cohorts: Mapping[str, Cohort] = field(default_factory=dict)
    """By the id of a mutation, where it stands among the hosts of the image."""
    waiving: Waiving = Waiving()
    timings: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        target: Target,
        taken: Snapshot,
        image: HostImage,
        *,
        policies: tuple[Policy, ...],
        manifest: Manifest | None = None,
        mutations: Sequence[Mutation] = (),
        found: Diff | None = None,
        notes: tuple[str, ...] = (),
        identities: Mapping[str, str] | None = None,
        reading: Reading = Reading(),  # noqa: B008 - a frozen value
        accepted: int = 0,
        logins_told: bool = False,
        deriver: Deriver | None = None,
        together: Together | None = None,
    ) -> "Assessment":
        """Decide the controls, which need the whole snapshot, and keep what is small."""
        context = _context(target, taken, image, manifest)
        patches = deriver.patches(taken) if deriver else Patches()
        known, asked = taken, context
        if deriver and asks_outside(policies):
            known = deriver.snapshot(taken, manifest, patches)
            asked = replace(context, manifest=deriver.manifest(manifest))
        controls = judge_controls(policies, known, asked, together)
        told = [
            *notes,
            *patches.notes,
            *([] if taken.privileged or not taken.live else [NO_ROOT]),
            *_other_versions(manifest, taken),
        ]
        told += [NO_LOGINS] if asks(policies, CauseType.INTERACTIVE_LOGIN) and not logins_told else []
        return cls(
            target=target,
            image=image,
            policies=policies,
            context=context,
            settled=taken.settled,
            mutations=tuple(mutations),
            controls=controls,
            differences=found.differences if found else (),
            unknown=found.unknown if found else (),
            not_baselined=found.not_baselined if found else (),
            coverage=taken.coverage,
            files=replace(taken.files, hidden=found.hidden if found else 0),
            torn=taken.torn,
            notes=tuple(told),
            identities=identities or {},
            reading=reading,
            accepted=accepted,
            patches=patches.known,
            old_code=old_code(taken.resources) if image.match is ImageMatch.STAND_IN or asks_outside(policies) else (),
            view=view_of(taken, whole=not (found and found.unknown)),
        )


def _context(target: Target, taken: Snapshot, image: HostImage, manifest: Manifest | None) -> Context:
    version = taken.resources.get("os_version", "-")
    return Context(
        os=version.attributes if version else None,
        labels=target.host.labels if target.host else {},
        image=ImageRef(image.id, image.version),
        manifest=manifest,
    )


def alone(found: Assessment, *, manifest: str, young: bool, resolvers: Mapping[str, str]) -> History:
    """What the history of a host would be if this scan were its first. `manifest`: the digest of what it was judged by,
    its image or its own reference; `resolvers`: what `lineage.resolvers_of` gave."""
    return first(
        found.mutations,
        machine={**machine_of(found.identities, found.context.labels), **resolvers},
        manifest=manifest,
        young=young,
        view=found.view,
    )


NO_LOGINS = "a policy asks who logged in, and that is looked for only on running hosts that have a manifest."
NO_ROOT = "the probe ran without root rights: what only root may read was not seen (see coverage)."


def _other_versions(manifest: Manifest | None, taken: Snapshot) -> list[str]:
    """A parser of another version may name the same thing otherwise. It is compared all the same: to leave it out would
    be a blind spot that nobody asked for."""
    if manifest is None:
        return []
    now = {coverage.name: coverage.version for coverage in taken.coverage}
    others = [item.name for item in manifest.coverage if now.get(item.name, item.version) != item.version]
    if not others:
        return []
    names = ", ".join(sorted(others))
    return [f"the manifest was baked by other versions of these collectors: {names}; bake it again if they differ."]


def conclude(found: Assessment) -> HostResult:
    """The result of a host: pure, so that it can be drawn again when other hosts have shown more."""
    returned = frozenset(mutation.id for mutation in found.mutations if came_back(found.history, mutation))
    waiving = found.waiving.of_host(
        found.target.name,
        found.context.labels,
        ImageRef(found.image.id, found.image.version),
        longest(found.policies, found.context),
    )
    judged = tuple(
        waiving.mutation(placed(each, found.cohorts.get(each.mutation.id), returned=each.mutation.id in returned))
        for each in judge_mutations(found.policies, found.mutations, found.context)
    )
    controls = tuple(map(waiving.control, found.controls))
    word = verdict(
        mutations=judged,
        controls=controls,
        unknown=found.unknown,
        torn=found.torn,
        settling=not found.settled,
    )
    otherwise = verdict(
        mutations=[each for each in judged if not is_finding(each)],
        controls=[each for each in controls if not is_failure(each)],
        unknown=found.unknown,
        torn=found.torn,
    )
    errors = tuple(_incomplete(found))
    return HostResult(
        host=found.target.name,
        target=found.target.spec,
        origin=_origin(found.target),
        verdict=word,
        recommendation=recommend(
            judged,
            controls,
            word,
            host=found.target.name,
            labels=found.context.labels,
            image=found.context.image,
            reason=errors[0].message if errors else "",
            otherwise=otherwise,
            clean=_clean(found),
        ),
        image=found.image,
        labels=found.context.labels,
        accounting=accounting(found.differences, found.mutations, found.accepted),
        mutations=judged,
        controls=controls,
        allowed=tuple(item for item in found.differences if item.allowed),
        coverage=found.coverage,
        files=found.files,
        reading=found.reading,
        torn=found.torn,
        not_baselined=found.not_baselined,
        notes=found.notes,
        errors=errors,
        timings=found.timings,
    )


def failed(target: Target, error: DriftscanError) -> HostResult:
    """The result of a host that could not be scanned. A changed host key is a finding as well."""
    kind = error.kind if isinstance(error, HostError) else "interrupted" if error.exit_code == 130 else "error"
    record = HostErrorRecord(kind=kind, message=error.message, hint=error.hint)
    labels = target.host.labels if target.host else {}
    mutations: tuple[Mutation, ...] = (_changed_key(target, error),) if isinstance(error, HostKeyChangedError) else ()
    judged = judge_mutations(_core(), mutations, Context(labels=labels)) if mutations else ()
    word = Verdict.FINDINGS if mutations else Verdict.UNREACHABLE
    return HostResult(
        host=target.name,
        target=target.spec,
        origin=_origin(target),
        verdict=word,
        recommendation=recommend(
            judged, (), word, host=target.name, labels=labels, reason=error.message, otherwise=Verdict.UNREACHABLE
        ),
        labels=labels,
        accounting=accounting((), mutations),
        mutations=judged,
        errors=(record,),
    )


def gone(target: Target) -> HostResult:
    """The result of a host that its inventory's cloud says no longer exists."""
    labels = target.host.labels if target.host else {}
    return HostResult(
        host=target.name,
        target=target.spec,
        origin=_origin(target),
        verdict=Verdict.GONE,
        recommendation=recommend((), (), Verdict.GONE, host=target.name, labels=labels),
        labels=labels,
    )


def _clean(found: Assessment) -> str:
    if NOT_COMPARED in found.notes:
        return AS_ASKED
    return AS_PACKAGED if found.image.match is ImageMatch.STAND_IN else AS_BAKED


def _origin(target: Target) -> str:
    return target.host.origin if target.host else ""


def unknown_image(image: HostImage) -> Mutation:
    """The finding that no registry knows a host's image."""
    name = " ".join(part for part in (image.id, image.version) if part)
    heart = Difference(
        kind="os_version",
        key="-",
        change=Change.MODIFIED,
        attributes={"image_id": Delta(None, image.id), "image_version": Delta(None, image.version)},
        why="no manifest of this image was found",
    )
    title = f"unknown image {name}" if name else "unknown image: neither a label nor os-release names one"
    return make(CauseType.IMAGE_UNKNOWN, "image", title, [heart], detail="nothing was compared")


def _changed_key(target: Target, error: DriftscanError) -> Mutation:
    heart = Difference(kind="host_key", key=target.host.address if target.host else target.name, change=Change.MODIFIED)
    return make(CauseType.HOST_KEY_CHANGED, "host key", error.message, [heart], detail="nothing was sent to it")


def _core() -> tuple[Policy, ...]:
    return load(("immutable-core",), kinds())


def _incomplete(found: Assessment) -> list[HostErrorRecord]:
    """Why the host was not wholly scanned."""
    records = [
        HostErrorRecord(kind="torn", message=reason, hint="Scan again when nothing changes the host.")
        for reason in found.torn
    ]
    if found.unknown:
        named = [f"{item.kind} {item.key}" for item in found.unknown[:MAX_TOLD]]
        rest = Counter(item.kind for item in found.unknown[MAX_TOLD:]).most_common()
        more = f", and more: {', '.join(f'{number} of {kind}' for kind, number in rest)}" if rest else ""
        facts = "1 fact" if len(found.unknown) == 1 else f"{len(found.unknown)} facts"
        message = f"{facts} of the manifest could not be seen ({reasons(found.unknown)}): {', '.join(named)}{more}"
        hint = "Scan with root rights." if NO_ROOT in found.notes else "See coverage for the gaps."
        records.append(HostErrorRecord(kind="incomplete", message=message, hint=hint))
    return records
