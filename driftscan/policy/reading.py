"""A place of a rule that looks at a fact, and the ways to give that fact of a case another value."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from driftscan.model.resource import Value
from driftscan.policy.model import Case, Rule


@dataclass(frozen=True, slots=True)
class Flip:
    """A case with one fact flipped, and the rule to ask of it. `alone`: every other condition on the same fact says
    what it said before."""

    rule: Rule
    case: Case
    alone: bool = True


Flips: TypeAlias = Callable[[Case], Iterator[Flip]]


@dataclass(frozen=True, slots=True)
class Reading:
    """`place`: where the rule reads the fact, and what it asks of it, for people."""

    place: str
    flips: Flips


def tries(old: Value, near: Iterable[Value]) -> Iterator[Value]:
    """Values of the same type as the old one to try in its stead: `near`, a few made up, and none at all."""
    seen = {repr(old)}
    for value in (*near, *_made_up(old), None):
        fits = old is None or value is None or type(value) is type(old)
        if fits and repr(value) not in seen:
            seen.add(repr(value))
            yield value


def _made_up(old: Value) -> tuple[Value, ...]:
    if isinstance(old, bool):
        return (not old,)
    if isinstance(old, int):
        return (0, old + 1, old - 1)
    if isinstance(old, str):
        return ("other", f"{old}x", f"x{old}", "")
    if isinstance(old, tuple):
        return ((), (*old, "other"), *(tuple(item for item in old if item != out) for out in old))
    return ("other", 1, True, ("other",))


def plain(value: Value) -> object:
    """The value as a case writes it."""
    return list(value) if isinstance(value, tuple) else value
