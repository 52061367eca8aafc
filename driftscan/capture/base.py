"""What every way of looking offers: ask sources, get captures; ask again for follow-up questions; close."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from driftscan.model.source import Captures, Source


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """What a session knows of its target before any source is read."""

    live: bool
    """A running system: commands and /proc can be asked."""
    privileged: bool
    """Whether the probe runs with effective user id 0."""
    hostname: str
    probe_digest: str = ""
    probe_path: str = ""
    """Where the probe is a file of the target; empty: it was sent."""
    boot_id: str = ""
    user: str = ""
    """As whom the target was reached; empty: it is this machine."""
    key: str = ""
    """The fingerprint of the key that this user was let in with; empty: without one."""
    interpreter: str = ""
    """`python 3.11.2`, or `sh` where there is none and what depends on it is a gap."""


class Session(Protocol):
    """One look at one target: one connection, one program, several rounds of questions."""

    @property
    def facts(self) -> TargetFacts:
        """Known once the session is open."""

    @property
    def converses(self) -> bool:
        """Whether the target can be told what is expected of it, and asked about the rest; else it tells everything."""

    def ask(self, sources: Sequence[Source], known: Mapping[Source, str] | None = None) -> Captures:
        """One round. Every source gets a capture; raises HostError only if the target is lost altogether. `known` are
        the digests of answers that are expected: those may come as `same`, without their data."""

    def close(self) -> None:
        """End the program and the connection. Never raises; may be called twice."""
