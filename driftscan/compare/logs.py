"""Reads what sshd, sudo, su, cron and the account tools write to the log: lines of rsyslog, and entries of the journal.

Lines are `TIME HOST PROGRAM[PID]: MESSAGE` with a time as RFC 3339 or, without a year, as RFC 3164 has it. Entries of
the journal are objects of `journalctl -o json` (systemd.journal-fields(7)). Messages: sshd(8), sudoers(5) "EVENT
LOGGING", pam_unix(8), and those of shadow's tools (useradd(8) and its siblings). What is not in a known form is passed
over: logs hold anything, and who can write to syslog can write any line.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import Any

from driftscan.compare.witness import Act, Deed, Session, Witness
from driftscan.model.times import SECOND, utc

MAX_ENTRIES = 50_000
_LINE = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)"
    r" \S+ (?P<program>[^\s:\[]{1,64})(?:\[(?P<pid>\d{1,10})\])?: (?P<message>.*)"
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ACCEPTED = re.compile(
    r"Accepted \S+ for (?P<user>\S+) from (?P<address>\S+) port \d+ ssh2(?:: .*?(?P<key>SHA256:\S+))?"
)
_OPENED = re.compile(r"pam_unix\((?P<service>[\w-]+):session\): session opened for user (?P<user>[^\s(]+)")
_CLOSED = re.compile(r"pam_unix\((?P<service>[\w-]+):session\): session closed for user (?P<user>\S+)")
_SU = re.compile(r"\(to (?P<other>[^\s)]+)\) (?P<user>\S+) on \S+")
_CRON = re.compile(r"\((?P<user>[^\s)]+)\) CMD \((?P<command>.*)\)")
_CRONTAB = re.compile(r"\((?P<user>[^\s)]+)\) (?:REPLACE|DELETE|END EDIT) \((?P<other>[^\s)]+)\)")
_ACCOUNT = re.compile(
    r"new (?:user|group): name=(?P<new>[^\s,]+)"
    r"|(?:add|delete) '(?P<member>[^']+)' (?:to|from) (?:shadow )?group '(?P<group>[^']+)'"
    r"|(?:change|delete|remove|removed|lock|unlock)\S* (?:user|group) '(?P<changed>[^']+)'"
    r"|group '(?P<gone>[^']+)' removed"
    r"|user (?P<who>\S+) (?:added|removed) by (?P<by>\S+) (?:to|from) group (?P<into>\S+)"
    r"|group added to /etc/group: name=(?P<grouped>[^\s,]+)"
    r"|password (?:changed )?for '?(?P<password>[^\s']+)"
    r"|changed user '(?P<shell>[^']+)'"
)
TOOLS = frozenset(
    {
        *("useradd", "usermod", "userdel", "groupadd", "groupmod", "groupdel", "gpasswd", "passwd", "chpasswd"),
        *("chage", "chsh", "chfn", "newusers", "systemd-sysusers"),
    }
)
_SHELLS = re.compile(r"(?:\S*/)?(?:ba|da|z|k|c|tc|fi)?sh(?:\s+-{1,2}(?:l|i|login))*\s*")
_INVISIBLE = re.compile(r"#(\d{3})")
_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a log."""

    at: int
    program: str
    pid: int
    message: str
    log: str


def lines(text: str, log: str, *, now: int, zone: tzinfo = UTC) -> Iterator[Entry]:
    """The entries of a text log. `now` (the host's clock, nanoseconds) tells the year where lines have none, and
    `zone`, the host's, what their times mean."""
    for row in text.split("\n")[-MAX_ENTRIES:]:
        match = _LINE.fullmatch(row[:_LONGEST])
        if match is None or not (at := _time(match["time"], now, zone)):
            continue
        message = _INVISIBLE.sub(lambda code: chr(int(code[1], 8)), match["message"])
        yield Entry(at, match["program"], int(match["pid"] or 0), message, log)


def journal(text: str) -> Iterator[Entry]:
    """The entries of `journalctl -o json`."""
    for row in text.split("\n")[-MAX_ENTRIES:]:
        try:
            raw = json.loads(row)
        except ValueError:
            continue
        if isinstance(raw, dict) and (entry := _journaled(raw)) is not None:
            yield entry


def _journaled(raw: Mapping[str, Any]) -> Entry | None:
    program, message = raw.get("SYSLOG_IDENTIFIER") or raw.get("_COMM"), raw.get("MESSAGE")
    at, pid = str(raw.get("__REALTIME_TIMESTAMP", "")), str(raw.get("_PID") or raw.get("SYSLOG_PID") or "0")
    if not isinstance(program, str) or not isinstance(message, str) or not re.fullmatch(r"\d{10,18}", at, re.ASCII):
        return None
    number = int(pid) if re.fullmatch(r"\d{1,10}", pid, re.ASCII) else 0
    return Entry(int(at) * 1000, program, number, message[:_LONGEST], "journal")


