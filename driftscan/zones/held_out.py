"""How sure one can be that zones from a few boots explain a further one: each boot in turn is left out, and held
against what the others teach."""

import math
from dataclasses import dataclass

from driftscan.model.resource import ResourceId
from driftscan.zones.learned import Boots

CONFIDENCE = 0.95
_HALVINGS = 60


@dataclass(frozen=True, slots=True)
class HeldOut:
    """How many boots there are, and which of them the others would not have explained: host, and what differs."""

    boots: int
    unexplained: tuple[tuple[str, tuple[ResourceId, ...]], ...] = ()

    @property
    def bound(self) -> float:
        """The share of further boots below which those lie that differ in something no zone explains, at 95%."""
        return upper_bound(len(self.unexplained), self.boots)

    @property
    def text(self) -> str:
        """One sentence for a person."""
        missed = len(self.unexplained)
        said = f"Each boot held against zones from the others: in {missed} of {self.boots} something is not explained."
        if missed == self.boots:
            return f"{said} What a further boot would show, nobody can say: make boots equal, or answer the questions."
        # Rounded up: a bound must not promise more than it does.
        percent = math.ceil(self.bound * 1000) / 10
        return f"{said} With 95% confidence that will be so in fewer than {percent:.1f}% of further boots."


def hold_out(boots: Boots) -> HeldOut:
    """Leave each of two or more boots out in turn."""
    found = ((taken.host, boots.unexplained(number)) for number, taken in enumerate(boots.snapshots))
    return HeldOut(len(boots.snapshots), tuple((host, rids) for host, rids in found if rids))


def upper_bound(events: int, trials: int) -> float:
    """The one-sided upper limit of Clopper and Pearson (Biometrika 26, 1934) for a probability, at 95%: the largest
    under which so few events in so many trials are no rarer than one in twenty. Without events it is
    1 - 0.05 ** (1 / trials), of which the rule of three (3 / trials) is what is left for many."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _at_most(events, trials, middle) > 1 - CONFIDENCE:
            low = middle
        else:
            high = middle
    return high


def _at_most(events: int, trials: int, chance: float) -> float:
    """The probability of at most so many events (binomial distribution)."""
    if events >= trials:
        return 1.0
    return sum(math.comb(trials, k) * chance**k * (1 - chance) ** (trials - k) for k in range(events + 1))
