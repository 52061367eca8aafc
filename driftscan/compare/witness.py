"""What the logs of a host say was done on it: sessions, and acts within them. All of it is the host's own testimony.
Times are nanoseconds since 1970, as the host's own clock has them."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from driftscan.model.state import VISITS, Visit
from driftscan.model.times import SECOND

BEFORE = 2 * SECOND
"""A clock of files ticks coarser than that of logs."""
LASTS = 120 * SECOND
"""How long what a command does may last: no log tells when it ended."""
_NEAR = 3 * SECOND
"""By so much clocks and logs may be apart."""


def between(acts: "Sequence[Act]", start: int, end: int) -> "Sequence[Act]":
    """Those of that time, of acts in order of time."""
    first = bisect_left(acts, start, key=lambda act: act.at)
    return acts[first : bisect_right(acts, end, key=lambda act: act.at)]


class Deed(StrEnum):
    """What sort of act a line of a log tells of."""

    COMMAND = "command"
    """A command that sudo, su or cron ran, with all of its words."""
    SHELL = "shell"
    """A shell of another user's: what is done in it, no log tells."""
    ACCOUNT = "account"
    """What an account tool did; `names` has the accounts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act. `directory`: where it was done; `names`: accounts, or the crontab, that the line itself names."""

    at: int
    deed: Deed
    actor: str
    command: str = ""
    directory: str = ""
    names: frozenset[str] = frozenset()
    line: str = ""
    """The log's name and its words, for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A login. `closed` 0: it was still open, or no log tells its end."""

    user: str
    opened: int
    closed: int = 0
    address: str = ""
    key: str = ""
    """`SHA256:...` of the key that it was opened with."""
    how: str = "ssh"
    terminal: bool | None = None
    """Whether it had one; None: no log tells."""

    def open_at(self, time: int) -> bool:
        """Whether it was open then."""
        return self.opened <= time and (not self.closed or time <= self.closed)

    @property
    def words(self) -> str:
        """For a person."""
        where = f" from {self.address}" if self.address else ""
        return f"{self.how} session of {self.user}{where}" + (f" with key {self.key}" if self.key else "")


@dataclass(frozen=True, slots=True)
class Missing:
    """A log that should be there, or should reach further back, and does not."""

    log: str
    why: str


@dataclass(frozen=True, slots=True)
class Witness:
    """All that is known, in order of time."""

    acts: tuple[Act, ...] = ()
    sessions: tuple[Session, ...] = ()
    missing: tuple[Missing, ...] = ()
    logins: tuple[Session, ...] = ()
    """Those of the sessions that policy asks about."""

    def tells_of(self, visit: Visit, ahead: int = 0) -> bool:
        """Whether one of the sessions may be that visit of the scanner; `ahead`: the host's clock."""
        return any(_of(visit, each, ahead) for each in self.sessions)

    def without(self, visits: Iterable[Visit], ahead: int = 0) -> "Witness":
        """The same without the scanner's own sessions: by user, key and time. Each visit takes one session, the nearest
        to its start: were there two at that time, with that key, one is somebody else's. Older ones than the visits
        that are kept may be the scanner's, if they are of its user and key. `ahead`: the host's clock."""
        told = tuple(visits)
        sessions = list(self.sessions)
        if len(told) >= VISITS:
            first = min(visit.start for visit in told) + ahead - _NEAR
            own = {(visit.user, visit.key) for visit in told}
            sessions = [each for each in sessions if each.opened >= first or (each.user, each.key) not in own]
        for visit in told:
            fitting = [each for each in sessions if _of(visit, each, ahead)]
            if fitting:
                sessions.remove(min(fitting, key=lambda each: abs(each.opened - visit.start - ahead)))
        return replace(self, sessions=tuple(sessions))


def _of(visit: Visit, session: Session, ahead: int) -> bool:
    start, end = visit.start + ahead - _NEAR, visit.end + ahead + _NEAR
    same = session.user == visit.user and (not visit.key or session.key == visit.key)
    return same and start <= session.opened <= end
