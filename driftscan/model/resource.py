"""Kinds of resource, their columns, and one resource: a typed thing that a target has."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

Value: TypeAlias = bool | int | str | tuple["Value", ...] | Mapping[str, "Value"] | None
ResourceId: TypeAlias = tuple[str, str]
"""(kind, key)"""


class Plane(StrEnum):
    """Where a fact can be had: from any target (`image`) or from a running one alone (`runtime`)."""

    IMAGE = "image"
    RUNTIME = "runtime"


class Form(StrEnum):
    """What a column holds beside plain text or a plain number, so that rules can ask for an order."""

    PLAIN = ""
    SIZE = "size"
    """Bytes."""
    TIME = "time"
    """RFC 3339 in UTC, or a date."""
    VERSION = "version"
    """Of a package; whose order holds says the kind, and of `package` the column `type`."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """A column of a kind. A `tuple` is a sorted set unless the doc says that order matters."""

    type: type
    doc: str
    form: Form = Form.PLAIN
    words: tuple[str, ...] = ()
    """All texts that it can have, so that a rule that asks for another can be refused; none: any text."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of resource. Only its `attributes` are ever compared; what a parser puts into
    `Resource.observed` (times, process ids, counters) is shown as evidence and never compared."""

    name: str
    doc: str
    key: str
    attributes: Mapping[str, Attribute]
    plane: Plane = Plane.IMAGE
    shape: str = ""
    """An expression that every key fits as a whole, so that a rule with another key can be refused; empty: any text."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One thing: kind, key, compared attributes, and what was observed beside them."""

    kind: str
    key: str
    attributes: Mapping[str, Value] = field(default_factory=dict)
    observed: Mapping[str, Value] = field(default_factory=dict)

    @property
    def id(self) -> ResourceId:
        """(kind, key), unique in a snapshot."""
        return (self.kind, self.key)
