"""A file under /etc that was edited: one mutation each, with its text's difference where both texts are kept."""

from collections.abc import Iterator

from driftscan.compare.evidence import Evidence
from driftscan.compare.fold import Fold
from driftscan.compare.folds._parts import moved
from driftscan.compare.pool import Pool
from driftscan.model.drift import CauseType, Change, Difference, Mutation


def _apply(pool: Pool, evidence: Evidence) -> Iterator[Mutation]:
    for item in pool.beneath("/etc"):
        if item.change is Change.MODIFIED:
            owners = evidence.owners_of(item.key)
            detail = f"configuration of package {', '.join(owners)}" if owners else ""
            yield pool.fold(CauseType.CONFIGURATION_CHANGED, item.key, _title(item), [item], detail=detail)


def _title(item: Difference) -> str:
    facts = moved(item, sorted(set(item.attributes) - {"size", "nlink"}))
    return f"{item.key} changed" + (f": {facts}" if facts else "")


fold = Fold("configuration", 600, _apply)
