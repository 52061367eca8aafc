"""Hosts of one image beside each other: how many have a mutation, and what sets those apart. It gives priority and
words. A mutation that all have is no better for it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from driftscan.compare.lineage import at_first, comparable, sees
from driftscan.model.cohort import Cohort, CohortClass, Relation, Separator
from driftscan.model.drift import Mutation
from driftscan.model.state import History, View

FEWEST = 3
"""Hosts that must be able to tell before anything is said: of two hosts, one that differs is no exception."""
ASIDE = 2
"""Hosts on either side of a label, at least: one host alone has some label of its own by chance."""
_FIRST = ("az", "launch_time")
"""Labels that are named before all others."""
_LAUNCHED = "launch_time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One host of an image, as far as others are compared with it."""

    name: str
    mutations: Sequence[Mutation]
    labels: Mapping[str, str] = field(default_factory=dict)
    view: View = View()
    history: History | None = None


@dataclass(slots=True)
class _Found:
    """One mutation: who has it, by content, and who does not."""

    having: Mapping[str, Sequence[Member]]
    without: Sequence[Member]
    unsure: int


def cohorts(members: Sequence[Member]) -> dict[str, dict[str, Cohort]]:
    """By the name of each host, its mutations by id. Where too few hosts can tell, nothing is said. `members`: the
    hosts of one image that a scan has reached."""
    of = {member.name: comparable(member.mutations) for member in members}
    told: dict[str, dict[str, Cohort]] = {member.name: {} for member in members}
    if len(members) < FEWEST:
        return told
    for name in sorted({name for mutations in of.values() for name in mutations}):
        found = _found(members, of, name)
        for having in found.having.values():
            cohort = _cohort(found, having, [of[member.name][name] for member in having])
            if cohort is not None:
                for member in having:
                    told[member.name][name] = cohort
    return told


def _found(members: Iterable[Member], of: Mapping[str, Mapping[str, Mutation]], name: str) -> _Found:
    """Who could not have seen a mutation does not count as a host without it."""
    having: dict[str, list[Member]] = {}
    lacking = []
    for member in members:
        if (mutation := of[member.name].get(name)) is None:
            lacking.append(member)
        else:
            having.setdefault(mutation.content, []).append(member)
    first = min(member.name for same in having.values() for member in same)
    seen = {view: sees(view, of[first][name]) for view in {member.view for member in lacking}}
    without = [member for member in lacking if seen[member.view]]
    return _Found(having, without, len(lacking) - len(without))


def _cohort(found: _Found, having: Sequence[Member], mutations: Sequence[Mutation]) -> Cohort | None:
    with_it = sum(map(len, found.having.values()))
    of = with_it + len(found.without)
    if of < FEWEST or found.unsure >= of:
        return None
    kind, later = _kind(having, mutations, of)
    apart = [*found.without, *(member for same in found.having.values() if same is not having for member in same)]
    return Cohort(
        kind=kind,
        hosts=len(having),
        of=of,
        otherwise=with_it - len(having),
        later=later,
        unsure=found.unsure,
        by=separators([one.labels for one in having], [one.labels for one in apart]),
    )


def _kind(having: Sequence[Member], mutations: Sequence[Mutation], of: int) -> tuple[CohortClass, int]:
    """The class, and how many were once seen without it. One host on which it came later is enough: what the image
    makes is there from the beginning."""
    first = [at_first(member.history, mutation) for member, mutation in zip(having, mutations, strict=True)]
    later = first.count(False)
    if len(having) < of:
        return CohortClass.ONE if len(having) == 1 else CohortClass.SOME, later
    if later:
        return CohortClass.ALL_LATER, later
    return CohortClass.ALL_AT_FIRST if all(first) else CohortClass.ALL, later


def separators(having: Sequence[Mapping[str, str]], others: Sequence[Mapping[str, str]]) -> tuple[Separator, ...]:
    """The labels that tell hosts with a mutation from those without it, zone and time of launch first. Every host must
    have the label, and one of the sides only one value of it."""
    if len(having) < ASIDE or len(others) < ASIDE:
        return ()
    everyone = [*having, *others]
    names = set(everyone[0]).intersection(*everyone[1:])
    ordered = [*(name for name in _FIRST if name in names), *sorted(names.difference(_FIRST))]
    found = (
        (_by_time if name == _LAUNCHED else _by_value)(
            name, [each[name] for each in having], [each[name] for each in others]
        )
        for name in ordered
    )
    return tuple(each for each in found if each)


def _by_value(label: str, having: Sequence[str], others: Sequence[str]) -> Separator | None:
    if not set(having).isdisjoint(others):
        return None
    if len(set(having)) == 1:
        return Separator(label, Relation.IS, having[0])
    return Separator(label, Relation.IS_NOT, others[0]) if len(set(others)) == 1 else None


def _by_time(label: str, having: Sequence[str], others: Sequence[str]) -> Separator | None:
    mine, theirs = _times(having), _times(others)
    if len(mine) < len(having) or len(theirs) < len(others):
        return None
    if min(mine)[0] > max(theirs)[0]:
        return Separator(label, Relation.SINCE, min(mine)[1])
    return Separator(label, Relation.UNTIL, max(mine)[1]) if max(mine)[0] < min(theirs)[0] else None


def _times(texts: Sequence[str]) -> list[tuple[float, str]]:
    """Times that have their zone, as seconds since 1970, with their text; without what is no such time."""
    found = []
    for text in texts:
        try:
            moment = datetime.fromisoformat(text)
        except (ValueError, OverflowError):
            continue
        if moment.tzinfo:
            found.append((moment.timestamp(), text))
    return found
