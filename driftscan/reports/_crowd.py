"""Of more hosts than a person reads one by one: who comes first, what several of them have, and how many are left."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from driftscan.model.finding import Severity, Verdict
from driftscan.model.result import HostResult
from driftscan.reports import _words as words

MANY = 40
"""Hosts of which each is told."""
LISTED, FULL = 20, 10
"""Of more: those that the table lists, and those that are told of in full, the most urgent."""
SHARED, NAMED = 20, 3
"""Findings of several hosts that are listed, and hosts that one line names."""
Shown: TypeAlias = Callable[[str], str]
"""A host's name as a format writes it."""


@dataclass(slots=True)
class Shared:
    """A finding of several hosts."""

    severity: Severity
    """The worst."""
    title: str
    """The first host's."""
    finding: str
    hosts: list[str] = field(default_factory=list)

    def where(self, shown: Shown) -> str:
        """`on 1,607 hosts: web-1, web-2, web-3 and 1,604 more`."""
        return f"on {_named(self.hosts, shown)}"


@dataclass(frozen=True, slots=True)
class Crowd:
    """What is told of many hosts, which are ordered by urgency."""

    hosts: Sequence[HostResult]
    shared: Sequence[Shared]
    """The worst first, then what most have."""

    @property
    def told(self) -> Sequence[HostResult]:
        """Hosts that are not clean; the most urgent first."""
        return [one for one in self.hosts if one.verdict is not Verdict.CLEAN]

    @property
    def listed(self) -> Sequence[HostResult]:
        """Those that the table lists."""
        return self.told[:LISTED]

    @property
    def full(self) -> Sequence[HostResult]:
        """Those that are told of in full."""
        return self.told[:FULL]

    @property
    def common(self) -> Sequence[Shared]:
        """The findings of several hosts that are listed."""
        return self.shared[:SHARED]

    @property
    def unlisted(self) -> int:
        """How many are not."""
        return len(self.shared) - len(self.common)

    @property
    def known(self) -> frozenset[str]:
        """Ids of those that are: of a host their titles do."""
        return frozenset(each.finding for each in self.common)

    @property
    def rest(self) -> str:
        """`8,182 clean, 1,712 with findings, 43 unreachable`: those that the table does not list."""
        listed = {id(one) for one in self.listed}
        return words.by_verdict(one for one in self.hosts if id(one) not in listed)

    def unscanned(self, shown: Shown) -> str:
        """The hosts that were not, or not wholly, scanned, where the table may not list them; else empty."""
        missed = [one.host for one in self.told if one.verdict in words.UNSCANNED]
        if len(self.told) <= LISTED or not missed:
            return ""
        return f"Not, or not wholly, scanned: {_named(missed, shown)}."


def crowd(hosts: Sequence[HostResult]) -> Crowd | None:
    """Of hosts by urgency; None where they are so few that each is told."""
    if len(hosts) <= MANY:
        return None
    found: dict[str, Shared] = {}
    for host in hosts:
        for severity, title, finding in _open(host):
            each = found.setdefault(finding, Shared(severity, title, finding))
            each.severity = max(each.severity, severity)
            each.hosts.append(host.host)
    several = [each for each in found.values() if len(each.hosts) > 1]
    return Crowd(hosts, sorted(several, key=lambda each: (-each.severity, -len(each.hosts), each.finding)))


def _named(hosts: Sequence[str], shown: Shown) -> str:
    more = len(hosts) - NAMED
    first = ", ".join(shown(name) for name in hosts[:NAMED])
    return f"{words.plural(len(hosts), 'host')}: {first}{f' and {more:,} more' if more > 0 else ''}"


def _open(host: HostResult) -> Iterator[tuple[Severity, str, str]]:
    """(severity, title, finding), each finding once."""
    found = {
        judged.mutation.id: (judged.severity, judged.mutation.title, judged.mutation.id)
        for judged in words.open_mutations(host)
    }
    found.update({each.finding: (each.severity, each.title, each.finding) for each in words.failed_controls(host)})
    yield from found.values()
