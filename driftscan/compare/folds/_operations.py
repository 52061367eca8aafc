"""Which package changes belong together: the steps of one operation as apt's history logged it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from driftscan.compare.evidence import Evidence
from driftscan.compare.transaction import Transaction
from driftscan.model.drift import Attribution, CauseType, Change, Difference, Grade
from driftscan.model.versions import compare_dpkg, compare_rpm

_UNATTENDED = re.compile(r"(?:/usr/bin/python3 )?/usr/bin/unattended-upgrades?(?: --?[a-z][a-z-]*)*")
_WEIGHT = (
    CauseType.PACKAGE_DOWNGRADED,
    CauseType.PACKAGE_INSTALLED,
    CauseType.PACKAGE_UPGRADED,
    CauseType.PACKAGE_REMOVED,
)


@dataclass(frozen=True, slots=True)
class Step:
    """What happened to one package (`name/arch`), and the differences that say so."""

    key: str
    cause: CauseType
    old: str
    new: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """Steps done together; `chosen` are those that somebody asked for, the rest came with them."""

    cause: CauseType
    steps: tuple[Step, ...]
    chosen: tuple[Step, ...]
    entry: Transaction | None = None


def steps(differences: Iterable[Difference], evidence: Evidence) -> list[Step]:
    """One step per `name/arch`, whatever number of versions it is installed in."""
    groups: dict[str, list[Difference]] = {}
    for item in differences:
        groups.setdefault(item.key.partition("@")[0], []).append(item)
    return [_step(key, items, evidence) for key, items in groups.items()]


def operations(found: Sequence[Step], evidence: Evidence, *, at_once: bool = False) -> list[Operation]:
    """Steps that one entry of apt's history names are one operation; a step that none names stands for itself, or
    (`at_once`) with all others that did the same."""
    by_entry: dict[int, list[Step]] = {}
    unnamed: dict[str, list[Step]] = {}
    for step in found:
        index = _entry_of(step, evidence)
        if index is None:
            unnamed.setdefault(step.cause if at_once else step.key, []).append(step)
        else:
            by_entry.setdefault(index, []).append(step)
    logged = [_operation(group, evidence.history[index]) for index, group in sorted(by_entry.items())]
    return logged + [Operation(group[0].cause, tuple(group), tuple(group)) for group in unnamed.values()]


def _step(key: str, items: list[Difference], evidence: Evidence) -> Step:
    old = {_version(item, old=True) for item in items if item.change is not Change.ADDED} - {""}
    new = {_version(item, old=False) for item in items if item.change is not Change.REMOVED} - {""}
    if len(items) > 1:  # several versions side by side: those on both sides only changed their key
        old, new = old - new, new - old
    before, after = ", ".join(sorted(old)), ", ".join(sorted(new))
    return Step(key, _cause(items, before, after, evidence), before, after, tuple(items))


def _cause(items: list[Difference], before: str, after: str, evidence: Evidence) -> CauseType:
    changes = {item.change for item in items}
    if changes == {Change.ADDED} and _installed(items[0], old=False):
        return CauseType.PACKAGE_INSTALLED
    if changes == {Change.REMOVED}:
        return CauseType.PACKAGE_REMOVED
    if changes == {Change.MODIFIED}:
        was, now = _installed(items[0], old=True), _installed(items[0], old=False)
        if was != now:
            return CauseType.PACKAGE_INSTALLED if now else CauseType.PACKAGE_REMOVED
    if not before or not after or before == after:
        if changes == {Change.MODIFIED}:
            return CauseType.PACKAGE_STATE
        return CauseType.PACKAGE_REMOVED if before else CauseType.PACKAGE_INSTALLED
    compare = compare_rpm if evidence.package_system == "rpm" else compare_dpkg
    return CauseType.PACKAGE_DOWNGRADED if compare(after, before) < 0 else CauseType.PACKAGE_UPGRADED


def _installed(item: Difference, *, old: bool) -> bool:
    """Whether the package's files are there: `config-files` and `not-installed` are what removing leaves."""
    delta = item.attributes.get("status")
    if delta is None:
        return True
    state = delta.expected if old else delta.actual
    return state not in {"config-files", "not-installed"}


def _version(item: Difference, *, old: bool) -> str:
    delta = item.attributes.get("version")
    found = (delta.expected if old else delta.actual) if delta else item.key.partition("@")[2]
    return found if isinstance(found, str) else ""


def _entry_of(step: Step, evidence: Evidence) -> int | None:
    """The latest entry that led to what is found now."""
    name, _, architecture = step.key.partition("/")
    for index, item in reversed(evidence.handled.get(name, ())):
        same = architecture in {"all", item.architecture} or not item.architecture
        led_here = item.new == step.new if step.new and step.cause is not CauseType.PACKAGE_REMOVED else not item.new
        if same and led_here:
            return index
    return None


def _operation(group: list[Step], entry: Transaction) -> Operation:
    automatic = {item.name for item in entry.items if item.automatic}
    asked = [step for step in group if step.key.partition("/")[0] not in automatic]
    if installed := [step for step in asked if step.cause is CauseType.PACKAGE_INSTALLED]:
        asked = installed
    chosen = tuple(asked or group)
    cause = min((step.cause for step in chosen), key=_WEIGHT.index)
    downgraded = tuple(step for step in group if step.cause is CauseType.PACKAGE_DOWNGRADED)
    if downgraded:
        cause, chosen = CauseType.PACKAGE_DOWNGRADED, downgraded
    chosen = tuple(step for step in chosen if step.cause is cause)
    return Operation(cause, tuple(group), chosen, entry)


def done_by(entry: Transaction | None) -> Attribution:
    """Who did what a package manager logged; nobody, where it logged nothing."""
    if entry is None:
        return Attribution()
    lines = [f"{entry.log}: begun {entry.start or 'at an unreadable time'}"]
    if entry.command:
        lines.append(f"command line: {entry.command}")
    if entry.requested_by:
        lines.append(f"requested by: {entry.requested_by}")
    actor = entry.requested_by.partition(" ")[0] or ("unattended-upgrades" if _unattended(entry.command) else "root")
    return Attribution(Grade.RECORDED, actor, entry.command or None, entry.start or None, tuple(lines))


def _unattended(command: str) -> bool:
    """Whether this is unattended-upgrades where its package puts it. It takes nothing but options: what asks for a
    package, or for an upgrade, is apt under another name."""
    return _UNATTENDED.fullmatch(command) is not None
