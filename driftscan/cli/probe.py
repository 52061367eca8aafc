"""`driftscan probe`."""

import os
import re
from dataclasses import replace

from driftscan.cli import _options as opt
from driftscan.cli._command import Call, Command
from driftscan.errors import UsageError
from driftscan.model.names import show

ACCOUNT = "driftscan"
PLACE = "/usr/local/sbin/driftscan-probe"
# useradd(8) accepts these names; anything else could end the rule and begin another.
_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,30}\$?")
RULE = """\
# /etc/sudoers.d/driftscan: lets {user} scan with root rights, and do nothing else. Check with: visudo -cf FILE
#
# {place} is the probe of driftscan: driftscan probe --write FILE. It belongs to root,
# mode 0755. sudo runs it without arguments, and only with this content; what is sent to it are questions.
{user} ALL=(root) NOPASSWD: {digest} {place} ""
Defaults:{user} !requiretty
"""
STREAMED = """\
# /etc/sudoers.d/driftscan: lets {user} scan with root rights. Check with: visudo -cf FILE
#
# driftscan sends its program over the connection and runs it with /bin/sh. This rule therefore lets whoever holds
# the account's key run ANYTHING as root: guard that key like root's own. Without --streamed, a rule for an account
# that can scan and nothing else.
{user} ALL=(root) NOPASSWD: /bin/sh
Defaults:{user} !requiretty
"""


def _run(call: Call) -> int:
    settings = call.settings
    if sum((settings.print, settings.sudoers, bool(settings.write))) != 1:
        raise UsageError("driftscan probe: say what to do", "Give one of --print, --write FILE and --sudoers.")
    if settings.sudoers:
        call.console.write(_rule(settings.user or ACCOUNT, settings.probe or PLACE, streamed=settings.streamed))
        return 0
    from driftscan.scan import program

    if settings.print:
        call.console.write(program.text())
    else:
        _write(call, settings.write, program.as_file())
    return 0


def _rule(user: str, place: str, *, streamed: bool) -> str:
    if not _NAME.fullmatch(user):
        raise UsageError(f"--user {show(user)}: not an account's name", "Give a name as useradd(8) takes it.")
    if streamed:
        return STREAMED.format(user=user)
    from driftscan.capture.probe import render
    from driftscan.scan import program

    return RULE.format(user=user, place=place, digest=render.digest(program.as_file()))


def _write(call: Call, path: str, text: str) -> None:
    from driftscan import atomic

    atomic.write(path, [text.encode()], executable=True)
    if os.geteuid() != 0:
        call.console.warn(f"in the image it must be root's: install -o root -g root -m 0755 {show(path)} {PLACE}")


COMMAND = Command(
    name="probe",
    summary="print the program that runs on hosts, write it for images, or print a sudo rule for it",
    examples=(
        ("driftscan probe --print | less", "read what is run on your servers, to the last line"),
        (f"driftscan probe --write {PLACE}", "as a file, when baking an image; scans use it with --probe"),
        ("driftscan probe --sudoers --user scanner", "a rule for an account that can scan and nothing else"),
    ),
    options=(
        opt.PRINT,
        opt.WRITE,
        opt.SUDOERS,
        opt.STREAMED,
        replace(opt.USER, help="the account that the rule is for", default_text=ACCOUNT),
        replace(opt.PROBE, help="the file that the rule is for", default_text=PLACE),
    ),
    run=_run,
)
commands = (COMMAND,)
