"""What earlier scans say of a mutation: was it there from the beginning, did it come later, did it survive that the
machine was replaced."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache

from driftscan.compare.identities import HOST_KEY, MACHINE_ID
from driftscan.model.drift import CauseType, Mutation
from driftscan.model.matching import PatternSet
from driftscan.model.snapshot import CollectorStatus, Snapshot
from driftscan.model.state import History, View

INSTANCE = "instance_id"
RESOLVERS = "dns"
"""What a machine's resolvers were when it was first seen: no sign of which machine it is, but of what was done."""
MOST = 2000
"""Marks that are kept. Of a host that differs in more, nothing is said that the rest would be needed for."""
_OWN = frozenset(
    {
        CauseType.IDENTITY_SHARED,
        CauseType.IMAGE_UNKNOWN,
        CauseType.HOST_KEY_CHANGED,
        CauseType.COVERAGE_FELL,
        CauseType.LOG_MISSING,
        CauseType.INTERACTIVE_LOGIN,
    }
)
"""Causes that are no difference from the image: nothing is said of how common they are."""


def comparable(mutations: Iterable[Mutation]) -> dict[str, Mutation]:
    """By id, the mutations that one host can have in common with another of its image."""
    return {mutation.id: mutation for mutation in mutations if mutation.cause.type not in _OWN}


def mark(mutation: Mutation) -> str:
    """What stands for a mutation with its content: the same on every host, in every scan."""
    return f"{mutation.id} {mutation.content}"


def view_of(taken: Snapshot, *, whole: bool) -> View:
    """What a snapshot can tell of things that it does not have. `whole`: nothing of the manifest was hidden."""
    if taken.torn or not whole:
        return View()
    looked = {CollectorStatus.COMPLETE, CollectorStatus.PARTIAL}
    if taken.live:
        looked.add(CollectorStatus.NOT_APPLICABLE)
    kinds = frozenset(kind for each in taken.coverage if each.status in looked for kind in each.kinds)
    return View(kinds, frozenset(pattern for gap in taken.gaps for pattern in gap.hides))


def sees(view: View, mutation: Mutation) -> bool:
    """Whether a scan with that view would have seen a mutation, had it been there."""
    ids = {item.id for item in mutation.differences}
    if not {kind for kind, _ in ids} <= view.kinds:
        return False
    hidden = _patterns(view.hidden)
    return not view.hidden or not any(hidden.covering(kind, key) for kind, key in ids)


@lru_cache(maxsize=256)
def _patterns(hidden: frozenset[str]) -> PatternSet:
    return PatternSet(hidden)


def machine_of(identities: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, str]:
    """The values by which a machine is told from the one that has its name after it."""
    own = {name: value for name, value in identities.items() if name == MACHINE_ID or name.startswith(HOST_KEY)}
    return own | ({INSTANCE: labels[INSTANCE]} if labels.get(INSTANCE) else {})


def replaced(before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether a name has gone over to another machine: the cloud says so, or neither the machine-id nor any host key
    is what it was. One of them alone may be made anew on a machine that stays."""
    if INSTANCE in before and INSTANCE in now:
        return before[INSTANCE] != now[INSTANCE]
    if MACHINE_ID not in before or MACHINE_ID not in now:
        return False
    return not any(now.get(name) == value for name, value in before.items() if name != RESOLVERS)


def resolvers_of(names: Iterable[str]) -> dict[str, str]:
    """The name servers among keys of the kind `dns`, as a history keeps them."""
    return {RESOLVERS: " ".join(sorted(name for name in names if name.startswith("nameserver:")))}


def first(
    mutations: Iterable[Mutation], *, machine: Mapping[str, str], manifest: str, young: bool, view: View
) -> History:
    """What the history of a host would be if one scan were its first."""
    marks = frozenset(mark(mutation) for mutation in comparable(mutations).values())
    return History(machine=machine, manifest=manifest, young=young, first=marks, view=view, last=marks)


def follow(
    before: History | None,
    now: History,
    *,
    settled: bool,
) -> History:
    """The history of a host after one more scan. `now`: that scan alone, as if it were the first of its machine (and
    `young` only if no scan of the host is known)."""
    now = _limited(now if settled else replace(now, first=None))
    if before is None:
        return now
    if replaced(before.machine, now.machine):
        return replace(now, young=True, before=before.last)
    # Keys that first boot has made stay those that the machine is known by; what says otherwise is a difference.
    machine = {**before.machine, **now.machine} if before.first is None else {**now.machine, **before.machine}
    if before.first is None:
        young = before.young and before.manifest == now.manifest
        return replace(now, machine=machine, young=young, before=before.before)
    if before.manifest != now.manifest:
        return replace(now, machine=machine, young=False, before=before.before)
    last = now.last if now.view.kinds else now.last | before.last
    return replace(before, machine=machine, last=last)


def begin(before: History | None, now: History) -> History:
    """The history of a host from its birth on, whatever was seen of it before."""
    now = _limited(now)
    if before is None:
        return now
    gone = replaced(before.machine, now.machine)
    return replace(now, before=before.last if gone else before.before)


def _limited(history: History) -> History:
    if len(history.last) <= MOST:
        return history
    some = frozenset(sorted(history.last)[:MOST])
    return replace(history, first=some if history.first is not None else None, last=some, view=View())


def at_first(history: History | None, mutation: Mutation) -> bool | None:
    """Whether a mutation was there at the first scan of its machine; None: not known."""
    if history is None or history.first is None:
        return None
    if mark(mutation) in history.first:
        return True if history.young else None
    return False if sees(history.view, mutation) else None


def came_back(history: History | None, mutation: Mutation) -> bool:
    """Whether the machine that had this name before was last seen with it, too."""
    return history is not None and mark(mutation) in history.before
