"""`driftscan doctor`."""

import threading

from driftscan.cli import _options as opt
from driftscan.cli._command import Argument, Call, Command
from driftscan.cli._prompt import prompter
from driftscan.cli._targets import chosen, scan_options
from driftscan.model.names import show

OK, NOT_READY = 0, 3


def _run(call: Call) -> int:
    from driftscan.scan import doctor

    words = call.settings.target or (() if call.settings.inventory else ("local",))
    options = scan_options(call, prompter(call.console, threading.Event()))
    ready = True
    for target in chosen(call, words):
        found = doctor.examine(target, options)
        ready = ready and found.ready
        lines = [f"{show(found.target)}: {'ready' if found.ready else 'not ready'}"]
        for name, ok, detail, hint in found.checks:
            lines.append(f"  {'ok  ' if ok else 'FAIL'}  {name:<14} {show(detail)}")
            if hint and not ok:
                lines.append(f"        {show(hint)}")
        call.console.write("\n".join(lines) + "\n")
    return OK if ready else NOT_READY


COMMAND = Command(
    name="doctor",
    summary="try to reach targets and say what a scan would be able to see",
    examples=(
        ("driftscan doctor", "this machine: Python, tools, rights"),
        (
            "driftscan doctor -i inventory.yaml",
            "every host: name, port, host key, login, sudo, Python; nothing is scanned",
        ),
        ("driftscan doctor ssh://admin@10.0.0.11 --sudo always", "one host"),
    ),
    arguments=(
        Argument(name="TARGET", many=True, help="as for scan; none: this machine, or all hosts of the inventory"),
    ),
    options=opt.CONNECT,
    notes=("Exit codes: 0 all are ready; 2 wrong input; 3 some target is not ready.",),
    run=_run,
)
commands = (COMMAND,)
