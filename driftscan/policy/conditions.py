"""Conditions on one value, and predicates over the columns of one resource. Pure and closed: no code from a policy."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from driftscan.model.resource import Value
from driftscan.policy.truth import Truth, every, opposite, some


@dataclass(frozen=True, slots=True)
class Row:
    """A resource as a predicate sees it. A column that it lacks is not known, unless it is one of `without`: those
    that such a thing never has. `assumed`: not seen, but a default that the rule states. `now`: the time at which it is
    judged, in nanoseconds since 1970, for conditions that ask for it; 0: not known. `place`: its number among the rows
    that stand for those of other hosts, see `alike.py`; -1: it is none."""

    key: str
    attributes: Mapping[str, Value] = field(default_factory=dict)
    without: frozenset[str] = frozenset()
    assumed: bool = False
    kind: str = ""
    now: int = 0
    place: int = -1

    def value(self, column: str) -> Value:
        """The value of a column or of `key`; None: absent."""
        return self.key if column == "key" else self.attributes.get(column)

    def knows(self, column: str) -> bool:
        """Whether that column's value, or its absence, is known."""
        return column == "key" or column in self.attributes or column in self.without


CLOCK = "the time at which a host is judged"
"""What a condition needs that is asked of a row with `Row.now`."""
NOWHERE = Row("")
"""For values that belong to no resource, such as a number of resources."""
Test: TypeAlias = Callable[[Value, Row], Truth]


@dataclass(frozen=True, slots=True)
class Condition:
    """A test of one value of a row, and the words for what it asks (`at most 4`). An absent value is None. `known`: it
    asks only whether there is a fact, and not what it is. `near`: values at which its answer may turn, for `flips.py`.
    `needs`: what else of the row, or of the run, it looks at, in words."""

    words: str
    test: Test
    known: bool = False
    near: tuple[Value, ...] = ()
    needs: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Predicate:
    """Conditions on columns, and combinations of predicates; all of them must hold. `timed`: it looks at the clock."""

    columns: tuple[tuple[str, Condition], ...] = ()
    all_of: tuple["Predicate", ...] = ()
    any_of: tuple["Predicate", ...] = ()
    negated: "Predicate | None" = None
    timed: bool = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Known once for all, as it is asked for each host."""
        object.__setattr__(self, "timed", any(CLOCK in condition.needs for _, condition in self.leaves()))

    def holds(self, row: Row) -> Truth:
        """Kleene's conjunction of its parts."""
        own: Truth = True
        for name, condition in self.columns:  # written out: this is the innermost loop of a scan
            if name == "key":
                truth = condition.test(row.key, row)
            elif name in row.attributes:
                truth = condition.test(row.attributes[name], row)
            elif name in row.without:
                truth = condition.test(None, row)
            else:
                truth = False if condition.known else None
            if truth is False:
                return False
            if truth is None:
                own = None
        if not (self.all_of or self.any_of or self.negated):
            return own
        parts = [own, *(part.holds(row) for part in self.all_of)]
        if self.any_of:
            parts.append(some(part.holds(row) for part in self.any_of))
        if self.negated:
            parts.append(opposite(self.negated.holds(row)))
        return every(parts)

    def truths(self, rows: Sequence[Row]) -> list[Truth]:
        """What `holds` says of each; of a predicate on one column, as most are, without a call for each."""
        if len(self.columns) != 1 or self.all_of or self.any_of or self.negated:
            return [*map(self.holds, rows)]
        ((name, condition),) = self.columns
        test, lacking = condition.test, False if condition.known else None
        if name == "key":
            return [test(row.key, row) for row in rows]
        return [
            test(row.attributes[name], row)
            if name in row.attributes
            else test(None, row)
            if name in row.without
            else lacking
            for row in rows
        ]

    def leaves(self) -> Iterator[tuple[str, Condition]]:
        """Every (column, condition) in it, in the order written."""
        yield from self.columns
        for part in (*self.all_of, *self.any_of, *((self.negated,) if self.negated else ())):
            yield from part.leaves()

    def reads(self) -> tuple[str, ...]:
        """The columns that it looks at, each once, in the order written."""
        return tuple(dict.fromkeys(name for name, _ in self.leaves()))

    def failing(self, row: Row) -> tuple[tuple[str, str], ...]:
        """(column, what was asked) of its own conditions that do not hold of the row."""
        return tuple(
            (name, condition.words)
            for name, condition in self.columns
            if row.knows(name) and condition.test(row.value(name), row) is not True
        )
