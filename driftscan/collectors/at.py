"""Jobs of at(1) that wait for their time, from its spool.

A job is a shell script that sets the environment of whoever made it (which holds secrets and is not kept), changes the
directory, and then gives the commands. Its file's name is its queue, number and time, which are observed: the same
commands queued again are the same job.
"""

import re
from collections.abc import Iterator

from driftscan.collectors._accounts import PASSWD
from driftscan.collectors._base import Collector, gap
from driftscan.collectors._closed import closed
from driftscan.collectors._owners import name, names
from driftscan.collectors._text import path_text, value
from driftscan.collectors.cron import digest
from driftscan.model.resource import Attribute, Kind, Resource
from driftscan.model.source import Captures, Gap, Glob, Redact, Status

JOBS = Glob(("/var/spool/cron/atjobs/*", "/var/spool/at/*", "/var/spool/atjobs/*"), redact=Redact.SECRETS)
"""Debian, Red Hat, SUSE."""

AT = Kind(
    name="at",
    doc="A command that waits in at's spool to be run once.",
    key="spool/user/first 16 hexadecimal digits of the commands' SHA-256",
    attributes={
        "user": Attribute(str, "who runs it: the owner of the file"),
        "command": Attribute(str, "commands, secrets redacted"),
    },
)

_FILE_NAME = re.compile(rb"([a-zA-Z=])([0-9a-f]{5})([0-9a-f]{8})", re.ASCII)
_DIRECTORY = re.compile(r"^cd .* \|\| \{\n.*\n.*\n\}\n", re.MULTILINE)
_MAX_COMMAND = 4096


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """One resource per owner and commands; its files and times are observed."""
    if captures[JOBS].status not in (Status.OK, Status.ABSENT):
        yield gap("at", captures, JOBS, AT.name)
        return
    for path in closed(captures, JOBS):
        yield Gap("at", Status.FORBIDDEN, f"{path} could not be read", (AT.name,))
    owners = names(captures)
    found: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    for member in captures.members(JOBS):
        directory, _, file = member.path.rpartition(b"/")
        match = _FILE_NAME.fullmatch(file)
        if match is None or member.mode & 0o170000 == 0o040000:
            continue
        if owners is None:  # whose jobs they are is in their keys
            yield gap("at", captures, PASSWD, AT.name)
            return
        user = name(owners, member.uid)
        commands = _commands(member.data.decode("utf-8", "surrogateescape"))
        if member.status is not Status.OK or commands is None:
            status = Status.FAILED if member.status is Status.OK else member.status
            yield Gap("at", status, f"{path_text(member.path)}: no job could be read", (AT.name,))
            continue
        minutes = int(match[3], 16)
        found.setdefault((path_text(directory), user, commands), []).append((path_text(member.path), str(minutes * 60)))
    for (spool, user, commands), files in sorted(found.items()):
        shown = commands if len(commands) <= _MAX_COMMAND else commands[:_MAX_COMMAND] + "..."
        yield Resource(
            AT.name,
            f"{spool}/{user}/{digest(commands)}",
            {"user": user, "command": value(shown)},
            {"files": tuple(path for path, _ in files), "runs_at_unix_time": tuple(when for _, when in files)},
        )


def _commands(script: str) -> str | None:
    """What follows the change of directory; None if there is no such line: then it is no script of at."""
    match = _DIRECTORY.search(script)
    return script[match.end() :].strip() if match else None


collector = Collector(
    name="at",
    version=2,
    doc="Jobs in at's spool",
    kinds=(AT,),
    sources=(JOBS, PASSWD),
    parse=parse,
)
