"""`driftscan probe`."""

import re
from dataclasses import replace

from driftscan.cli import _options as opt
from driftscan.cli._command import Call, Command
from driftscan.errors import UsageError
from driftscan.model.names import show

ACCOUNT = "driftscan"
# useradd(8) accepts these names; anything else could end the rule and begin another.
_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,30}\$?")
RULE = """\
# /etc/sudoers.d/driftscan: lets {user} scan with root rights. Check with: visudo -cf FILE
#
# driftscan sends its program over the connection and runs it with /bin/sh. This rule therefore lets whoever holds
# the account's key run ANYTHING as root: guard that key like root's own. The program: driftscan probe --print
{user} ALL=(root) NOPASSWD: /bin/sh
Defaults:{user} !requiretty
"""


def _run(call: Call) -> int:
    settings = call.settings
    if settings.print == settings.sudoers:
        raise UsageError("driftscan probe: say what to print", "Give either --print or --sudoers.")
    if settings.print:
        from driftscan.capture.probe.render import script

        call.console.write(script())
        return 0
    user = settings.user or ACCOUNT
    if not _NAME.fullmatch(user):
        raise UsageError(f"--user {show(user)}: not an account's name", "Give a name as useradd(8) takes it.")
    call.console.write(RULE.format(user=user))
    return 0


COMMAND = Command(
    name="probe",
    summary="print the program that runs on hosts, or a sudo rule for it",
    examples=(
        ("driftscan probe --print | less", "read what is run on your servers, to the last line"),
        ("driftscan probe --sudoers --user scanner", "a rule for an account that is not root"),
    ),
    options=(opt.PRINT, opt.SUDOERS, replace(opt.USER, help="the account that the rule is for", default_text=ACCOUNT)),
    run=_run,
)
commands = (COMMAND,)