def witness(entries: Iterable[Entry]) -> Witness:
    """Acts and sessions of entries of all logs; what the journal and a file tell alike within a second is told once."""
    acts: list[Act] = []
    sessions: dict[tuple[int, str], Session] = {}
    ended: list[Session] = []
    for entry in _once(sorted(entries, key=lambda each: each.at)):
        _session(entry, sessions, ended)
        if (act := _act(entry)) is not None:
            acts.append(act)
    found = sorted([*ended, *sessions.values()], key=lambda each: (each.opened, each.user))
    return Witness(tuple(acts), tuple(found))


def _once(entries: Iterable[Entry]) -> Iterator[Entry]:
    waiting: Counter[tuple[int, str, str, bool]] = Counter()
    for entry in entries:
        second, journaled = entry.at // SECOND, entry.log == "journal"
        twins = ((second + near, entry.program, entry.message, not journaled) for near in (0, -1, 1))
        twin = next((each for each in twins if waiting[each]), None)
        if twin is not None:
            waiting[twin] -= 1
        else:
            waiting[second, entry.program, entry.message, journaled] += 1
            yield entry


def _session(entry: Entry, found: dict[tuple[int, str], Session], ended: list[Session]) -> None:
    if entry.program in {"sshd", "sshd-session"}:
        if match := _ACCEPTED.match(entry.message):
            key = (entry.pid, match["user"])
            if key in found:  # the same process id, later
                ended.append(found.pop(key))
            found[key] = Session(
                user=match["user"], opened=entry.at, address=match["address"], key=match["key"] or "", how="ssh"
            )
    elif (match := _OPENED.match(entry.message)) and match["service"] in {"login", "gdm-password", "cockpit"}:
        found[entry.pid, match["user"]] = Session(user=match["user"], opened=entry.at, how="console")
    if match := _CLOSED.match(entry.message):
        session = found.pop((entry.pid, match["user"]), None)
        if session is not None:
            ended.append(replace(session, closed=entry.at))


def _act(entry: Entry) -> Act | None:
    line = f"{entry.log}: {utc(entry.at)} {entry.program}: {entry.message.strip()}"
    if entry.program == "sudo":
        return _sudo(entry, line)
    if entry.program == "su" and (match := _SU.fullmatch(entry.message)):
        return Act(at=entry.at, deed=Deed.SHELL, actor=match["user"], command=f"su {match['other']}", line=line)
    if entry.program.upper() in {"CRON", "CROND"} and (match := _CRON.fullmatch(entry.message)):
        return Act(
            at=entry.at, deed=Deed.COMMAND, actor=f"cron of {match['user']}", command=match["command"], line=line
        )
    if entry.program == "crontab" and (match := _CRONTAB.fullmatch(entry.message)):
        path = f"/var/spool/cron/crontabs/{match['other']}"
        return Act(
            at=entry.at,
            deed=Deed.COMMAND,
            actor=match["user"],
            command=f"crontab {path}",
            names=frozenset({path}),
            line=line,
        )
    if entry.program in TOOLS and (match := _ACCOUNT.search(entry.message)):
        names = frozenset(value for name, value in match.groupdict().items() if value and name != "by")
        return Act(
            at=entry.at, deed=Deed.ACCOUNT, actor=match["by"] or "", command=entry.program, names=names, line=line
        )
    return None


def _sudo(entry: Entry, line: str) -> Act | None:
    """`USER : TTY=... ; PWD=... ; USER=... ; COMMAND=...`; what was refused has words instead of the first of these."""
    user, _, rest = entry.message.strip().partition(" : ")
    before, found, command = rest.partition(" ; COMMAND=")
    fields = dict(part.partition("=")[::2] for part in before.split(" ; "))
    if not found or "USER" not in fields or any(" " in name for name in fields):
        return None
    deed = Deed.SHELL if _SHELLS.fullmatch(command) else Deed.COMMAND
    return Act(at=entry.at, deed=deed, actor=user, command=command, directory=fields.get("PWD", ""), line=line)


def _time(text: str, now: int, zone: tzinfo) -> int:
    """Nanoseconds since 1970; 0 if it is no time. Without a year: of the last twelve months."""
    try:
        if text[0].isdigit():
            found = datetime.fromisoformat(text)
            return int(found.timestamp()) * SECOND + found.microsecond * 1000
        year = datetime.fromtimestamp(now // SECOND, UTC).year
        month, day, clock = _MONTHS.index(text[:3]) + 1, int(text[4:6]), text[7:]
        hour, minute, second = (int(part) for part in clock.split(":"))
        for guess in (year, year - 1):
            found = datetime(guess, month, day, hour, minute, second, tzinfo=zone)
            at = int(found.timestamp()) * SECOND
            if at <= now + 86_400 * SECOND:
                return at
    except (ValueError, OverflowError):
        pass
    return 0
