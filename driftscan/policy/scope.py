"""What compiling a policy file needs at hand: the document, the kinds, the parameters' values, the problems so far."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from driftscan.errors import UsageError
from driftscan.model.resource import Attribute, Kind, Value
from driftscan.policy import familiar
from driftscan.schema_check import Path, Problem, did_you_mean, quoted
from driftscan.yaml_strict import MAX_PROBLEMS, Document

HINT = "The language is described in docs/policy.md, all kinds and columns in docs/reference/facts.md."
_PARAMETER = re.compile(r"\$([a-z][a-z0-9_]*)")
TYPE_WORDS: Mapping[type, str] = {str: "text", int: "number", bool: "truth", tuple: "list"}


UNRESOLVED = object()
"""The value of a parameter that there is not; the problem is recorded, and what depends on it need not complain."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a kind: its name, and `text`, `number`, `truth`, `list` or `mapping`, or what of these it is:
    `version`, `time`, `size`."""

    name: str
    type: str
    kind: str = ""
    words: tuple[str, ...] = ()
    """All texts that it can have; none: any."""


KEY = Column("key", "text")


def column_type(declared: Attribute) -> str:
    """The word for a column's declared type and form."""
    return declared.form or TYPE_WORDS.get(declared.type, "mapping")


@dataclass(slots=True)
class Scope:
    """Problems are collected, so that one run of `policy lint` shows them all."""

    document: Document
    kinds: Mapping[str, Kind]
    values: Mapping[str, Value] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    """Parameters that a rule refers to."""

    def problem(self, path: Path, what: str, *, key: bool = False) -> None:
        """Record one thing that is wrong."""
        self.problems.append(Problem(path, what, key))

    def unknown(
        self, path: Path, what: str, word: str, known: Iterable[str], *, key: bool = False, instead: str | None = None
    ) -> None:
        """Record a word that is none of the known ones. `instead`: what to write, where that is known."""
        advice = f": {instead}" if instead else did_you_mean(word, known)
        self.problem(path, f"unknown {what} {quoted(word)}{advice}", key=key)

    def line(self, path: Path) -> int:
        """The line at which a part begins."""
        return self.document.position(path).line

    def value(self, data: Any, path: Path) -> Any:
        """The data with a parameter (`$name`) replaced by its value; `$$name` is the text `$name`;
        UNRESOLVED once the problem is recorded."""
        if not isinstance(data, str) or not data.startswith("$"):
            return data
        if data.startswith("$$") and _PARAMETER.fullmatch(data[1:]):
            return data[1:]
        found = _PARAMETER.fullmatch(data)
        if not found:
            if data.startswith("${"):
                self.problem(path, f"{quoted(data)}: a parameter is written $name, nothing else is filled in")
                return UNRESOLVED
            return data
        if found[1] not in self.values:
            instead = None if self.values else f"declare it under 'parameters', or write ${data} for the text"
            self.unknown(path, "parameter", found[1], self.values, instead=instead)
            self.used.update(self.values)
            return UNRESOLVED
        self.used.add(found[1])
        value = self.values[found[1]]
        return list(value) if isinstance(value, tuple) else value

    def kind(self, name: str, path: Path) -> Kind | None:
        """A kind by its name; None once the problem is recorded."""
        if name not in self.kinds:
            self.unknown(path, "kind", name, self.kinds, instead=familiar.KINDS.get(name))
            return None
        return self.kinds[name]

    def column(self, kind: Kind, name: str, path: Path) -> Column | None:
        """A column of a kind; None once the problem is recorded."""
        if name == "key":
            return KEY
        if name not in kind.attributes:
            instead = familiar.column(kind.name, name)
            self.unknown(path, f"column of {kind.name}", name, [*kind.attributes, "key"], key=True, instead=instead)
            return None
        attribute = kind.attributes[name]
        return Column(name, column_type(attribute), kind.name, attribute.words)

    def finish(self) -> None:
        """UsageError with every problem, in the file's order, if there is one."""
        raise_problems(self.document, self.problems)


def raise_problems(document: Document, problems: Iterable[Problem]) -> None:
    """UsageError that lists problems as `file:line:column: what`, in the file's order; nothing without problems."""
    lines = sorted(
        {
            (place.line, place.column, f"{place}: {problem.what}")
            for problem in problems
            for place in [document.position(problem.path, problem.key)]
        }
    )
    if lines:
        shown = [text for _, _, text in lines[:MAX_PROBLEMS]]
        if len(lines) > MAX_PROBLEMS:
            shown.append(f"and {len(lines) - MAX_PROBLEMS} more problems")
        raise UsageError("\n".join(shown), HINT)
