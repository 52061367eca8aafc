"""Scheduled commands: crontabs of the system and of users, run-parts directories, anacron.

Formats: crontab(5) of Debian's cron, cronie and busybox; anacrontab(5); run-parts(8). Which names Debian's cron and
run-parts read: cron(8) and run-parts(8) of Debian. Commands leave the target with
secrets redacted. Two lines that differ in their schedule alone are one resource with two schedules, because the key is
path, user and command.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from driftscan.collectors._base import Collector, gap
from driftscan.collectors._text import hidden, key, path_text, value
from driftscan.model.resource import Attribute, Kind, Resource, Value
from driftscan.model.source import Captures, File, Gap, Glob, Member, Redact, Status

SYSTEM = Glob(("/etc/crontab", "/etc/cron.d/*"), redact=Redact.SECRETS)
USERS = Glob(("/var/spool/cron/crontabs/*", "/var/spool/cron/tabs/*"), redact=Redact.SECRETS)
"""Debian and busybox, SUSE."""
SPOOL = Glob(("/var/spool/cron/*",), redact=Redact.SECRETS)
"""Red Hat. Apart from the others, so that a directory of theirs that is closed shows as such."""
ANACRON = Glob(("/etc/anacrontab",), redact=Redact.SECRETS)
PERIODS = ("hourly", "daily", "weekly", "monthly", "yearly")
SCRIPTS = Glob(
    (
        *(f"/etc/cron.{period}/*" for period in PERIODS),
        *(f"/etc/periodic/{period}/*" for period in (*PERIODS, "15min")),
    ),
    content=False,
)
"""Debian and Red Hat, Alpine. What the scripts contain is told by their files."""
DEBIAN = Glob(("/usr/sbin/cron",), content=False)
"""Debian's cron: those of other systems are called crond."""
OPTIONS = File("/etc/default/cron")
"""Its options: with `-l` it reads more names in /etc/cron.d; run-parts does not."""

CRON = Kind(
    name="cron",
    doc="A command that cron or anacron runs.",
    key="path/user/first 16 hexadecimal digits of the command's SHA-256",
    attributes={
        "path": Attribute(str, "file that says so; of a script in /etc/cron.daily and the like, the script"),
        "user": Attribute(str, "who runs it"),
        "command": Attribute(str, "command, secrets redacted; of a script its path"),
        "schedules": Attribute(tuple, "when: the five fields, `@reboot` and the like, anacron's days and delay"),
        "environment": Attribute(tuple, "variables that the file sets before it, secrets redacted"),
        "executable": Attribute(bool, "a script: whether it may be executed, without which run-parts passes it over"),
        "passed_over": Attribute(
            bool,
            "only if so: Debian's cron runs nothing of the file, whose name has more than letters, digits, `_` and `-`",
        ),
    },
)

_ASSIGNMENT = re.compile(r"""\s*(?:"[^"]*"|'[^']*'|[A-Za-z_][A-Za-z0-9_]{0,200})\s*=""", re.ASCII)
_PLAIN_NAME = re.compile(rb"[A-Za-z0-9_-]+", re.ASCII)
_MORE_NAMES = re.compile(rb"^[ \t]*(?:export[ \t]+)?EXTRA_OPTS=.*-[A-Za-z]*l", re.MULTILINE)
_SCRIPT_NAME = re.compile(rb"[A-Za-z0-9_.-]{1,255}", re.ASCII)
_IGNORED_NAME = re.compile(
    rb"\..*|tmp\..*|.*(?:~|\.bak|\.orig|\.rpmsave|\.rpmnew|\.rpmorig|\.dpkg-[a-z]+|,v|\.swp)", re.DOTALL
)
_MAX_COMMAND = 4096


@dataclass(slots=True)
class _Job:
    path: str
    user: str
    command: str
    schedules: set[str] = field(default_factory=set)
    environment: tuple[str, ...] = ()
    executable: bool | None = None
    passed_over: bool = False

    @property
    def key(self) -> str:
        return f"{self.path}/{self.user}/{digest(self.command)}"


