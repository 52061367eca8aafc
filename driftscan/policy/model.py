"""A policy as the judge uses it: everything resolved, nothing left of YAML."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from driftscan.model.drift import CauseType, Change, Grade
from driftscan.model.finding import Action, Result, RuleRef, Severity
from driftscan.model.manifest import Manifest
from driftscan.model.proof import Rank
from driftscan.model.resource import Plane, Value
from driftscan.model.snapshot import ImageRef
from driftscan.model.zone import ZoneClass
from driftscan.policy.conditions import Condition, Predicate
from driftscan.policy.derived import DERIVED
from driftscan.policy.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What is known of a host beside its facts. `os`: the attributes of its `os_version`, None where they could
    not be had. `manifest`: the image it is judged against; None, or a stand-in, where there is none."""

    os: Mapping[str, Value] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    image: ImageRef = ImageRef()
    manifest: Manifest | None = None
    windows: tuple[Window, ...] = ()
    """The patch windows of the host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applies:
    """Which hosts: every given part must fit, in each part one pattern is enough. Empty: all hosts."""

    os: tuple[str, ...] = ()
    role: tuple[str, ...] = ()
    image: tuple[str, ...] = ()
    label: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """An inline test: what is expected of its rule, the facts or the mutation as written, where it stands, and what
    patch windows there are. `at_fault`: the keys of exactly those resources that must be at fault; None: nothing is
    said of that."""

    expect: str
    data: Mapping[str, Any]
    line: int
    windows: tuple[Window, ...] = ()
    at_fault: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What both kinds of rules have. `overridden`: the reason of a policy that extends this one."""

    id: str
    policy: str
    title: str
    severity: Severity
    action: Action
    why: str
    ref: RuleRef
    applies: tuple[Applies, ...] = ()
    tests: tuple[Case, ...] = ()
    overridden: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which mutations a drift rule is about. Empty parts say nothing. `cause` to `command` are about the mutation;
    the rest must hold of one and the same difference. `unless`: a match that takes mutations out again."""

    cause: frozenset[CauseType] = frozenset()
    subject: tuple[str, ...] = ()
    detail: tuple[str, ...] = ()
    grade: frozenset[Grade] = frozenset()
    proof: frozenset[Rank] = frozenset()
    actor: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    within: str = ""
    baseline: str = ""
    kind: frozenset[str] = frozenset()
    key: tuple[str, ...] = ()
    change: frozenset[Change] = frozenset()
    attribute: frozenset[str] = frozenset()
    zone: frozenset[ZoneClass] = frozenset()
    expected: tuple[tuple[str, Condition], ...] = ()
    actual: tuple[tuple[str, Condition], ...] = ()
    unless: "Match | None" = None

    @property
    def about_differences(self) -> bool:
        """Whether it says anything of single differences."""
        return bool(self.kind or self.key or self.change or self.attribute or self.zone or self.expected or self.actual)


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftRule(Rule):
    """What a mutation means. `allow`: the reason for which it is accepted; then severity and action say nothing."""

    match: Match
    allow: str = ""


class Quantifier(StrEnum):
    """Of how many of the selected resources a predicate must hold."""

    EVERY = "every"
    ANY = "any"
    NONE = "none"
    COUNT = "count"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Resources of a kind: those named, those that match a glob, and of them those for which `where` holds.
    `default`: the attributes of a named resource that the target does not have."""

    kind: str
    plane: Plane
    named: tuple[str, ...] = ()
    globs: tuple[str, ...] = ()
    where: Predicate | None = None
    default: Mapping[str, Value] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What is asked of a selection. `count`: a condition on how many."""

    quantifier: Quantifier
    predicate: Predicate | None = None
    count: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Premise:
    """The host must show this, else the control is not applicable."""

    selection: Selection
    demand: Demand


@dataclass(frozen=True, slots=True, kw_only=True)
class Control(Rule):
    """A rule over facts. `missing`: the result where no resource is selected, and for each named one that the
    target lacks."""

    selection: Selection
    demand: Demand
    missing: Result
    premises: tuple[Premise, ...] = ()
    message: str = ""
    fix: str = ""
    refs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def selections(self) -> tuple[Selection, ...]:
        """All that it looks at."""
        return self.selection, *(each.selection for each in self.premises)

    @property
    def timed(self) -> bool:
        """Whether it looks at the clock."""
        asked = [self.selection.where, self.demand.predicate]
        asked += [part for each in self.premises for part in (each.selection.where, each.demand.predicate)]
        return any(predicate is not None and predicate.timed for predicate in asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A value that whoever extends the policy may set within its bounds."""

    name: str
    type: str
    value: Value
    doc: str
    minimum: int | None = None
    maximum: int | None = None
    choices: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A change that an extending policy makes to a rule, and why."""

    rule: str
    reason: str
    severity: Severity | None = None
    action: Action | None = None
    disabled: bool = False
    path: tuple[str | int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """Another policy or pack that this one takes over."""

    policy: str
    settings: Mapping[str, Value] = field(default_factory=dict)
    overrides: tuple[Override, ...] = ()
    path: tuple[str | int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One policy file, its parameters resolved."""

    id: str
    version: int
    title: str
    file: str
    digest: str = ""
    applies: tuple[Applies, ...] = ()
    windows: tuple[Window, ...] = ()
    """Patch windows of the hosts that the whole policy is for."""
    waiver_days: Mapping[Severity, int] = field(default_factory=dict)
    """Days for which findings of those hosts can be waived at once, where this policy says so."""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    extends: tuple[Extension, ...] = ()
    drift: tuple[DriftRule, ...] = ()
    controls: tuple[Control, ...] = ()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All rules, by their place in the file."""
        return tuple(sorted((*self.drift, *self.controls), key=lambda rule: rule.ref.line))

    def kinds(self) -> frozenset[str]:
        """The kinds of facts that its controls read."""
        read = {control.selection.kind for control in self.controls}
        read |= {each.selection.kind for rule in self.controls for each in rule.premises}
        return frozenset(base for kind in read for base in (DERIVED[kind].of if kind in DERIVED else (kind,)))
