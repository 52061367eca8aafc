"""Every error that a person can see: message, hint, exit code. Standard library only."""

from typing import Any


class DriftscanError(Exception):
    """What happened and where (`message`), what to do next (`hint`), and the exit code of the command."""

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        """Message: one sentence that names the thing; hint: one sentence, an action."""
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(DriftscanError):
    """The user's input is wrong: bad option, inventory, policy, manifest. Found before any connection is made."""


class IncompleteError(DriftscanError):
    """The work could not be done wholly: a torn snapshot to bake, a report that could not be written."""

    exit_code = 3


class HostError(DriftscanError):
    """One host could not be scanned; the others go on. `kind` names the reason for machines."""

    exit_code = 3
    kind = "unreachable"


class UnreachableError(HostError):
    """No connection: refused, timed out, name not resolved."""


class AuthenticationError(HostError):
    """The host refused every key and password."""

    kind = "authentication"


class HostKeyUnknownError(HostError):
    """The host's key is in no known_hosts file."""

    kind = "host-key-unknown"


class HostKeyChangedError(HostError):
    """The host shows another key than the one on record, or a revoked one. A critical finding; nothing was sent."""

    kind = "host-key-changed"


class SudoError(HostError):
    """Root rights were asked for and could not be had."""

    kind = "sudo"


class DeadlineError(HostError):
    """The host did not answer whole within its time."""

    kind = "deadline"


class ProbeError(HostError):
    """The probe could not run or answered outside its protocol."""

    kind = "probe"


class UnavailableError(Exception):
    """A parser needs a source that could not be captured; the runner turns it into a gap."""

    def __init__(self, source: Any, status: str, detail: str) -> None:
        """Source, its status, and the target's own words."""
        super().__init__(f"{source}: {status} {detail}".strip())
        self.source = source
        self.status = status
        self.detail = detail


class ParseError(Exception):
    """Captured bytes are not in the format that they should be in; the runner turns it into a gap."""

    def __init__(self, source: Any, line: int, why: str) -> None:
        """Source, line (0: not line-wise), reason. The reason quotes no content: it might be secret."""
        super().__init__(f"{source} line {line}: {why}" if line else f"{source}: {why}")
        self.source = source
        self.line = line
        self.why = why
