"""The findings of a host, mutations and controls alike, as formats of other people's pipelines want them: one line of
what, some lines of why, and a place in a file that the reader has. Everything that a host said goes through `show`, and
is cut where it is long: these formats go to services that refuse what is too large."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

from driftscan import content
from driftscan.errors import UsageError
from driftscan.model.finding import Action, JudgedControl, JudgedMutation, Result, RuleRef, Severity, State
from driftscan.model.resource import ResourceId
from driftscan.model.result import HostResult
from driftscan.model.waiver import Waiver
from driftscan.reports import _words as words
from driftscan.reports._build import plain

TITLE, LINE = 300, 500
"""Characters of a title, and of a line of evidence."""
SHOWN = 20
"""Differences or lines of evidence of one finding that are told; the JSON report has all."""
NOT_SCANNED = "not-scanned"
"""The rule under which formats without a place for it tell that a host was not, or not wholly, scanned."""
FALLBACK = "driftscan.yaml"
"""The file that is named where neither a rule nor an inventory has one."""
_PLACE = re.compile(r"(.+):(\d+)")
_INSTALLED = "/driftscan/_policies/"


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file. `shipped`: beneath driftscan's own policies."""

    file: str
    line: int = 1
    shipped: bool = False

    @property
    def own(self) -> bool:
        """Whether it may be a file of the reader's repository: a relative path."""
        return not self.shipped and not self.file.startswith("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A mutation or a control of one host, whatever its state and result."""

    id: str
    rule: RuleRef
    title: str
    severity: Severity
    action: Action
    state: State
    result: Result | None
    """None: a mutation."""
    about: ResourceId | None
    lines: tuple[str, ...]
    """Why: evidence or differences, safe to show."""
    waiver: Waiver | None
    fix: str = ""
    refs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def open(self) -> bool:
        """Whether it counts."""
        return self.state is State.OPEN and self.result in {None, Result.FAIL}

    @property
    def waived(self) -> bool:
        """Whether somebody accepts it."""
        return self.state is State.WAIVED and self.result in {None, Result.FAIL}


def findings(host: HostResult) -> Iterator[Finding]:
    """All mutations and controls, the worst first."""
    found = [_of_mutation(judged) for judged in host.mutations] + [_of_control(judged) for judged in host.controls]
    yield from sorted(found, key=lambda one: (-one.severity, -one.action, one.id, one.rule.id))


def unscanned(host: HostResult) -> tuple[str, ...]:
    """Why a host was not, or not wholly, scanned; empty if it was."""
    if host.whole:
        return ()
    told = [f"{error.kind}: {words.short(error.message, LINE)}" for error in host.errors]
    told += [words.short(line, LINE) for line in words.problems(host)]
    undecided = words.undecided_controls(host)
    if undecided:
        told.append(f"{words.plural(len(undecided), 'control')} could not be decided")
    return tuple(told) or (f"{host.verdict.value}: {words.short(host.recommendation.sentence, LINE)}",)


def place(finding: Finding | None, host: HostResult) -> Place:
    """Where a reader may change something about it: the rule, if it is in a file of theirs, else the host's entry in
    the inventory, else the shipped rule."""
    inventory = _PLACE.fullmatch(plain(host.origin))
    entry = Place(inventory[1], max(int(inventory[2][:9]), 1)) if inventory else None
    rule = _rule_place(finding.rule) if finding else None
    if rule and rule.own:
        return rule
    if entry and entry.own:
        return entry
    return rule or entry or Place(FALLBACK)


def fingerprint(host: HostResult, what: str) -> str:
    """Of a finding on a host: equal in every scan, and no two findings of a scan share it."""
    text = "\0".join((plain(host.host), plain(host.target), what))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _rule_place(rule: RuleRef) -> Place | None:
    file = plain(rule.file)
    if not file:
        return None
    for root in (_INSTALLED, _shipped()):
        before, found, rest = file.partition(root)
        if root and found and (root == _INSTALLED or not before):
            return Place(rest, max(rule.line, 1), shipped=True)
    return Place(file, max(rule.line, 1))


@cache
def _shipped() -> str:
    try:
        return f"{content.folder()}/"
    except UsageError:
        return ""


def _of_mutation(judged: JudgedMutation) -> Finding:
    mutation = judged.mutation
    told = words.telling(mutation.differences)
    lines = [
        words.short(f"{item.change.value} {item.kind} {item.key}", LINE) + _told(words.summary_of(item) or item.why)
        for item in told[:SHOWN]
    ]
    if len(told) > SHOWN:
        lines.append(f"… and {len(told) - SHOWN:,} more")
    who = words.attribution_line(mutation)
    common = words.cohort_line(judged)
    return Finding(
        id=mutation.id,
        rule=judged.rule,
        title=words.short(mutation.title, TITLE),
        severity=judged.severity,
        action=judged.action,
        state=judged.state,
        result=None,
        about=told[0].id if told else None,
        lines=(*([words.short(who, LINE)] if who else []), *([words.short(common, LINE)] if common else []), *lines),
        waiver=judged.waiver,
    )


def _of_control(judged: JudgedControl) -> Finding:
    lines = [words.short(line, LINE) for line in judged.evidence[:SHOWN]]
    if len(judged.evidence) > SHOWN:
        lines.append(f"… and {len(judged.evidence) - SHOWN:,} more")
    return Finding(
        id=judged.finding or judged.id,
        rule=RuleRef(judged.id, judged.rule.file, judged.rule.line, judged.rule.why),
        title=words.short(judged.title, TITLE),
        severity=judged.severity,
        action=judged.action,
        state=judged.state,
        result=judged.result,
        about=judged.about[0] if judged.about else None,
        lines=tuple(lines),
        waiver=judged.waiver,
        fix=words.short(judged.fix, LINE),
        refs=judged.refs,
    )


def _told(text: str) -> str:
    return f": {words.short(text, LINE)}" if text else ""


def waiver_line(waiver: Waiver | None) -> str:
    """`reason (owner, until 2027-01-31, OPS-12)`."""
    if waiver is None:
        return "waived"
    ticket = f", {words.short(waiver.ticket, LINE)}" if waiver.ticket else ""
    return f"{words.short(waiver.reason, LINE)} ({words.short(waiver.owner, LINE)}, until {waiver.expires}{ticket})"
