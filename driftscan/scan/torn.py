"""Whether a snapshot mixes two states: a package manager was at work while it was taken."""

import time
from collections.abc import Callable

from driftscan.capture.base import Session
from driftscan.collectors import packages_apk, packages_dpkg
from driftscan.model.source import Captures, Command, File, Locks, Source, Status

LOCKS = Locks(
    (
        "/var/lib/dpkg/lock",
        "/var/lib/dpkg/lock-frontend",
        "/var/lib/rpm/.rpm.lock",
        "/usr/lib/sysimage/rpm/.rpm.lock",
        "/run/dnf/rpmtransaction.lock",
        "/lib/apk/db/lock",
    )
)
"""Held for as long as dpkg, apt, rpm, dnf or apk change the system."""
_RPM = Command(
    (
        *("stat", "-c", "%n %i %s %Y %Z"),
        *("/var/lib/rpm/rpmdb.sqlite", "/var/lib/rpm/Packages", "/var/lib/rpm/Packages.db"),
        *("/usr/lib/sysimage/rpm/rpmdb.sqlite", "/usr/lib/sysimage/rpm/Packages.db"),
    ),
    ok=(0, 1),
    timeout=10,
)
DATABASES: tuple[Source, ...] = (packages_dpkg.STATUS, packages_apk.LIB, packages_apk.USR_LIB, _RPM)
"""What says which packages are installed, or when that changed."""
SOURCES: tuple[Source, ...] = (*DATABASES, LOCKS)
PATIENCE = 20.0
"""Seconds that a scan waits for a package manager to end."""
PAUSE = 1.0


def disturbed(before: Captures, session: Session) -> tuple[str, ...]:
    """Why what was captured since `before` may mix two states; empty: nothing was at work, as far as the target could
    be asked about it before."""
    known = {source: before[source].digest for source in DATABASES if before[source].digest}
    after = session.ask(SOURCES, known)
    changed = [
        f"{_name(source)} changed while the tree was read"
        for source in DATABASES
        if not after[source].same and _readable(after, source) and _different(before, after, source)
    ]
    held = dict.fromkeys([*_held(before), *_held(after)])
    lost = [str(source) for source in SOURCES if _readable(before, source) and not _readable(after, source)]
    unknown = [f"not looked at again after the tree was read: {', '.join(lost)}"] if lost else []
    return (*changed, *(f"{path} was held: a package manager is at work" for path in held), *unknown)


def wait(session: Session, deadline: float, pause: Callable[[float], None] = time.sleep) -> None:
    """Wait for the locks to be free, for PATIENCE seconds at most and never beyond the deadline (of
    time.monotonic())."""
    end = min(deadline, time.monotonic() + PATIENCE)
    while _held(session.ask((LOCKS,))) and time.monotonic() < end:
        pause(PAUSE)


def _held(captures: Captures) -> tuple[str, ...]:
    capture = captures[LOCKS]
    return tuple(capture.data.decode("utf-8", "replace").splitlines()) if capture.status is Status.OK else ()


def _readable(captures: Captures, source: Source) -> bool:
    return captures[source].status in (Status.OK, Status.ABSENT)


def _different(before: Captures, after: Captures, source: Source) -> bool:
    old, new = before[source], after[source]
    return old.digest != new.digest if old.digest and new.digest else old.data != new.data


def _name(source: Source) -> str:
    return source.path if isinstance(source, File) else "the package database"
