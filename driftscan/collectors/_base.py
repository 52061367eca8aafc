"""What a collector is."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from driftscan.model.resource import Kind, Plane, Resource
from driftscan.model.source import Captures, Gap, Source

Parse: TypeAlias = Callable[[Captures], Iterable[Resource | Gap]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    """A kind of fact. `parse` is pure: it sees captures alone, yields resources (one per key) and gaps, and
    raises ParseError or UnavailableError, which the runner turns into a gap that hides all of its kinds.
    `version` grows whenever the same captures give other resources."""

    name: str
    version: int
    doc: str
    kinds: tuple[Kind, ...]
    sources: tuple[Source, ...]
    parse: Parse
    plane: Plane = Plane.IMAGE
    """A `runtime` collector is not asked of a root file system. An `image` collector is asked of every target,
    but sources that need a live one (commands, processes) answer `unsupported` there: say what that hides."""
    since: Mapping[str, int] = field(default_factory=dict)
    """Pattern (`kind:glob`) -> the version that tells these first: what an older manifest does not have of them was not
    added to the host."""


def gap(name: str, captures: Captures, source: Source, *hides: str) -> Gap:
    """The gap for a source that is neither ok nor absent."""
    capture = captures[source]
    return Gap(name, capture.status, capture.detail or f"{source} could not be read", hides)
