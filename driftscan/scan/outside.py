"""What follows for a host from its facts and from what the scanner knows: advisories, the image's age, the end of its
system's support, a kernel that was not booted. For rules alone: no part of a snapshot, nor of a comparison."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TypeVar

from driftscan import content, yaml_strict
from driftscan.advisories import Matcher, counts, kernels, load
from driftscan.model.advisory import Fix, Known
from driftscan.model.manifest import Manifest
from driftscan.model.resource import Resource, Value
from driftscan.model.snapshot import CollectorCoverage, CollectorStatus, Resources, Snapshot
from driftscan.model.source import Gap, Status
from driftscan.policy import Policy
from driftscan.policy.outside import ADVISORY, IMAGE, KERNEL, KINDS, SUPPORT

FOR_ADVISORIES = ("patching",)
"""Policies that are used, where advisories are given and no policy is."""
NAME = "outside"
NOT_GIVEN = "no advisories were given: name files with --advisories"
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_Facts = TypeVar("_Facts", Snapshot, Manifest)


@dataclass(frozen=True, slots=True)
class Patches:
    """What advisories say of one host. `notes`: what a person should know of it."""

    known: tuple[Known, ...] = ()
    notes: tuple[str, ...] = ()


class Deriver:
    """Adds what follows to facts; what one image's manifest comes to is remembered. Safe to share among threads."""

    def __init__(self, advisories: Sequence[str], state_dir: Path | None) -> None:
        """Read the advisories. UsageError if a file is broken."""
        cached = state_dir / "advisories" if state_dir else None
        index = load(advisories, cached) if advisories else None
        self._matcher = Matcher(index) if index else None
        self.used = index.used if index else ()
        """The advisories, for the report."""
        self._manifests: dict[str, Manifest] = {}
        self._lock = Lock()

    def patches(self, facts: Snapshot | Manifest) -> Patches:
        """Every advisory that packages of a host, or of an image, are affected by."""
        if self._matcher is None:
            return Patches()
        known = self._matcher.of(facts.resources)
        return Patches(known, tuple(_notes(known, self._matcher.unjudged(facts.resources))))

    def snapshot(self, taken: Snapshot, manifest: Manifest | None, patches: Patches) -> Snapshot:
        """The snapshot as rules are asked of it."""
        return self._with(taken, manifest, patches)

    def manifest(self, manifest: Manifest | None) -> Manifest | None:
        """The image's facts as rules are asked of them: a finding that it has, too, is the image's."""
        if manifest is None or manifest.provenance.stand_in:
            return manifest
        with self._lock:
            if manifest.digest not in self._manifests or not manifest.digest:
                self._manifests[manifest.digest] = self._with(manifest, manifest, self.patches(manifest))
            return self._manifests[manifest.digest]

    def _with(self, facts: _Facts, manifest: Manifest | None, patches: Patches) -> _Facts:
        found = [*_image(manifest), *_kernel(facts.resources), *map(_advisory, patches.known)]
        gaps: list[Gap] = []
        hidden = "" if _covered(facts, "package") else "packages were not collected"
        reason = hidden or self._unjudged(facts.resources)
        if reason:
            gaps.append(Gap(NAME, Status.UNSUPPORTED, reason, (ADVISORY.name,)))
        support = _support(facts.resources)
        if isinstance(support, str):
            gaps.append(Gap(NAME, Status.UNSUPPORTED, support, (SUPPORT.name,)))
        else:
            found.append(support)
        gaps += _hidden(facts)
        blind = {ADVISORY.name} if reason and not patches.known else set()
        blind |= {SUPPORT.name} if isinstance(support, str) else set()
        coverage = CollectorCoverage(
            name=NAME,
            version=1,
            kinds=tuple(sorted(KINDS.keys() - blind)),
            status=CollectorStatus.PARTIAL if gaps else CollectorStatus.COMPLETE,
            resources=len(found),
            gaps=tuple(gaps),
        )
        small = {**facts.resources.small, **{each.id: each for each in found}}
        resources = Resources(small, facts.resources.files)
        return replace(facts, resources=resources, coverage=(*facts.coverage, coverage))

    def _unjudged(self, resources: Resources) -> str:
        """Why the packages of the distribution cannot be judged; empty: they can."""
        if self._matcher is None:
            return NOT_GIVEN
        if self._matcher.systems(resources):
            return ""
        version = resources.get("os_version", "-")
        if version is None:
            return "which system this is could not be told"
        return f"no advisories for {_release(version)} were given"


