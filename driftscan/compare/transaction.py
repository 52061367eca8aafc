"""What package managers log of their runs: the same for apt, dpkg and dnf. All of it is the host's own testimony."""

from dataclasses import dataclass

from driftscan.model.times import SECOND, nanoseconds

GOES_ON = 120 * SECOND


@dataclass(frozen=True, slots=True)
class Item:
    """One package of a transaction: name, architecture, the versions before and after (empty: none, or not told), and
    whether the package manager chose it by itself."""

    name: str
    architecture: str
    old: str = ""
    new: str = ""
    automatic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """What a package manager did in one run; times are UTC, RFC 3339, empty where they cannot be read. `log`: which
    log says so."""

    log: str = "apt history.log"
    start: str = ""
    end: str = ""
    command: str = ""
    requested_by: str = ""
    install: tuple[Item, ...] = ()
    upgrade: tuple[Item, ...] = ()
    downgrade: tuple[Item, ...] = ()
    reinstall: tuple[Item, ...] = ()
    remove: tuple[Item, ...] = ()

    @property
    def items(self) -> tuple[Item, ...]:
        """All packages that the operation changed."""
        return (*self.install, *self.upgrade, *self.downgrade, *self.remove)

    @property
    def span(self) -> tuple[int, int] | None:
        """From when to when what it changed may have changed (nanoseconds): a clock of files ticks coarser than that of
        logs, and what it started may go on after its end. None: no time is known."""
        start, end = nanoseconds(self.start), nanoseconds(self.end)
        return (start - 2 * SECOND, max(start, end) + GOES_ON) if start else None

    @property
    def run(self) -> tuple[int, int] | None:
        """From when to when install scripts ran: what they do themselves is done when the operation ends."""
        return (self.span[0], self.span[1] - GOES_ON + 2 * SECOND) if self.span else None
