"""What every transport offers: run one program with its standard streams, and end it."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended. `status` None: not known (connection lost)."""

    status: int | None
    stderr: bytes
    """The last 64 KiB of standard error."""


@dataclass(frozen=True, slots=True)
class Login:
    """As whom one is logged in, and the fingerprint (`SHA256:...`) of the key that was taken; empty: without one."""

    user: str = ""
    key: str = ""


class Channel(Protocol):
    """A running program. Standard error is drained in the background, so that no side can block the other."""

    def write(self, data: bytes) -> None:
        """Send all of it. Raises HostError when the program or the connection is gone, or the deadline passes."""

    def read(self, deadline: float) -> bytes:
        """Some bytes of standard output, b"" at its end. `deadline` is of time.monotonic(); DeadlineError after it."""

    def end_input(self) -> None:
        """Close the program's standard input."""

    def ended(self, deadline: float) -> Ended:
        """Wait for the end; DeadlineError after the deadline."""

    def close(self) -> None:
        """Kill what still runs, as far as the transport can. Never raises."""


class Transport(Protocol):
    """A connection on which programs can be run."""

    @property
    def elevated(self) -> bool:
        """Whether programs run as root: the login is root, or sudo works. Known once `run` has returned."""

    @property
    def login(self) -> Login:
        """As whom we are there; empty on this machine."""

    def run_file(self, path: str) -> tuple[Channel, str]:
        """Start a program that is a file of the target, without arguments, and as root as `run` does. Gives its digest
        too (`sha256:...`), taken just before. ProbeError unless it is root's own file that nobody else may write."""

    def run(self, script: str, arguments: tuple[str, ...] = ()) -> Channel:
        """Start `sh -c SCRIPT driftscan ARGUMENTS...`, as root through one sudo where `elevated`. A sudo password,
        if one is needed, is fed by the transport before anything else and never appears in an argument."""

    def close(self) -> None:
        """Close the connection. Never raises."""