def old_code(resources: Resources) -> tuple[tuple[str, str], ...]:
    """(service, file) of all that runs although its file was replaced or removed: see `model.advisory.OldCode`."""
    found: set[tuple[str, str]] = set()
    for (kind, key), row in resources.small.items():
        if kind == "library" and row.attributes.get("state") in ("replaced", "deleted"):
            found.update((service, key) for service in _texts(row, "units") or _texts(row, "programs"))
        elif kind == "process" and row.attributes.get("deleted") is True:
            found.update((service, key) for service in _texts(row, "units") or [key])
    return tuple(sorted(found))


def _texts(row: Resource, column: str) -> list[str]:
    value = row.attributes.get(column)
    return [each for each in value if isinstance(each, str)] if isinstance(value, tuple) else []


def asks_outside(policies: Iterable[Policy]) -> bool:
    """Whether a rule asks for what is made here."""
    return any(KINDS.keys() & policy.kinds() for policy in policies)


def _covered(facts: Snapshot | Manifest, kind: str) -> bool:
    return kind in facts.covered_kinds


def _hidden(facts: Snapshot | Manifest) -> Iterator[Gap]:
    """What hides packages hides advisories; what hides the running kernel hides which one runs."""
    for coverage in facts.coverage:
        for gap in coverage.gaps:
            kinds = {pattern.partition(":")[0] for pattern in gap.hides}
            if "package" in kinds:
                yield replace(gap, hides=(ADVISORY.name, KERNEL.name))
            elif "kernel_info" in kinds:
                yield replace(gap, hides=(KERNEL.name,))


def _notes(known: Sequence[Known], unjudged: Iterable[str]) -> Iterator[str]:
    number = counts(known)
    if number[Fix.NONE] or number[Fix.IGNORED]:
        yield (
            f"advisories without a fix: {number[Fix.NONE]:,} have none yet, {number[Fix.IGNORED]:,} are ignored by the"
            " distribution; they are no findings."
        )
    for kind in unjudged:
        yield f"no advisories for {kind}s were given: those are not judged."


def _advisory(known: Known) -> Resource:
    told = known.advisory
    attributes: dict[str, Value] = {
        "id": told.id,
        "aliases": told.aliases,
        "system": known.system,
        "package": known.package,
        "arch": known.arch,
        "source": known.source,
        "version": known.version,
        "fix": known.fix.value,
        "fixed_version": known.fixed,
        "reason": told.ignored,
        "severity": known.severity,
        "score": known.score,
        "published": told.published or None,
        "summary": told.summary or "not described",
    }
    return Resource(ADVISORY.name, f"{told.id}/{known.key}", attributes)


def _image(manifest: Manifest | None) -> Iterator[Resource]:
    if manifest is not None and not manifest.provenance.stand_in:
        image = manifest.image
        attributes: dict[str, Value] = {"id": image.id, "version": image.version}
        if manifest.provenance.baked_at:  # a time that is not known is no old one, and no new one
            attributes["baked_at"] = manifest.provenance.baked_at
        yield Resource(IMAGE.name, "-", attributes)


def _kernel(resources: Resources) -> Iterator[Resource]:
    running = kernels.running(resources)
    if running is not None:
        attributes: dict[str, Value] = {
            "release": running.release,
            "newest": running.newest,
            "newest_version": running.newest_version,
            "stale": running.stale,
        }
        yield Resource(KERNEL.name, "-", attributes)


def _support(resources: Resources) -> Resource | str:
    """The resource, or why there is none."""
    version = resources.get("os_version", "-")
    if version is None:
        return "which system this is could not be told"
    release = _release(version)
    told = str(version.attributes.get("support_end") or "")
    if _DAY.fullmatch(told):
        ends, source = told, "os-release"
    else:
        ends, source = _ends(release), "driftscan"
    if not ends:
        return f"it is not known how long {release} is supported"
    return Resource(SUPPORT.name, "-", {"release": release, "ends": ends, "source": source})


def _release(version: Resource) -> str:
    return "/".join(str(version.attributes.get(column) or "") for column in ("platform", "version_id")).rstrip("/")


def _ends(release: str) -> str:
    """By the whole release, else by the beginning of its version: `alpine/3.22.1`, `rocky/9.4`."""
    name = release
    while name not in _table():
        name, dot, _ = name.rpartition(".")
        if not dot:
            return ""
    return _table()[name]


@cache
def _table() -> Mapping[str, str]:
    data = yaml_strict.load(content.folder() / "systems" / "support.yaml").data
    return {str(name): str(day) for name, day in data["support"].items()}
