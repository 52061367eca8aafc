"""`driftscan birth`: what hosts are when their first boot has settled, and which of it anything accounts for.

What differs from the image then is accepted where user data declare exactly that, where a package that they ask for
brings it, or where commands of user data may have made it and it is harmless by what it is. All else is told, and
stays a finding until a person accepts it. Hosts with the same user data are siblings, which vouch for each other.
"""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from driftscan.compare.attribute import attribute
from driftscan.compare.diff import Diff, diff
from driftscan.compare.fold import fold
from driftscan.compare.identities import identities
from driftscan.compare.lineage import at_first, first, machine_of, mark, view_of
from driftscan.errors import DriftscanError, IncompleteError, UsageError
from driftscan.model.birth import Birth, BirthRecord, Ground
from driftscan.model.codec import decode_resource, encode_resource
from driftscan.model.differing import differing
from driftscan.model.drift import CauseType, Change, Difference, Grade, Mutation
from driftscan.model.manifest import Manifest
from driftscan.model.matching import Matcher
from driftscan.model.result import ImageMatch
from driftscan.model.snapshot import CollectorStatus, Snapshot
from driftscan.model.times import SECOND, utc
from driftscan.model.zone import ZoneClass
from driftscan.policy import Context, judge_mutations
from driftscan.scan import born, evidence, launch, logs, machine, texts
from driftscan.scan.delivery import Delivery, Outcome
from driftscan.scan.facts import digests_of, name_of, units
from driftscan.scan.filescan import Plan
from driftscan.scan.foretold import Foretold
from driftscan.scan.host import Job, Stopwatch
from driftscan.scan.launch import Launch
from driftscan.scan.observe import Manner, Observation, observing
from driftscan.scan.parallel import each
from driftscan.scan.progress import Progress
from driftscan.scan.siblings import compared
from driftscan.scan.targets import Target
from driftscan.zones.protected import protected

