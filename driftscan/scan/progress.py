"""Who is told how a scan goes. Calls come from several threads."""

from typing import Protocol

from driftscan.model.result import HostResult


class Progress(Protocol):
    """Told of each step; must not raise and must not block."""

    def started(self, target: str) -> None:
        """Work on a target begins."""

    def phase(self, target: str, name: str) -> None:
        """A target enters a phase: connect, collect, walk, compare, explain, judge."""

    def finished(self, target: str, result: HostResult) -> None:
        """A target's result is known."""


class Silent:
    """A Progress that tells nobody."""

    def started(self, target: str) -> None:
        """See Progress."""

    def phase(self, target: str, name: str) -> None:
        """See Progress."""

    def finished(self, target: str, result: HostResult) -> None:
        """See Progress."""
