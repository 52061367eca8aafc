"""What policy says: severities, actions, findings, verdicts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from driftscan.model.cohort import UNPLACED, Cohort
from driftscan.model.drift import Mutation
from driftscan.model.resource import ResourceId
from driftscan.model.waiver import Waiver


class Severity(IntEnum):
    """How bad; ordered."""

    INFO = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    @property
    def word(self) -> str:
        """As reports and policies write it."""
        return self.name.lower()

    @classmethod
    def parse(cls, word: str) -> "Severity":
        """From its word; KeyError if there is none such."""
        return cls[word.upper()]


class Action(IntEnum):
    """What to do, in the contract's order."""

    NONE = 0
    OBSERVE = 1
    INVESTIGATE = 2
    ROTATE = 3
    REPLACE = 4
    REBAKE = 5
    QUARANTINE = 6

    @property
    def word(self) -> str:
        """As reports and policies write it."""
        return self.name.lower()

    @classmethod
    def parse(cls, word: str) -> "Action":
        """From its word; KeyError if there is none such."""
        return cls[word.upper()]


class State(StrEnum):
    """Of a finding. `allowed` is for mutations that a rule accepts."""

    OPEN = "open"
    WAIVED = "waived"
    ALLOWED = "allowed"


class Result(StrEnum):
    """Of a control."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not-applicable"


@dataclass(frozen=True, slots=True)
class RuleRef:
    """The rule that says so: id, where it stands, why it says so, and the policy that it is of."""

    id: str
    file: str = ""
    line: int = 0
    why: str = ""
    policy: str = ""


class CureCause(StrEnum):
    """Where the fault lies."""

    HOST = "host"
    IMAGE = "image"
    PIPELINE = "pipeline"
    IDENTITY = "identity"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedMutation:
    """A mutation with what policy says of it."""

    mutation: Mutation
    severity: Severity
    action: Action
    rule: RuleRef
    state: State = State.OPEN
    cohort: Cohort | None = None
    """How common it is among the hosts of the image; None: too few can tell."""
    returned: bool = False
    """Whether it was on the machine that this one replaced, and came back."""
    waiver: Waiver | None = None
    """What accepts it."""
    considered: tuple[str, ...] = ()
    """Waivers that speak of it and do not accept it, and why."""

    @property
    def urgency(self) -> int:
        """What comes first of what is equally bad, the least first."""
        return self.cohort.urgency if self.cohort else UNPLACED


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedControl:
    """A control's result with the facts that led to it. `id` is the rule's; `finding` the stable fingerprint."""

    id: str
    finding: str
    title: str
    severity: Severity
    action: Action
    result: Result
    rule: RuleRef
    state: State = State.OPEN
    evidence: tuple[str, ...] = ()
    about: tuple[ResourceId, ...] = ()
    """(kind, key) of the resources that fail it, or that it names."""
    refs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fix: str = ""
    waiver: Waiver | None = None
    considered: tuple[str, ...] = ()
    """As of a mutation."""
    cause: CureCause = CureCause.UNKNOWN
    """Of a failed control: `image` where the image has the same facts, `host` where it has others."""


class Verdict(StrEnum):
    """What we know of a host."""

    CLEAN = "clean"
    FINDINGS = "findings"
    INCOMPLETE = "incomplete"
    SETTLING = "settling"
    UNREACHABLE = "unreachable"
    GONE = "gone"

    @property
    def reached(self) -> bool:
        """Whether the host was there and answered."""
        return self not in {Verdict.UNREACHABLE, Verdict.GONE}


@dataclass(frozen=True, slots=True)
class Cure:
    """Whether replacing the host would end it; None: not known."""

    replacement_cures: bool | None = None
    cause: CureCause = CureCause.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """What to do, one sentence that names the facts, the findings that led to it, what it would be without the
    strongest of them, and the command that would replace this host (printed, never run)."""

    action: Action
    sentence: str
    because: tuple[str, ...] = ()
    counterfactual: str = ""
    cure: Cure = Cure()
    command: str = ""
