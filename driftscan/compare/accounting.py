"""The conservation law: raw = folded + allowed + unexplained."""

from collections.abc import Iterable

from driftscan.model.drift import Accounting, CauseType, Change, Difference, Mutation
from driftscan.model.resource import ResourceId


def accounting(differences: Iterable[Difference], mutations: Iterable[Mutation], accepted: int = 0) -> Accounting:
    """Counts resources that differ. Unknown ones are not counted: nobody knows whether they differ. A difference that
    a zone accepts and a mutation carries along (the file behind an account's row) is folded. `accepted`: how many more
    differ that zones accept, of which a target told the number alone."""
    folded: set[ResourceId] = set()
    unexplained: set[ResourceId] = set()
    for mutation in mutations:
        ids = unexplained if mutation.cause.type is CauseType.UNEXPLAINED else folded
        ids.update(item.id for item in mutation.differences)
    unexplained -= folded
    told = {item.id for item in differences if item.change is not Change.UNKNOWN}
    raw = told | folded | unexplained
    return Accounting(
        raw=len(raw) + accepted,
        folded=len(folded),
        allowed=len(raw) + accepted - len(folded) - len(unexplained),
        unexplained=len(unexplained),
    )
