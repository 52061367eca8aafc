"""Settings of programs that decide how passwords are chosen and kept, what is recorded, who keeps the clock, and what
apt asks of packages.

Each program's files are read in the order in which it reads them, and the last assignment of a name holds, unless the
program has it add to those before: then all are told. What no file sets is not listed: the program's own default holds.
Not followed are files outside the usual directories that a file includes, and what a program's command line sets.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from driftscan.collectors import _grammars
from driftscan.collectors._base import Collector
from driftscan.collectors._closed import closed
from driftscan.collectors._gaps import few_gaps
from driftscan.collectors._text import hidden, key, lines, path_text, value
from driftscan.model.resource import Attribute, Kind, Resource
from driftscan.model.source import Captures, Gap, Glob, Member, Redact, Status

_SYSTEMD = ("/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd")
_TIME_SERVERS = frozenset({"NTP", "FallbackNTP"})
_CHRONY_LISTS = frozenset({
    "allow", "deny", "cmdallow", "cmddeny", "bindcmdaddress", "broadcast", "confdir", "hwtimestamp", "include",
    "mailonchange", "sourcedir", "tempcomp",
})  # fmt: skip
_RSYSLOG_LISTS = frozenset({"AllowedSender", "IncludeConfig", "InputTCPServerRun", "UDPServerRun", "UDPServerAddress"})
_ANY_NAME = re.compile(r"[^.].*", re.DOTALL)
_APT_NAME = re.compile(r"[A-Za-z0-9_-]+|[A-Za-z0-9_.-]+\.conf", re.ASCII)
_DCONF = ("distro", "site", "gdm", "local")
MAX_SETTINGS = 5000
"""Of one program; limits.conf of a large site has hundreds."""

KIND = Kind(
    "setting",
    "A setting of a program that guards the server, as its files set it",
    "program:name, such as `login.defs:PASS_MAX_DAYS`, `pwquality:minlen`, `journald:Storage`, `limits:* hard core`, "
    "`chrony:pool ADDRESS`, `rsyslog:module imtcp`, `rsyslog:forward HOST:PORT`, `gdm:xdmcp/Enable`, "
    "`dconf:org/gnome/login-screen/banner-message-text`, `dconf:lock /org/gnome/...`, "
    "`apt:apt::sandbox::user`, `apt:dpkg::post-invoke COMMAND`",
    {
        "value": Attribute(
            str, "Value without quotes; `yes` for what stands alone, and for truth values of systemd's files"
        ),
        "file": Attribute(str, "The file that sets it last"),
    },
    shape=r"[^:]+:.*",
)


@dataclass(frozen=True, slots=True)
class _Program:
    """A program, the files it reads, and how they are written. `groups`: read one after another; within one, by the
    name of the file, and of two files of one name that of the earlier pattern hides the other. `lists`: settings to
    which further assignments add, and what stands between their values. `empties`: an empty assignment takes back.
    `names`: of which names a file must be, beside what its pattern says."""

    name: str
    read: _grammars.Reader
    groups: tuple[tuple[str, ...], ...]
    lists: frozenset[str] = frozenset()
    between: str = ", "
    empties: bool = False
    names: re.Pattern[str] = _ANY_NAME

    @property
    def patterns(self) -> tuple[str, ...]:
        return tuple(pattern for group in self.groups for pattern in group)


def _systemd(name: str, part: str) -> _Program:
    main = tuple(f"{directory}/{name}.conf" for directory in _SYSTEMD)
    drop_ins = tuple(f"{directory}/{name}.conf.d/*.conf" for directory in _SYSTEMD)
    return _Program(name, _grammars.section(part), (main, drop_ins), _TIME_SERVERS, " ", empties=True)


_PROGRAMS = (
    _Program("login.defs", _grammars.words, (("/etc/login.defs",),)),
    _Program("useradd", _grammars.shell, (("/etc/default/useradd",),)),
    _Program(
        "pwquality", _grammars.equals, (("/etc/security/pwquality.conf.d/*.conf",), ("/etc/security/pwquality.conf",))
    ),
    _Program("faillock", _grammars.equals, (("/etc/security/faillock.conf",),)),
    _Program("limits", _grammars.limits, (("/etc/security/limits.conf",), ("/etc/security/limits.d/*.conf",))),
    _Program("auditd", _grammars.auditd, (("/etc/audit/auditd.conf",),)),
    _systemd("journald", "Journal"),
    _systemd("journal-upload", "Upload"),
    _systemd("coredump", "Coredump"),
    _systemd("timesyncd", "Time"),
    _Program(
        "chrony",
        _grammars.chrony,
        (
            ("/etc/chrony/chrony.conf", "/etc/chrony.conf"),
            ("/etc/chrony/conf.d/*.conf", "/etc/chrony.d/*.conf"),
            ("/etc/chrony/sources.d/*.sources",),
        ),
        _CHRONY_LISTS,
    ),
    _Program("rsyslog", _grammars.rsyslog, (("/etc/rsyslog.conf",), ("/etc/rsyslog.d/*.conf",)), _RSYSLOG_LISTS),
    _Program("apport", _grammars.shell, (("/etc/default/apport",),)),
    _Program("ufw", _grammars.shell, (("/etc/default/ufw",), ("/etc/ufw/ufw.conf",))),
    _Program("gdm", _grammars.sections, (("/etc/gdm3/daemon.conf", "/etc/gdm3/custom.conf", "/etc/gdm/custom.conf"),)),
    _Program(
        "dconf",
        _grammars.dconf,
        (
            ("/etc/gdm3/greeter.dconf-defaults",),
            *((f"/etc/dconf/db/{name}.d/*",) for name in _DCONF),
            *((f"/etc/dconf/db/{name}.d/locks/*",) for name in _DCONF),
        ),
    ),
    _Program("apt", _grammars.apt, (("/etc/apt/apt.conf.d/*",), ("/etc/apt/apt.conf",)), names=_APT_NAME),
    _Program("selinux", _grammars.shell, (("/etc/selinux/config",),)),
)
FILES = Glob(tuple(pattern for program in _PROGRAMS for pattern in program.patterns), redact=Redact.SECRETS)


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """One resource per setting; a file that cannot be read hides all settings of its program."""
    return few_gaps(_parse(captures), "program_settings", KIND.name)


def _parse(captures: Captures) -> Iterator[Resource | Gap]:
    members = {path_text(member.path): member for member in captures.members(FILES)}
    shut = tuple(closed(captures, FILES))
    for program in _PROGRAMS:
        chosen = list(_chosen(program, members))
        unread = [path for path, member in chosen if member.status is not Status.OK]
        unread += [path for path in shut if any(pattern.startswith(f"{path}/") for pattern in program.patterns)]
        hides = (hidden(KIND.name, program.name, after=":*"),)
        if unread:
            yield Gap("program_settings", Status.FORBIDDEN, f"{unread[0]} could not be read", hides)
            continue
        found = _settings(program, chosen)
        if len(found) > MAX_SETTINGS:
            yield Gap(
                "program_settings", Status.TRUNCATED, f"{program.name} has more than {MAX_SETTINGS} settings", hides
            )
            continue
        for name, (given, path) in sorted(found.items()):
            yield Resource(KIND.name, key(f"{program.name}:{name}"), {"value": value(given), "file": path})


def _chosen(program: _Program, members: dict[str, Member]) -> Iterator[tuple[str, Member]]:
    """The program's files in the order in which it reads them."""
    for group in program.groups:
        named: dict[str, tuple[str, Member]] = {}
        for pattern in group:
            directory, _, name = pattern.rpartition("/")
            for path, member in members.items():
                top, _, own = path.rpartition("/")
                fits = own == name or (name.startswith("*") and own.endswith(name[1:]) and program.names.fullmatch(own))
                if top == directory and fits and member.mode & 0o170000 != 0o040000 and not member.closed:
                    named.setdefault(own, (path, member))
        yield from (named[own] for own in sorted(named))


def _settings(program: _Program, chosen: list[tuple[str, Member]]) -> dict[str, tuple[str, str]]:
    """Name -> (value, file)."""
    found: dict[str, tuple[list[str], str]] = {}
    for path, member in chosen:
        for name, given in program.read(lines(FILES, member.data)):
            if program.empties and not given:
                found.pop(name, None)
            elif name in program.lists and name in found:
                found[name] = (found[name][0], path)
                found[name][0].append(given)
            elif name:
                found[name] = ([given], path)
    return {name: (program.between.join(values), path) for name, (values, path) in found.items()}


collector = Collector(
    name="program_settings",
    version=6,
    doc="Settings of login, passwords, logging, auditing and time",
    kinds=(KIND,),
    sources=(FILES,),
    parse=parse,
    since={"setting:apt:*": 6},
)
