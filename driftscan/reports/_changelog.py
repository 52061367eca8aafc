"""What an image brings, for people: packages by the source that they were built from, services, accounts, listeners and
changed settings, declared or not. Short first."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from driftscan.model.drift import CauseType, Change, Difference
from driftscan.model.gate import UNDECLARED, GateResult, ImageChange
from driftscan.reports import _words as words

_NOUNS = {
    "service": "service",
    "user": "user",
    "group": "group",
    "listen": "listener",
    "cron": "scheduled job",
    "sudo_rule": "sudo rule",
    "authorized_key": "authorized key",
    "container": "container",
}
"""Kinds that are told one by one, whatever they came with."""
_DONE = {Change.ADDED: "added", Change.REMOVED: "removed", Change.MODIFIED: "changed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageRow:
    """Binary packages of one source that went the same way. `why`: reasons of the entries that declare them."""

    source: str
    packages: tuple[str, ...]
    done: str
    """`installed`, `removed`, `upgraded`, `downgraded`."""
    before: str
    after: str
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """One resource that came, went, or changed; `title` is of the mutation that it is a part of."""

    difference: Difference
    title: str


def packages(result: GateResult) -> tuple[PackageRow, ...]:
    """Every package whose version changed, came or went."""
    reasons = {entry.origin: entry.reason for entry in result.entries}
    found: dict[tuple[str, str, str, str], dict[str, list[str]]] = {}
    for change in result.changes:
        declared = {each.difference.id: reasons[each.origin] for each in change.explained}
        for item in _differences(change):
            delta = item.attributes.get("version")
            if item.kind != "package" or (delta is None and item.change is Change.MODIFIED):
                continue
            before = str(delta.expected or "") if delta else ""
            after = str(delta.actual or "") if delta else ""
            name = item.key.partition("@")[0].rpartition("/")[0] or item.key
            row = (result.sources.get(item.key) or name, _done(item, change), before, after)
            found.setdefault(row, {}).setdefault(declared.get(item.id, UNDECLARED), []).append(name)
    rows = [
        PackageRow(
            source=source,
            packages=tuple(sorted({name for names in by_reason.values() for name in names})),
            done=done,
            before=before,
            after=after,
            why=tuple(by_reason),
        )
        for (source, done, before, after), by_reason in found.items()
    ]
    return tuple(sorted(rows, key=lambda row: (row.source, row.packages, row.done)))


def facts(result: GateResult) -> tuple[Fact, ...]:
    """Services, accounts, listeners and the like, by kind and key."""
    found = [
        Fact(item, change.judged.mutation.title)
        for change in result.changes
        for item in _differences(change)
        if item.kind in _NOUNS
    ]
    order = tuple(_NOUNS)
    return tuple(sorted(found, key=lambda fact: (order.index(fact.difference.kind), fact.difference.key)))


def texts(result: GateResult) -> tuple[Difference, ...]:
    """Changed settings of which both texts are kept, by path."""
    every = (item for change in result.changes for item in _differences(change) if item.text)
    return tuple(sorted(every, key=lambda item: item.key))


def headline(result: GateResult) -> str:
    """`3 packages upgraded, 1 installed; 1 service added; 14 files outside packages`; empty where nothing changed."""
    counts = Counter(row.done for row in packages(result) for _ in row.packages)
    told = [
        ", ".join(
            f"{words.plural(count, 'package')} {done}" if not number else f"{count:,} {done}"
            for number, (done, count) in enumerate(counts.most_common())
        )
    ]
    by_kind = Counter((fact.difference.kind, fact.difference.change) for fact in facts(result))
    told += [
        f"{words.plural(by_kind[kind, change], noun)} {done}"
        for kind, noun in _NOUNS.items()
        for change, done in _DONE.items()
        if by_kind[kind, change]
    ]
    if count := len(texts(result)):
        told.append(f"{words.plural(count, 'text')} of settings changed")
    own = sum(
        item.kind == "file" and not item.text
        for change in result.changes
        if not change.judged.mutation.cause.type.value.startswith("package-")
        for item in _differences(change)
    )
    if own:
        told.append(f"{words.plural(own, 'file')} outside packages")
    return "; ".join(part for part in told if part)


def _differences(change: ImageChange) -> Iterator[Difference]:
    parts: Iterable[Difference] = (
        *(each.difference for each in change.explained),
        *(each.difference for each in change.residual),
        *(each.difference for each in change.unproved),
    )
    yield from parts


def _done(item: Difference, change: ImageChange) -> str:
    if item.change is Change.ADDED:
        return "installed"
    if item.change is Change.REMOVED:
        return "removed"
    return "downgraded" if change.judged.mutation.cause.type is CauseType.PACKAGE_DOWNGRADED else "upgraded"
