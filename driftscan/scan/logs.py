"""The logs of a target: which are asked, what they say together, and which of them are not as they should be."""

import re
import struct
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from driftscan.compare.logs import TOOLS, Entry, journal, lines, witness
from driftscan.compare.witness import Missing, Session, Witness
from driftscan.model.resource import Value
from driftscan.model.snapshot import Resources
from driftscan.model.source import Captures, Command, Redact, Source, Status
from driftscan.model.times import SECOND, utc
from driftscan.scan.moved_zone import MovedZone
from driftscan.scan.rotated import older, text

_BYTES = 4 << 20
_FIELDS = "MESSAGE,SYSLOG_IDENTIFIER,SYSLOG_PID,_COMM,_PID"
FILES = {
    path: Command(("tail", "-c", str(_BYTES), path), ok=(0, 1), max_bytes=_BYTES, timeout=20, redact=Redact.SECRETS)
    for path in ("/var/log/auth.log.1", "/var/log/auth.log", "/var/log/secure")
}
"""Path -> its end. tail(1) rather than the file: what is longer is cut at its beginning."""
JOURNAL = Command(
    (
        *("journalctl", "--quiet", "--no-pager", "--output=json", f"--output-fields={_FIELDS}", "--lines=20000"),
        *("SYSLOG_FACILITY=4", "SYSLOG_FACILITY=9", "SYSLOG_FACILITY=10"),
    ),
    ok=(0, 1),
    max_bytes=16 << 20,
    timeout=30,
    redact=Redact.SECRETS,
)
"""auth, cron and authpriv of syslog(3)."""
_LIMITS = """
journalctl --quiet --no-pager --boot --output=short-unix 2>/dev/null | head -n 1
LC_ALL=C journalctl --disk-usage
df -Pk /var/log/journal | tail -n 1
cat /etc/systemd/journald.conf /etc/systemd/journald.conf.d/*.conf /usr/lib/systemd/journald.conf.d/*.conf 2>/dev/null |
  grep -E '^(SystemMaxUse|MaxRetentionSec)='
"""
FIRST = Command(("sh", "-c", _LIMITS), ok=(0, 1), timeout=30)
"""The first entry of this boot, how much the journal holds, on what a file system, and what limits it
(journald.conf(5))."""
CLOCK = Command(
    ("sh", "-c", "date '+%s %z'; sed -n 's/^btime //p' /proc/stat; sed 's/.*) //' /proc/1/stat | cut -d' ' -f20"),
    timeout=10,
)
"""The host's clock and zone; when its kernel booted; how many hundredths of a second later its first process began,
which in a container is its boot (proc(5))."""
WTMP = Command(("tail", "-c", str(384 * 4096), "/var/log/wtmp"), ok=(0, 1), max_bytes=384 * 4096, timeout=10)
_WRITERS = "sudo|su|sshd|sshd-session|login|gdm-password|cockpit-session|CRON|CROND|crontab|" + "|".join(sorted(TOOLS))
_NOISE = "Failed password|Invalid user|pam_unix[(]sshd:auth[)]|Connection |Disconnect|Received disconnect|Disconnecting"
OLDER = text(
    [*older("/var/log/auth.log", 2, 9), "/var/log/secure-*"], f" ({_WRITERS})([[][0-9]+[]])?: ", without=_NOISE
)
"""What logrotate(8) put away before those: asked where something may have been done before they begin."""
SOURCES: tuple[Source, ...] = (*FILES.values(), JOURNAL, FIRST, CLOCK, WTMP, OLDER)
_DAY = 86_400 * SECOND
_ZONE = re.compile(r"/zoneinfo/([A-Za-z][A-Za-z0-9_+-]{0,40}(?:/[A-Za-z0-9_+-]{1,40}){0,2})$", re.ASCII)
_TICK = SECOND // 100
_LATE = 60 * SECOND
"""A boot may take so long before its first entry."""
_STOPPED = "Received signal 15; terminating"
_ENDING = re.compile(
    rf"{_STOPPED}|pam_unix\(\S+:session\): session closed for user |Received disconnect|Disconnected from"
)
_STOP = 90 * SECOND
"""While a machine is shut down the journal outlives rsyslog: what ends then (sshd itself, sessions) stands in no other
log."""
_UNITS = {"": 1, "B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_MOST = 4 << 30
_COMPARED = 500
_WTMP = struct.Struct("<h2xi32s4s32s256shhiii16s20x")
"""utmp(5), as glibc has it on 64-bit machines that are compatible with 32-bit ones: 384 bytes."""
_BOOT_TIME = 2
_USER_PROCESS = 7
_USER, _HOST, _SECONDS = 4, 5, 9
"""Fields."""
_ADDRESS = re.compile(r"[0-9.]+|[0-9a-f.:]*:[0-9a-f.:]*(?:%\S+)?")
"""As against the name of a host (`UseDNS yes` of sshd_config(5))."""
_WATCHED = frozenset({"sudo", "sshd", "sshd-session", "su", "useradd", "usermod", "userdel", "passwd"})


@dataclass(frozen=True, slots=True)
class Clock:
    """A host's: what it shows and when it booted (nanoseconds since 1970; 0: not known), and its zone. `kernel`: when
    its kernel booted, which is before a container did."""

    now: int = 0
    zone: tzinfo = UTC
    booted: int = 0
    kernel: int = 0


def sources(since: int, now: int) -> tuple[Source, ...]:
    """What to ask of a target on which something may have been done since then: a log is rotated once a day at most."""
    return SOURCES if now - since > _DAY else tuple(source for source in SOURCES if source is not OLDER)


def read(captures: Captures, resources: Resources, baked: Resources | None = None) -> Witness:
    """What the logs tell; `resources` are the target's, `baked` those of its reference."""
    shown = clock(captures, resources, baked)
    told: list[Entry] = []
    for path, source in FILES.items():
        told += lines(_text(captures, source), path.rpartition("/")[2], now=shown.now, zone=shown.zone)
    journaled = list(journal(_text(captures, JOURNAL)))
    before = lines(_text(captures, OLDER), "rotated log", now=shown.now, zone=shown.zone)
    found = witness([*before, *told, *journaled])
    found = replace(found, sessions=_with_terminals(captures, found.sessions))
    return replace(found, missing=tuple(_missing(captures, resources, told, journaled, shown.booted)))


def _missing(
    captures: Captures, resources: Resources, told: Sequence[Entry], journaled: Sequence[Entry], booted: int
) -> Iterator[Missing]:
    """Logs that are there and do not tell what they should. One that is gone is a difference of its file."""
    for path in ("/var/log/auth.log", "/var/log/secure"):
        if path in resources.files:
            yield from _taken_out(path, told, journaled)
    first, full = _first(captures)
    if "/var/log/journal" in resources.files and booted and first > booted + _LATE and not full:
        yield Missing("journal", f"it begins at {utc(first)}, and the host booted at {utc(booted)}")
    rotated = "/var/log/wtmp.1" in resources.files
    if booted and "/var/log/wtmp" in resources.files and not rotated and not _boot_is_told(captures, booted):
        yield Missing("/var/log/wtmp", f"it does not tell of the boot at {utc(booted)}")


def _taken_out(path: str, told: Sequence[Entry], journaled: Sequence[Entry]) -> Iterator[Missing]:
    """What the journal has and the file, which was written at that time, has not: rsyslog gets all from the journal."""
    watched = [entry for entry in journaled if entry.program in _WATCHED]
    name = path.rpartition("/")[2]
    if not told and watched:
        yield Missing(path, f"it is empty, and the journal has {len(watched)} entries for it")
    own = [entry for entry in told if entry.log == name]
    if not own:
        return
    known = {(entry.program, _plain(entry.message)) for entry in own}
    between = (entry for entry in watched if own[0].at + SECOND < entry.at < own[-1].at - SECOND)
    lost = [entry for entry in between if (entry.program, _plain(entry.message)) not in known]
    stops = [entry.at for entry in watched if entry.program == "sshd" and entry.message.startswith(_STOPPED)]
    told_late = [
        each for each in lost if _ENDING.match(each.message) and any(abs(each.at - at) < _STOP for at in stops)
    ]
    if len(lost) > len(told_late):
        yield Missing(path, f"{len(lost) - len(told_late)} entries that the journal has are not in it")


def _plain(message: str) -> str:
    """As both logs have it: one of them may cut a long one."""
    return " ".join(message.split())[:_COMPARED]


def _text(captures: Captures, source: Source) -> str:
    capture = captures.get(source)
    if capture is None or capture.status not in (Status.OK, Status.TRUNCATED):
        return ""
    return capture.data.decode("utf-8", "replace")


def clock(captures: Captures, resources: Resources, before: Resources | None = None) -> Clock:
    """What the host's clock shows; `resources` are the host's, `before` those of its reference, which may have had
    another zone."""
    words = " ".join(_text(captures, CLOCK).split())
    match = re.fullmatch(r"(\d{9,11}) ([+-])(\d\d)(\d\d)(?: (\d{9,11}) (\d{1,15}))?", words, re.ASCII)
    if match is None:
        return Clock()
    offset = timedelta(hours=int(match[3]), minutes=int(match[4])) * (-1 if match[2] == "-" else 1)
    kernel = int(match[5]) * SECOND if match[5] else 0
    booted = kernel + int(match[6]) * _TICK if match[5] else 0
    zone = _zone(resources, int(match[1]), offset)
    if before is not None:
        zone = _since(resources, before, zone, datetime.fromtimestamp(int(match[1]), UTC))
    return Clock(int(match[1]) * SECOND, zone, booted, kernel)


def _since(resources: Resources, before: Resources, zone: tzinfo, now: datetime) -> tzinfo:
    """The zone as it is, and as the reference had it before /etc/localtime was changed."""
    link, was = resources.get("file", "/etc/localtime"), before.get("file", "/etc/localtime")
    changed = link.observed.get("ctime") if link else None
    name = _ZONE.search(str(was.attributes.get("target", ""))) if was else None
    if link is None or was is None or name is None or not isinstance(changed, int):
        return zone
    with suppress(KeyError, ValueError, OverflowError, OSError):  # whatever the host calls it
        old, at = ZoneInfo(name[1]), datetime.fromtimestamp(changed / SECOND, UTC)
        if link.attributes.get("target") != was.attributes.get("target"):
            return MovedZone(old, zone, at, now)
    return zone


def _zone(resources: Resources, now: int, offset: timedelta) -> tzinfo:
    """By the name that /etc/localtime has, so that times from before the clocks were changed are right; by the present
    offset where it has none, or none that is known here and agrees with the clock; UTC for an offset of no zone."""
    link = resources.get("file", "/etc/localtime")
    name = _ZONE.search(str(link.attributes.get("target", ""))) if link else None
    if name is not None:
        with suppress(KeyError, ValueError, OverflowError, OSError):  # whatever the host calls it
            found = ZoneInfo(name[1])
            if datetime.fromtimestamp(now, found).utcoffset() == offset:
                return found
    return timezone(offset) if abs(offset) < timedelta(days=1) else UTC


def began(observed: Mapping[str, Value], shown: Clock, which: Callable[[Sequence[int]], int]) -> int:
    """When a process began, or that of a listener or library, from what was observed of it; of several `which` (min,
    max): nanoseconds since 1970; 0: not known."""
    started = observed.get("started")
    ticks = (
        [tick for tick in started if isinstance(tick, int) and 0 < tick < 1 << 62] if isinstance(started, tuple) else []
    )
    return shown.kernel + which(ticks) * _TICK if shown.kernel and ticks else 0


def _first(captures: Captures) -> tuple[int, bool]:
    """The time of the first entry of this boot (0: not known), and whether earlier ones may have gone because the
    journal was full, or they were old: it keeps a tenth of the file system or 4 GiB if nothing else is set."""
    text = _text(captures, FIRST)
    first = re.match(r"(\d{9,11})\.", text, re.ASCII)
    usage = re.search(r"take up (\d{1,9}(?:\.\d{1,3})?)([BKMGT]?) in", text, re.ASCII)
    disk = re.search(r"^\S+ +(\d{1,15}) +\d+ +\d+ +\d+% ", text, re.MULTILINE | re.ASCII)
    limits = re.findall(r"^SystemMaxUse=(\d{1,9})([KMGT]?)\s*$", text, re.MULTILINE | re.ASCII)
    if first is None or usage is None or "MaxRetentionSec=" in text:
        return 0, True
    limit = min([_MOST, *(int(number) * _UNITS[unit] for number, unit in limits)])
    if disk is not None:
        limit = min(limit, int(disk[1]) * 1024 // 10)
    held = float(usage[1]) * _UNITS[usage[2]]
    return int(first[1]) * SECOND, held * 2 > limit


def _boot_is_told(captures: Captures, booted: int) -> bool:
    return any(row.type == _BOOT_TIME and row.at >= booted - _LATE for row in _wtmp(captures))


@dataclass(frozen=True, slots=True)
class _Row:
    """A record of wtmp. `host`: from where; empty where it is no address."""

    type: int
    at: int
    user: str
    host: str


def _wtmp(captures: Captures) -> Iterator[_Row]:
    data = captures[WTMP].data
    for row in _WTMP.iter_unpack(data[: len(data) // _WTMP.size * _WTMP.size]):
        user, host = (row[index].split(b"\0")[0].decode("utf-8", "replace") for index in (_USER, _HOST))
        yield _Row(row[0], row[_SECONDS] * SECOND, user, host if _ADDRESS.fullmatch(host) else "")


def _with_terminals(captures: Captures, sessions: Sequence[Session]) -> tuple[Session, ...]:
    """Sessions with whether they had a terminal: sshd writes to wtmp of those alone, when it gives them one. Before the
    first record, nothing is known."""
    rows = sorted(_wtmp(captures), key=lambda row: row.at)
    given: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        if row.type == _USER_PROCESS:
            given.setdefault((row.user, row.host), []).append(row.at)

    def terminal(session: Session) -> bool | None:
        if session.how != "ssh":
            return True
        if not rows or session.opened < rows[0].at:
            return None
        times = [given.get((session.user, host), []) for host in (session.address, "")]
        firsts = [each[index] for each in times if (index := bisect_left(each, session.opened - SECOND)) < len(each)]
        return any(not session.closed or first <= session.closed + SECOND for first in firsts)

    return tuple(replace(session, terminal=terminal(session)) for session in sessions)
