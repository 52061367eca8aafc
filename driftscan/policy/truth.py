"""Kleene's three-valued logic (strong; https://plato.stanford.edu/entries/logic-manyvalued/).

True, False, and None for *not known*. What is not known stays so unless the rest decides: `every` with one False
is False, `some` with one True is True.
"""

from collections.abc import Iterable
from typing import TypeAlias

Truth: TypeAlias = bool | None


def every(results: Iterable[Truth]) -> Truth:
    """The conjunction; True of nothing."""
    known: Truth = True
    for result in results:
        if result is False:
            return False
        if result is None:
            known = None
    return known


def some(results: Iterable[Truth]) -> Truth:
    """The disjunction; False of nothing."""
    known: Truth = False
    for result in results:
        if result is True:
            return True
        if result is None:
            known = None
    return known


def opposite(result: Truth) -> Truth:
    """The negation."""
    return None if result is None else not result
