"""The kinds of the real collectors, and short ways to make facts, policies and mutations."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from driftscan import policy
from driftscan.collectors._base import Collector
from driftscan.model.codec import encode_resource
from driftscan.model.drift import Attribution, Cause, CauseType, Change, Delta, Difference, Grade, Mutation
from driftscan.model.manifest import Manifest, Provenance
from driftscan.model.records import Records
from driftscan.model.resource import Kind, Resource, Value
from driftscan.model.snapshot import CollectorCoverage, CollectorStatus, ImageRef, Resources, Snapshot
from driftscan.model.source import Gap, Status
from driftscan.plugins import discover
from driftscan.policy.model import Policy

KINDS: Mapping[str, Kind] = {
    kind.name: kind for each in discover("driftscan.collectors", "collector", Collector).values() for kind in each.kinds
}
HEAD = "policy: ours\nversion: 1\ntitle: Ours\n"
Facts = Mapping[str, Mapping[str, Mapping[str, Value]]]


def resources(facts: Facts) -> Resources:
    """Resources from kind -> key -> columns."""
    found = [Resource(kind, key, columns) for kind, rows in facts.items() for key, columns in rows.items()]
    files = sorted((each for each in found if each.kind == "file"), key=lambda each: each.key)
    records = Records([each.key for each in files], [encode_resource(each) for each in files])
    return Resources({each.id: each for each in found if each.kind != "file"}, records)


def snapshot(facts: Facts, *, gaps: Iterable[str] = (), covered: Iterable[str] = (), **more: Any) -> Snapshot:
    """A snapshot whose collector looked at the kinds that it has, at `covered`, and not behind `gaps`."""
    hidden = tuple(Gap("test", Status.FORBIDDEN, "permission denied", (pattern,)) for pattern in gaps)
    kinds = tuple(sorted({*facts, *covered}))
    coverage = CollectorCoverage("test", 1, kinds, CollectorStatus.PARTIAL, gaps=hidden)
    return Snapshot(host="h", target="h", taken_at="", resources=resources(facts), coverage=(coverage,), **more)


def manifest(facts: Facts, *, stand_in: bool = False, covered: Iterable[str] = ()) -> Manifest:
    """A manifest that covers the kinds that it has and `covered`."""
    coverage = CollectorCoverage("test", 1, tuple(sorted({*facts, *covered})), CollectorStatus.COMPLETE)
    return Manifest(
        image=ImageRef(),
        provenance=Provenance(baked_at="", tool="", stand_in=stand_in),
        resources=resources(facts),
        coverage=(coverage,),
    )


def written(directory: Path, text: str, name: str = "ours.yaml") -> str:
    """The path of a policy file with that text below the usual head, unless it has one."""
    path = directory / name
    path.write_text(text if text.startswith("policy:") else HEAD + text)
    return str(path)


def loaded(directory: Path, text: str) -> tuple[Policy, ...]:
    """The policies of one file."""
    return policy.load([written(directory, text)], KINDS)


def difference(kind: str, key: str, change: str = "added", **columns: Value) -> Difference:
    """A difference; columns are what the target has."""
    before = None if change == "added" else "before"
    deltas = {name: Delta(before, value) for name, value in columns.items()}
    return Difference(kind=kind, key=key, change=Change(change), attributes=deltas)


def mutation(cause: str, *differences: Difference, name: str = "F-1", subject: str = "x", actor: str = "") -> Mutation:
    """A mutation; with an actor its attribution is recorded."""
    attribution = Attribution(Grade.RECORDED, actor) if actor else Attribution()
    return Mutation(
        id=name,
        title=f"{cause} {subject}",
        cause=Cause(CauseType(cause), subject),
        differences=differences or (difference("file", "/x"),),
        attribution=attribution,
    )