def digest(command: str) -> str:
    """The end of a job's key."""
    return hashlib.sha256(command.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """Every job; a file that cannot be read, or a line that is no job, hides that file's jobs alone."""
    jobs: dict[str, _Job] = {}
    strict = _strict(captures)
    for source in (SYSTEM, USERS, SPOOL, ANACRON, SCRIPTS):
        if captures[source].status not in (Status.OK, Status.ABSENT):
            yield gap("cron", captures, source, CRON.name)
            continue
        for member in captures.members(source):
            if _skipped(source, member):
                continue
            path = path_text(member.path)
            bad = _read(jobs, source, member, path, strict=source in strict) if member.status is Status.OK else 0
            if bad or member.status is not Status.OK:
                status = member.status if not bad else Status.FAILED
                yield Gap(
                    "cron",
                    status,
                    f"{path} line {bad}: no job" if bad else f"{path} could not be read",
                    (hidden(CRON.name, path, after="/*"),),
                )
    for name in sorted(jobs):
        yield _resource(name, jobs[name])


def _skipped(source: Glob, member: Member) -> bool:
    """Directories, and names that every cron passes over (backups of editors and of package managers)."""
    name = member.path.rpartition(b"/")[2]
    return member.mode & 0o170000 == 0o040000 or bool(_IGNORED_NAME.fullmatch(name))


def _strict(captures: Captures) -> Sequence[Glob]:
    """Where names must be plain to be read, as far as that is known: nowhere, unless cron is Debian's."""
    if not captures.members(DEBIAN):
        return ()
    return (SCRIPTS,) if _MORE_NAMES.search(captures[OPTIONS].data) else (SYSTEM, SCRIPTS)


def _read(jobs: dict[str, _Job], source: Glob, member: Member, path: str, *, strict: bool) -> int:
    """Adds the jobs of a file; returns the number of the first line that cron would stumble on, 0 if there is none."""
    directory, _, own = member.path.rpartition(b"/")
    owner = key(own.decode("utf-8", "surrogateescape"))
    passed_over = strict and directory.startswith(b"/etc/cron.") and not _PLAIN_NAME.fullmatch(own)
    if source is SCRIPTS:
        if _SCRIPT_NAME.fullmatch(own):
            period = directory.rpartition(b"/")[2].decode().removeprefix("cron.")
            executable = bool(member.mode & 0o111) or member.link is not None
            job = _Job(path, "root", path, {f"@{period}"}, executable=executable, passed_over=passed_over)
            jobs[job.key] = job
        return 0
    bad = 0
    environment: dict[str, str] = {}
    for number, line in enumerate(member.data.decode("utf-8", "surrogateescape").split("\n"), 1):
        text = line.strip(" \t\r")
        if not text or text[0] == "#":
            continue
        if _ASSIGNMENT.match(text) and text[0] not in "*@0123456789-":
            name, _, setting = text.partition("=")
            environment[name.strip(" \t\"'")] = setting.strip(" \t\"'")
            continue
        parts = _anacron(text) if source is ANACRON else _line(text, None if source is SYSTEM else owner)
        if parts is None:
            bad = bad or (0 if passed_over else number)
            continue
        schedule, user, command = parts
        variables = tuple(sorted(value(f"{n}={v}") for n, v in environment.items()))
        job = _Job(path, user, command, environment=variables, passed_over=passed_over)
        jobs.setdefault(job.key, job).schedules.add(schedule)
    return bad


def _line(text: str, owner: str | None) -> tuple[str, str, str] | None:
    """Schedule, user and command of a line; in a user's crontab (`owner`) there is no column for the user."""
    count = (1 if text[0] == "@" else 5) + (owner is None)
    parts = text.split(None, count)
    if len(parts) != count + 1:
        return None
    times = parts[:count] if owner is not None else parts[: count - 1]
    return value(" ".join(times)), owner or key(parts[count - 1]), parts[count]


def _anacron(text: str) -> tuple[str, str, str] | None:
    """Period in days (or `@monthly`), delay in minutes, name of the job, command."""
    parts = text.split(None, 3)
    if len(parts) != 4:
        return None
    return value(f"anacron {parts[0]} {parts[1]} {parts[2]}"), "root", parts[3]


def _resource(name: str, job: _Job) -> Resource:
    command = job.command if len(job.command) <= _MAX_COMMAND else job.command[:_MAX_COMMAND] + "..."
    attributes: dict[str, Value] = {
        "path": job.path,
        "user": job.user,
        "command": value(command),
        "schedules": tuple(sorted(job.schedules)),
        "environment": job.environment,
    }
    if job.executable is not None:
        attributes["executable"] = job.executable
    if job.passed_over:
        attributes["passed_over"] = True
    return Resource(CRON.name, name, attributes)


collector = Collector(
    name="cron",
    version=2,
    doc="Commands of cron and anacron",
    kinds=(CRON,),
    sources=(SYSTEM, USERS, SPOOL, ANACRON, SCRIPTS, DEBIAN, OPTIONS),
    parse=parse,
)
