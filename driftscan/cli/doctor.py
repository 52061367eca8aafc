"""`driftscan doctor`."""

import threading

from driftscan.cli import _options as opt
from driftscan.cli._command import Argument, Call, Command
from driftscan.cli._prompt import prompter
from driftscan.cli._targets import chosen, scan_options
from driftscan.errors import UsageError
from driftscan.model.names import show

OK, NOT_READY = 0, 3


def _run(call: Call) -> int:
    from driftscan.scan import doctor

    if call.settings.send_test and not call.settings.alerts:
        raise UsageError("--send-test: no channels", "Name them with --alerts FILE.")
    ready = _channels(call)
    words = call.settings.target or (() if call.settings.inventory else ("local",))
    options = scan_options(call, prompter(call.console, threading.Event()))
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


def _channels(call: Call) -> bool:
    """Whether all channels can be used; with --send-test, whether they take a message."""
    from driftscan.cli._alerts import alerts, test

    failed = False
    for channel in alerts(call).channels:
        why = test(channel) if call.settings.send_test else ""
        failed = failed or bool(why)
        state = f"FAIL  {why}" if why else "ok    took a test message" if call.settings.send_test else "ok"
        call.console.write(f"channel {channel.name}: {state}\n")
    return not failed


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
        (
            "driftscan doctor --alerts alerts.yaml --send-test",
            "also send each channel a message that says it is a test",
        ),
    ),
    arguments=(
        Argument(name="TARGET", many=True, help="as for scan; none: this machine, or all hosts of the inventory"),
    ),
    options=(opt.ALERTS, opt.SEND_TEST, *opt.CONNECT),
    notes=(
        "Exit codes: 0 all are ready; 2 wrong input; 3 some target is not ready, or a channel took no test message.",
    ),
    run=_run,
)
commands = (COMMAND,)
