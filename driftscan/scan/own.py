"""The reference of one host: its image, and beside it its birth, or what hosts launched alike had at birth."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from driftscan.model.manifest import Manifest
from driftscan.model.snapshot import ImageRef
from driftscan.model.source import Source
from driftscan.scan import born, launch, machine
from driftscan.scan.baseline import Baselines
from driftscan.scan.continuity import States
from driftscan.scan.filescan import Plan
from driftscan.scan.observe import Observation
from driftscan.scan.plans import Plans
from driftscan.scan.targets import Target


@dataclass(frozen=True, slots=True)
class Expected:
    """What a host is judged against: `manifest`, with the plan of its files. `born`: it is of this very host, so that
    nothing is boot-once any more; `apart`: kinds in which it is not as the manifest that the host was asked beside, so
    that answers which are as expected there are not so here."""

    manifest: Manifest
    plan: Plan
    born: bool = False
    apart: frozenset[str] = frozenset()
    since: str = ""
    """When it was so, or had been baked; UTC, RFC 3339. What a log tells from before that is no matter of this host."""
    machine: Mapping[str, str] = field(default_factory=dict)
    """By what the machine was known when it was born (`lineage.machine_of`); empty: no birth of it is on record."""
    notes: tuple[str, ...] = ()


class Own:
    """Finds the reference of one host, in two steps: what it is expected to be is told before it is known whether the
    machine that answers is the one that was born."""

    def __init__(self, baselines: Baselines, states: States, plans: Plans, target: Target) -> None:
        """Nothing is asked yet."""
        self._baselines = baselines
        self._states = states
        self._plans = plans
        self._target = target
        self._labels = target.host.labels if target.host else {}
        self._birth = states.birth(target)
        self._made: Manifest | None = None

    def ahead(self) -> Manifest | None:
        """What is expected, if it is known before the host has been seen."""
        return self._with_birth(self._baselines.ahead(self._target))

    def by_image(self) -> Callable[[ImageRef], Manifest | None] | None:
        """What finds it, where it depends on what the host says of its image."""
        find = self._baselines.by_image(self._target)
        return None if find is None else lambda image: self._with_birth(find(image))

    def sources(self, manifest: Manifest | None) -> Sequence[Source]:
        """What must be asked to know whether a birth holds."""
        if manifest is None:
            return ()
        if self._made is not None:
            return machine.SOURCES
        return self._of_template(manifest)

    def expected(self, seen: Observation, manifest: Manifest) -> Expected:
        """The reference of a host that was asked. `manifest`: that of its image."""
        birth = self._birth
        if birth is None:
            return self._alike(seen, manifest, ())
        if self._made is None:
            return self._alike(seen, manifest, (_OTHER_IMAGE,))
        if not machine.is_same(birth.machine, machine.shown(seen.captures, self._labels)):
            seen.manifest, seen.also = manifest, self._of_template(manifest)
            seen.ask()
            return self._alike(seen, manifest, (_OTHER_MACHINE,))
        doubts = tuple(f"its birth (recorded {birth.taken_at}) is in doubt: {doubt}" for doubt in birth.doubts)
        plan = born.plan(self._plans.of(manifest, born=True), self._made, birth)
        return Expected(self._made, plan, born=True, since=birth.taken_at, machine=birth.machine, notes=doubts)

    def _alike(self, seen: Observation, manifest: Manifest, notes: tuple[str, ...]) -> Expected:
        """That of a host without a birth: its image, and what others that were launched alike had at birth."""
        general, baked = self._plans.of(manifest), manifest.provenance.baked_at
        user_data = launch.digest_of(seen.captures)
        births = self._states.births(manifest.digest, user_data).values() if user_data else ()
        alike = born.template(births, general.matcher)
        if alike is None:
            return Expected(manifest, general, since=baked, notes=notes)
        own = born.reference(manifest, alike)
        known = frozenset(record.kind for record in alike.records)
        plan = born.plan(general, own, alike)
        return Expected(own, plan, apart=known, since=baked, notes=(*notes, _TEMPLATE))

    def _of_template(self, manifest: Manifest) -> tuple[Source, ...]:
        return (launch.DIGEST,) if self._states.templates(manifest.digest) else ()

    def _with_birth(self, manifest: Manifest | None) -> Manifest | None:
        if manifest is None or self._birth is None or self._birth.manifest != manifest.digest:
            return manifest
        self._made = born.reference(manifest, self._birth)
        return self._made


_OTHER_MACHINE = (
    "the birth on record is of the machine that had this name before; `driftscan birth` records that of this one."
)
_OTHER_IMAGE = "the birth on record is of another image; `driftscan birth` records that of this one."
_TEMPLATE = (
    "it has no birth of its own on record, and is judged by what hosts with the same user data had in common at birth."
)
