"""Set-id bits, file capabilities and device nodes: what gives whoever runs or opens a file more than they have."""

from collections.abc import Iterator

from driftscan.compare.attributes import SET_ID, is_regular, mode_of, privilege
from driftscan.compare.evidence import Evidence
from driftscan.compare.fold import Fold
from driftscan.compare.folds._parts import said
from driftscan.compare.pool import Pool, actual
from driftscan.model.drift import CauseType, Change, Difference, Mutation


def gained(item: Difference, evidence: Evidence) -> str:
    """What a file can do now that it could not before, in words; empty: nothing."""
    if item.kind != "file" or item.change is Change.REMOVED:
        return ""
    new = actual(item)
    if item.change is Change.ADDED:
        return privilege(new)
    if "mode" in item.attributes and mode_of(new) & ~mode_of({"mode": item.attributes["mode"].expected}) & SET_ID:
        resource = evidence.resources.get("file", item.key)
        if resource is None or is_regular(resource.attributes):
            return "a set-id bit"
    if new.get("capabilities"):
        return "file capabilities"
    return "a device node" if new.get("type") in {"block", "character"} else ""


def _apply(pool: Pool, evidence: Evidence) -> Iterator[Mutation]:
    for item in pool.of("file"):
        if what := gained(item, evidence):
            yield pool.fold(
                CauseType.PRIVILEGE_BITS,
                item.key,
                _title(item, what),
                [item],
                detail=_detail(item, evidence),
            )


def _title(item: Difference, what: str) -> str:
    new = actual(item)
    facts = [f"{name} {said(new[name])}" for name in ("mode", "uid", "gid", "capabilities", "device") if new.get(name)]
    return f"{item.key} has {what} ({', '.join(facts)})"


def _detail(item: Difference, evidence: Evidence) -> str:
    owners = evidence.owners_of(item.key)
    if owners:
        return f"in the paths of package {', '.join(owners)}"
    return "of no package" if evidence.every_package else ""


fold = Fold("privilege", 50, _apply)
