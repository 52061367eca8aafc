"""A channel: who is told, and of what."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from driftscan.model.event import Event, EventKind
from driftscan.model.finding import Severity
from driftscan.model.patterns import compile_key_glob


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """`url` (Apprise's, a secret) or `command`, never both. Empty selectors: everything. `template`: Jinja2, instead of
    the usual text."""

    name: str
    url: str = field(default="", repr=False)
    command: tuple[str, ...] = ()
    on: frozenset[EventKind] = frozenset(EventKind)
    minimum: Severity = Severity.INFO
    hosts: tuple[str, ...] = ()
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    template: str = ""
    origin: str = ""
    """`file:line`"""

    def wants(self, event: Event) -> bool:
        """Whether it is told of an event. What is of no host goes to channels that select none."""
        if event.kind not in self.on or event.severity < self.minimum:
            return False
        if not event.host:
            return not (self.hosts or self.labels)
        return (not self.hosts or _like(self.hosts, event.host)) and all(
            _like(globs, event.labels.get(name, "")) for name, globs in self.labels.items()
        )


def _like(globs: tuple[str, ...], text: str) -> bool:
    return any(compile_key_glob("", glob).fullmatch(text) for glob in globs)
