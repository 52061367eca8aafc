"""What the page speaks of: hosts, and what several of them have alike."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from driftscan.model.advisory import ImagePatching
from driftscan.model.drift import Attribution, Change, Difference, Mutation
from driftscan.model.finding import Action, JudgedControl, JudgedMutation, Severity, State, Verdict
from driftscan.model.resource import Value
from driftscan.model.result import HostResult
from driftscan.model.waiver import Waiver, WaiverState
from driftscan.reports import _words as words

LINES = 500
"""Lines of one difference's text that are shown."""
UNKNOWN_IMAGE = "image not known"


@dataclass(slots=True)
class Happening:
    """A mutation as one or more hosts have it, difference by difference."""

    number: int
    first: JudgedMutation
    severity: Severity
    """The worst that policy says of it on any host."""
    is_open: bool = False
    """Whether any host has it open."""
    sightings: list[tuple["Row", JudgedMutation]] = field(default_factory=list)

    def add(self, row: "Row", judged: JudgedMutation) -> None:
        """One more host has it."""
        self.sightings.append((row, judged))
        self.severity = max(self.severity, judged.severity)
        self.is_open = self.is_open or judged.state is State.OPEN

    @property
    def mutation(self) -> Mutation:
        """That of the first host; what other hosts have besides are times and inode numbers."""
        return self.first.mutation

    @property
    def states(self) -> str:
        """`open on 2 hosts, waived on 1`."""
        return _told_states(Counter(judged.state for _, judged in self.sightings))

    @property
    def rows(self) -> "list[Row]":
        """The hosts that have it."""
        return [row for row, _ in self.sightings]

    @property
    def doings(self) -> "list[tuple[Attribution, list[Row]]]":
        """Who did it, with the hosts that nothing accepts it on and of which exactly that is told."""
        found: dict[Attribution, list[Row]] = {}
        for row, judged in self.sightings:
            if judged.state is State.OPEN:
                found.setdefault(replace(judged.mutation.attribution, evidence=()), []).append(row)
        return list(found.items())

    @property
    def open_rows(self) -> "list[Row]":
        """Those that nothing accepts it on."""
        return [row for row, judged in self.sightings if judged.state is State.OPEN]


@dataclass(slots=True)
class Row:
    """A host with its number in the page, which is its place by urgency."""

    number: int
    host: HostResult
    happenings: list[tuple[Happening, JudgedMutation]] = field(default_factory=list)

    @property
    def image(self) -> str:
        """`web 2026.11.20`."""
        return image_name(self.host)

    @property
    def told(self) -> bool:
        """Whether more than a line is to be said of it."""
        return bool(
            self.host.verdict is not Verdict.CLEAN
            or self.host.recommendation.action is not Action.NONE
            or self.host.mutations
            or self.problems
            or self.host.errors
        )

    @property
    def problems(self) -> list[str]:
        """What could not be looked at."""
        return words.problems(self.host)

    @property
    def worst(self) -> Severity | None:
        """Of its open findings."""
        return max(self.host.open_severities(), default=None)

    @property
    def by_severity(self) -> list[tuple[Severity, int]]:
        """How many open findings, the worst first."""
        counts = Counter(self.host.open_severities())
        return [(severity, counts[severity]) for severity in reversed(Severity) if counts[severity]]


@dataclass(slots=True)
class Alike:
    """A finding of one or more hosts, which need not have it difference by difference alike."""

    happenings: list[Happening] = field(default_factory=list)

    @property
    def first(self) -> Happening:
        """The most urgent of its forms."""
        return self.happenings[0]

    @property
    def severity(self) -> Severity:
        """The worst."""
        return max(each.severity for each in self.happenings)

    @property
    def rows(self) -> list[Row]:
        """The hosts that have it, each once."""
        return list({row.number: row for each in self.happenings for row in each.rows}.values())


@dataclass(slots=True)
class Asked:
    """A control with its results on all hosts that were asked."""

    number: int
    first: JudgedControl
    results: Counter[str] = field(default_factory=Counter)
    """`pass`, `fail` (open), `waived`, `unknown`, `not-applicable` -> hosts."""
    evidence: dict[tuple[str, tuple[str, ...]], list[tuple[Row, JudgedControl]]] = field(default_factory=dict)
    """For results that are no pass: (result, what was seen) -> the hosts."""

    @property
    def bad(self) -> int:
        """Hosts on which it failed and nobody accepts it."""
        return self.results["fail"]

    @property
    def bad_rows(self) -> list[Row]:
        """These hosts."""
        return sorted(
            (row for (result, _), found in self.evidence.items() if result == "fail" for row, _ in found),
            key=lambda row: row.number,
        )


@dataclass(slots=True)
class Blind:
    """What could not be looked at, with the hosts on which it was so."""

    collector: str
    status: str
    reason: str
    hides: tuple[str, ...]
    rows: list[Row] = field(default_factory=list)


@dataclass(slots=True)
class Baking:
    """An image that is to be baked anew, with the hosts that run it."""

    patching: ImagePatching
    rows: list[Row]


@dataclass(slots=True)
class Accepted:
    """A waiver, its state, and what it accepts."""

    waiver: Waiver
    state: WaiverState | None
    findings: list[tuple[Row, str]] = field(default_factory=list)

    @property
    def titles(self) -> list[str]:
        """What it accepts, each once."""
        return list(dict.fromkeys(title for _, title in self.findings))

    @property
    def hosts(self) -> int:
        """On how many hosts it accepts something."""
        return len({row.number for row, _ in self.findings})


def image_name(host: HostResult) -> str:
    """Id and version of a host's image."""
    return " ".join(part for part in (host.image.id, host.image.version) if part) or UNKNOWN_IMAGE


def _told_states(states: Counter[State]) -> str:
    return ", ".join(f"{state.value} on {words.plural(states[state], 'host')}" for state in State if states[state])


def facts_of(item: Difference) -> list[tuple[str, Value]]:
    """What is said of a resource that came or went; attributes that are empty say nothing."""
    sides = [
        (name, delta.expected if item.change is Change.REMOVED else delta.actual)
        for name, delta in sorted(item.attributes.items())
    ]
    return [(name, value) for name, value in sides if value not in ("", (), {}, None)]


def lines_of(item: Difference) -> Iterator[tuple[str, str]]:
    """(what it is: `add`, `del`, `at` or `same`; the line) of a difference's text; of a flood the first, and how many
    more there are."""
    kinds = {"+": "add", "-": "del", "@": "at"}
    lines = item.text.rstrip("\n").split("\n")
    for line in lines[:LINES]:
        yield kinds.get(line[:1], "same"), line
    if len(lines) > LINES:
        yield "at", f"… and {len(lines) - LINES:,} more lines"


def bad(controls: list[Asked]) -> int:
    """How many failed somewhere."""
    return sum(bool(each.bad) for each in controls)


def outcome(asked: Asked) -> str:
    """Of a control on all hosts: the worst."""
    return next((result for result in ("fail", "unknown", "waived", "pass") if asked.results[result]), "not-applicable")


def distinct(found: list[tuple[Row, str]]) -> list[Row]:
    """The hosts, each once."""
    return list({row.number: row for row, _ in found}.values())
