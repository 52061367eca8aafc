"""Waivers: findings that somebody accepts, for a time, with a reason."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from driftscan.model.patterns import compile_key_glob
from driftscan.model.resource import ResourceId


class WaiverState(StrEnum):
    """The published list (docs/formats/waivers.md)."""

    ACTIVE = "active"
    EXPIRING = "expiring"
    """Active, and at its end within EXPIRING_DAYS."""
    EXPIRED = "expired"
    UNUSED = "unused"
    """The last scans of all hosts that it is for have nothing that it accepts."""
    VOID = "void"
    """It is for an image that none of the scanned hosts runs any more."""


EXPIRING_DAYS = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """One accepted finding, or what one rule says, of some hosts. `expires` is its last day, in UTC."""

    finding: str = ""
    """The finding's id; empty: `rule`."""
    rule: str = ""
    """The id of a rule, or globs of a policy and of its rules: `POLICY/RULE`."""
    content: str = ""
    """Only with this content at the heart of the mutation; empty: with any."""
    resources: tuple[str, ...] = ()
    """Globs of keys: only as long as nothing else is at fault; empty: whatever is."""
    hosts: tuple[str, ...] = ()
    """Globs of names."""
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Globs of the values of labels; all must fit."""
    image: tuple[str, ...] = ()
    """Globs of image ids, versions, or both with a blank between; empty: of any image."""
    reason: str
    owner: str
    expires: date
    added: date | None = None
    ticket: str = ""
    origin: str = ""
    """file:line"""

    @property
    def what(self) -> str:
        """What it is of, in words."""
        return self.finding or f"rule {self.rule}"

    @property
    def exact(self) -> bool:
        """Whether it is for one finding of hosts that are each named: only that accepts what is to be quarantined."""
        return bool(self.finding) and bool(self.hosts) and not any(set("*?") & set(host) for host in self.hosts)

    def is_of_rule(self, policy: str, rule: str) -> bool:
        """Whether it is of what a rule says."""
        return self.rule == rule or ("/" in self.rule and _like((self.rule,), (f"{policy}/{rule}",)))

    def is_for(self, host: str, labels: Mapping[str, str]) -> bool:
        """Whether a host is meant."""
        return (not self.hosts or _like(self.hosts, (host,))) and all(
            _like(globs, (labels.get(name, ""),)) for name, globs in self.labels.items()
        )

    def is_for_image(self, image_id: str, version: str) -> bool:
        """Whether hosts of an image are meant."""
        names = [name for name in (image_id, version, f"{image_id} {version}".strip()) if name]
        return not self.image or _like(self.image, names)

    def beyond(self, about: Iterable[ResourceId]) -> list[ResourceId]:
        """Which of the resources at fault it does not speak of."""
        if not self.resources:
            return []
        return [
            (kind, key)
            for kind, key in about
            if not any(compile_key_glob(kind, glob).fullmatch(key) for glob in self.resources)
        ]

    def state(self, today: date) -> WaiverState:
        """As far as the calendar tells. `today`: in UTC."""
        if today > self.expires:
            return WaiverState.EXPIRED
        return WaiverState.EXPIRING if (self.expires - today).days <= EXPIRING_DAYS else WaiverState.ACTIVE


def _like(globs: tuple[str, ...], texts: "tuple[str, ...] | list[str]") -> bool:
    return any(compile_key_glob("", glob).fullmatch(text) for text in texts for glob in globs)
