"""Differences become mutations: each fold takes what it can explain, in order; what is left is unexplained; and what
are parts of one act is joined."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

from driftscan import plugins
from driftscan.compare.acts import joined
from driftscan.compare.evidence import Evidence
from driftscan.compare.pool import Pool
from driftscan.model.drift import CauseType, Difference, Mutation

Apply: TypeAlias = Callable[[Pool, Evidence], Iterable[Mutation]]


@dataclass(frozen=True, slots=True)
class Fold:
    """One way of explaining. Those of a lower order see the differences first. `apply` is pure and takes from the
    pool only through `Pool.fold`."""

    name: str
    order: int
    apply: Apply


@cache
def folds() -> tuple[Fold, ...]:
    """All of them, in order."""
    found = plugins.discover("driftscan.compare.folds", "fold", Fold).values()
    return tuple(sorted(found, key=lambda each: each.order))


def fold(differences: Iterable[Difference], evidence: Evidence | None = None) -> tuple[Mutation, ...]:
    """The mutations of all differences that no zone accepts; each such difference is in exactly one of them, save
    unknown ones, which are in none. In order of cause, subject and id."""
    pool = Pool(differences)
    known = evidence or Evidence()
    found: list[Mutation] = []
    for each in folds():
        found.extend(each.apply(pool, known))
    for item in pool:
        title = f"{item.kind} {item.key} {item.change.value}"
        found.append(pool.fold(CauseType.UNEXPLAINED, item.key, title, [item]))
    whole = joined(found, known)
    return tuple(sorted(whole, key=lambda mutation: (mutation.cause.type, mutation.cause.subject, mutation.id)))