LATE = 3600
"""Seconds after the end of first boot from which a birth is taken late."""
MOST_NAMED = 5
_SLACK = 10 * SECOND
_PACKAGES = frozenset({CauseType.PACKAGE_INSTALLED, CauseType.PACKAGE_UPGRADED})
_UPGRADES = frozenset({"upgrade", "dist-upgrade", "full-upgrade"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a person asks for: findings to be accepted, why, and whether known births are to be recorded anew."""

    accept: tuple[str, ...] = ()
    reason: str = ""
    again: bool = False


def bear(targets: Sequence[Target], job: Job, wish: Wish, progress: Progress) -> tuple[Delivery, ...]:
    """Look at the hosts, compare siblings, and keep the births. Whatever goes wrong with one host is its own matter.
    UsageError, before any connection, where nobody has named a manifest."""
    for target in targets:
        if job.baselines.ahead(target) is None and not job.baselines.depends_on_image(target):
            raise _without_manifest(target)
    deliveries = each(targets, lambda target: _one(job, target, wish, progress), job.options.workers)
    stored = {
        birth.user_data: job.states.births(birth.manifest, birth.user_data)
        for delivery in deliveries
        if (birth := delivery.birth) is not None and birth.user_data
    }
    found = compared(deliveries, stored)
    for delivery in found:
        if delivery.birth is not None and delivery.history is not None:
            job.states.record(delivery.target, delivery.birth, delivery.history)
    return found


def _one(job: Job, target: Target, wish: Wish, progress: Progress) -> Delivery:
    progress.started(target.name)
    try:
        return _deliver(job, target, wish, Stopwatch(target.name, progress))
    except DriftscanError as error:
        return Delivery(target=target, outcome=Outcome.FAILED, error=error)
    finally:
        progress.phase(target.name, "")


def _deliver(job: Job, target: Target, wish: Wish, watch: Stopwatch) -> Delivery:
    ahead = job.baselines.ahead(target)
    by_image = job.baselines.by_image(target)
    with observing(
        target, job.options, watch, job.opened, memory=job.memory, manifest=ahead, by_image=by_image
    ) as seen:
        try:
            baseline = job.baselines.of(target, seen.image)
            if baseline.manifest is None:
                raise _without_manifest(target)
            if not seen.settled:
                return Delivery(target=target, outcome=Outcome.SETTLING)
            return _Look(job, seen, baseline.image.match, baseline.manifest, wish).deliver(watch)
        finally:
            job.closed(seen.session)


def _without_manifest(target: Target) -> UsageError:
    return UsageError(
        f"{target.name}: there is no manifest of its image, and a birth is told beside one",
        "Give it with -m MANIFEST or in the inventory.",
    )


@dataclass(frozen=True, slots=True)
class _Look:
    """One host that is looked at, beside its image."""

    job: Job
    seen: Observation
    match: ImageMatch
    manifest: Manifest
    wish: Wish

    @property
    def plan(self) -> Plan:
        """How its files are looked at."""
        return self.job.plans.of(self.manifest)

    @property
    def labels(self) -> Mapping[str, str]:
        """What its inventory says of it."""
        return self.seen.target.host.labels if self.seen.target.host else {}

    def deliver(self, watch: Stopwatch) -> Delivery:
        """The birth of a host that has none; else what is accepted is added to the one it has."""
        known = self._known()
        if known is not None and not self.wish.accept:
            return Delivery(target=self.seen.target, outcome=Outcome.KNOWN, birth=known)
        watch("walk")
        taken, found = self._taken()
        watch("explain")
        asked = self.seen.session.ask([logs.CLOCK])
        inputs = launch.ask(self.seen.session)
        birth = known or self._first(taken, found, inputs, logs.clock(asked, taken.resources))
        mutations = self._unaccounted(birth, taken)
        more = self._more(mutations, inputs, taken, birth) if known is None else {}
        chosen = [each.id for each in mutations if each.id in self.wish.accept]
        more |= {each.id: (Ground.HAND, self.wish.reason) for each in mutations if each.id in chosen}
        if more:
            records = [
                _record(item, taken, *more[mutation.id])
                for mutation in mutations
                if mutation.id in more
                for item in mutation.differences
            ]
            birth = _with(birth, records)
            mutations = self._unaccounted(birth, taken)
        birth = replace(birth, sources=self._sources(birth, taken))
        birth = replace(birth, undeclared=tuple(sorted(map(mark, mutations))))
        history = first(mutations, machine=birth.machine, manifest="", young=True, view=view_of(taken, whole=True))
        judged = judge_mutations(self.job.policies(self.match), mutations, Context(labels=self.labels))
        return Delivery(
            target=self.seen.target,
            outcome=Outcome.RECORDED,
            birth=birth,
            undeclared=judged,
            accepted=tuple(chosen),
            history=history,
        )

    def _known(self) -> Birth | None:
        """The birth that is on record, of this machine and this image."""
        known = None if self.wish.again else self.job.states.birth(self.seen.target)
        if known is None or known.manifest != self.manifest.digest:
            return None
        now = machine.shown(self.seen.session.ask(machine.SOURCES), self.labels)
        return known if machine.is_same(known.machine, now) else None

    def _taken(self) -> tuple[Snapshot, Diff]:
        """All of the host, files that zones accept among it, and how it differs from its image. IncompleteError where
        it is torn or not wholly seen."""
        taken, _ = self.seen.compared(self.plan, Manner(whole=True))
        found = diff(self.manifest, taken, self.plan.matcher)
        check(taken, found)
        changed = (item.key for item in found.differences if item.kind == "file" and not item.allowed)
        return replace(taken, texts=texts.texts_of(self.seen.session, changed, self.plan.matcher)), found

    def _first(self, taken: Snapshot, found: Diff, inputs: Launch, clock: logs.Clock) -> Birth:
        foretold = Foretold(inputs, self.manifest, taken)
        records = []
        for item in found.differences:
            if item.allowed and item.zone in (ZoneClass.BOOT_ONCE, ZoneClass.DERIVED):
                records.append(_record(item, taken, Ground.ZONE, item.zone_reason))
            elif not item.allowed and (why := foretold.why(item)):
                records.append(_record(item, taken, Ground.DECLARED, why))
        settled_at = inputs.ended or clock.booted
        coverage = tuple(_unbaselined(self.manifest, taken))
        records += _running(self.manifest, taken, frozenset(kind for _, _, kinds in coverage for kind in kinds))
        records += _unread(self.manifest, taken, self.plan.matcher)
        return Birth(
            machine=machine_of(identities(taken.resources, self.plan.matcher), self.labels),
            manifest=self.manifest.digest,
            taken_at=taken.taken_at,
            settled_at=utc(settled_at) if settled_at else "",
            user_data=inputs.digest,
            records=tuple(records),
            coverage=coverage,
            doubts=(*_doubts(inputs, clock, settled_at), *_not_there(foretold.absent())),
        )

    def _unaccounted(self, birth: Birth, taken: Snapshot) -> tuple[Mutation, ...]:
        """What happened to a host beside its image and this birth."""
        own, plan = against(self.job, self.manifest, birth)
        found = diff(own, taken, plan.matcher, born=True)
        known, differences = evidence.gather(
            self.seen.session, found.differences, taken, self.seen.captures, self.manifest
        )
        return attribute(fold(differences, known), known)

    def _more(
        self, mutations: Iterable[Mutation], inputs: Launch, taken: Snapshot, birth: Birth
    ) -> dict[str, tuple[Ground, str]]:
        """What else first boot accounts for, by the id of each mutation."""
        history = self.job.states.history(self.seen.target)
        if history is not None and (
            history.manifest != birth.manifest or not machine.is_same(history.machine, birth.machine)
        ):
            history = None
        found = {}
        for mutation in mutations:
            if at_first(history, mutation) is False:  # an earlier scan of this machine did not see it
                continue
            if _of_packages(mutation, inputs):
                found[mutation.id] = Ground.PACKAGE, f"packages: {mutation.attribution.command}"
            elif _of_commands(mutation, inputs, taken):
                found[mutation.id] = Ground.FIRST_BOOT, "commands of user data"
        return found

    def _sources(self, birth: Birth, taken: Snapshot) -> Mapping[str, str]:
        """For each unit of facts: the digests of its answers, if the host has nothing there beside the image and the
        birth."""
        own = born.reference(self.manifest, birth)
        differing = {item.kind for item in diff(own, taken, (), born=True).differences}
        told = digests_of(self.seen.captures)
        found: dict[str, str] = {}
        for unit in units():
            names = [name_of(source) for source in unit.sources(live=True)]
            found |= {name: "" if unit.kinds & differing else told.get(name, "") for name in names}
        return found


def check(taken: Snapshot, found: Diff) -> None:
    """IncompleteError for a snapshot that is torn, or in which something of the manifest could not be seen."""
    if taken.torn:
        raise IncompleteError(
            f"{taken.host}: the snapshot is torn: {taken.torn[0]}", "Try again when nothing changes the host."
        )
    if found.unknown:
        item = found.unknown[0]
        more = f" and {len(found.unknown) - 1} more" if len(found.unknown) > 1 else ""
        raise IncompleteError(
            f"{taken.host}: could not be seen wholly: {item.kind} {item.key}{more} ({item.why or 'a gap hides it'})",
            "Look with root rights.",
        )


def against(job: Job, manifest: Manifest, birth: Birth) -> tuple[Manifest, Plan]:
    """The reference of a host that has this birth, and how its files are looked at."""
    own = born.reference(manifest, birth)
    return own, born.plan(job.plans.of(manifest, born=True), own, birth)


def _doubts(inputs: Launch, clock: logs.Clock, settled_at: int) -> Iterable[str]:
    """Why a birth says less than one that is taken at once would."""
    if inputs.unread:
        yield inputs.unread
    since = (clock.now - settled_at) // SECOND if clock.now and settled_at else 0
    if since > LATE:
        end = "first boot had ended" if inputs.ended else "the host was booted"
        yield f"taken late, {_span(since)} after {end}: what came in the meantime is not told from what was there"
    elif not settled_at:
        yield "when first boot had ended is not known"


def _not_there(absent: Sequence[str]) -> Iterable[str]:
    if absent:
        more = f" and {len(absent) - MOST_NAMED} more" if len(absent) > MOST_NAMED else ""
        yield f"user data declare what is not there: {', '.join(absent[:MOST_NAMED])}{more}"


def _span(seconds: int) -> str:
    for unit, size in (("day", 86400), ("hour", 3600)):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{seconds // 60} minutes"


def _record(item: Difference, taken: Snapshot, ground: Ground, why: str) -> BirthRecord:
    line: bytes | None = None
    if item.change is not Change.REMOVED:
        if item.kind == "file":
            line = taken.resources.files.line(item.key)
        elif (found := taken.resources.get(*item.id)) is not None:
            line = encode_resource(found)
    return BirthRecord(kind=item.kind, key=item.key, line=line, ground=ground, why=why)


def _with(birth: Birth, records: Iterable[BirthRecord]) -> Birth:
    every = {record.id: record for record in birth.records} | {record.id: record for record in records}
    return replace(birth, records=tuple(every[name] for name in sorted(every)))


def _unbaselined(manifest: Manifest, taken: Snapshot) -> Iterable[tuple[str, int, tuple[str, ...]]]:
    """Collectors that saw all of theirs on the host, and nothing of it in the image."""
    for one in taken.coverage:
        if one.status is CollectorStatus.COMPLETE and not manifest.covered_kinds.intersection(one.kinds):
            yield one.name, one.version, one.kinds


def _running(manifest: Manifest, taken: Snapshot, kinds: frozenset[str]) -> Iterable[BirthRecord]:
    """What only a running host has: resources of these kinds, and attributes that the image's have not."""
    for rid, found in sorted(taken.resources.small.items()):
        baked = manifest.resources.small.get(rid)
        mine = found.attributes
        fuller = baked is not None and baked.attributes != mine and baked.attributes.items() <= mine.items()
        if found.kind in kinds or fuller:
            why = "as it was when first boot had settled"
            yield BirthRecord(
                kind=found.kind, key=found.key, line=encode_resource(found), ground=Ground.RUNNING, why=why
            )


def _unread(manifest: Manifest, taken: Snapshot, zones: Matcher) -> Iterable[BirthRecord]:
    """Files that first boot may write, are there as baked as far as the image's rows tell, and of which those have not
    all: where boots were baked content was not read there. From now on it is sealed, so it must be known."""
    for key, before, after in differing(manifest.resources.files, taken.resources.files):
        zone = zones.zone_of("file", key) if before and after else None
        if before is None or after is None or zone is None or zone.zone is not ZoneClass.BOOT_ONCE:
            continue
        baked, mine = (decode_resource(line).attributes for line in (before, after))
        if baked != mine and baked.items() <= mine.items():
            yield BirthRecord(kind="file", key=key, line=after, ground=Ground.ZONE, why=zone.reason)


def _of_packages(mutation: Mutation, inputs: Launch) -> bool:
    """Whether a package operation is the one that user data ask for: by its command, before first boot had ended. What
    is not as its package has it is no part of such a mutation."""
    told = mutation.attribution
    if mutation.cause.type not in _PACKAGES or told.grade is not Grade.RECORDED or not told.command or not told.at:
        return False
    try:
        words = shlex.split(told.command)
    except ValueError:
        return False
    if not words or words[0].rpartition("/")[2] != "apt-get" or told.at > utc(inputs.ended + _SLACK):
        return False
    if "install" in words:
        wanted = {name.split("=")[0].split("/")[0] for name in words[words.index("install") + 1 :] if name[:1] != "-"}
        return bool(wanted) and wanted <= {name.split("=")[0] for name in inputs.packages}
    return inputs.upgrade and bool(_UPGRADES & set(words))


def _of_commands(mutation: Mutation, inputs: Launch, taken: Snapshot) -> bool:
    """Whether commands of user data may have made it: files that are neither executed nor let anybody in, none changed
    after first boot had ended."""
    if not inputs.commands or not inputs.ended:
        return False
    for item in mutation.differences:
        found = taken.resources.get(*item.id)
        changed = item.observed.get("ctime")
        if item.kind != "file" or found is None or not isinstance(changed, int):
            return False
        if changed > inputs.ended + _SLACK or protected(item.kind, item.key, [found], item.attributes):
            return False
    return True
