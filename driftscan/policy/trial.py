"""A rule on trial: its cases, what it has no case for, whether it ever speaks, and the facts that no case notices."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from driftscan.policy.cases import CaseResult, run, untested
from driftscan.policy.flips import insensitive, readings
from driftscan.policy.model import Policy, Rule

_FIRES = ("fail", "match", "mixed")


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of a rule's cases. `untested`: results for which it has no case; `readings`: places that read a fact
    and were flipped, `insensitive`: those of them that no case notices (both empty unless facts were flipped)."""

    rule: Rule
    cases: tuple[CaseResult, ...]
    untested: tuple[str, ...]
    readings: int = 0
    insensitive: tuple[str, ...] = ()

    @property
    def fired(self) -> bool:
        """Whether the rule makes a finding in any of its cases."""
        return any(case.said.result in _FIRES for case in self.cases)

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong with it."""
        sound = self.fired and not self.untested and not self.insensitive
        return sound and all(case.passed for case in self.cases)


def trials(policies: Iterable[Policy], *, flip: bool = False) -> Iterator[Trial]:
    """Every rule of the policies, in the order of the files."""
    for policy in policies:
        results = tuple(run([policy]))
        for rule in policy.rules:
            cases = tuple(result for result in results if result.rule is rule)
            flipped = (len(list(readings(rule))), insensitive(rule)) if flip else ()
            yield Trial(rule, cases, untested(rule), *flipped)
