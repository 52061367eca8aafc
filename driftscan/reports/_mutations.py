"""Mutations of a JSON report as what they were before: the way back from `_build`."""

from collections.abc import Mapping
from typing import Any

from driftscan.model.drift import Attribution, Cause, CauseType, Change, Delta, Difference, Grade, Mutation
from driftscan.model.proof import Proof, Rank
from driftscan.model.resource import Value
from driftscan.model.zone import ZoneClass


def mutation(data: Mapping[str, Any]) -> Mutation:
    """One mutation of a report that fits its schema."""
    cause, given = data["cause"], data["attribution"]
    return Mutation(
        id=data["id"],
        title=data["title"],
        cause=Cause(CauseType(cause["type"]), cause["subject"], cause["detail"]),
        differences=tuple(difference(item) for item in data["differences"]),
        attribution=Attribution(
            Grade(given["grade"]), given["actor"], given["command"], given["at"], tuple(given["evidence"])
        ),
        proof=_proof(data["proof"]) if data.get("proof") else None,
        content=data.get("content", ""),
    )


def _proof(data: Mapping[str, Any]) -> Proof:
    """The claims of single files are not in reports; the rank that they led to is."""
    files = {Rank(rank): count for rank, count in data["files"].items()}
    return Proof(files=files, told=Rank(data["rank"]), origins=tuple(data["origins"]))


def difference(data: Mapping[str, Any]) -> Difference:
    """One difference of a report that fits its schema."""
    return Difference(
        kind=data["kind"],
        key=data["key"],
        change=Change(data["change"]),
        attributes={
            name: Delta(value(delta["expected"]), value(delta["actual"])) for name, delta in data["attributes"].items()
        },
        zone=ZoneClass(data["zone"]),
        zone_reason=data.get("zone_reason", ""),
        allowed=data.get("allowed", False),
        why=data.get("why", ""),
        observed={name: value(seen) for name, seen in data.get("observed", {}).items()},
        text=data.get("text", ""),
    )


def value(given: Any) -> Value:
    """A value: arrays are tuples again."""
    if isinstance(given, list):
        return tuple(value(item) for item in given)
    if isinstance(given, dict):
        return {name: value(item) for name, item in given.items()}
    plain: Value = given
    return plain
