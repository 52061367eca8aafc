"""`driftscan schedule cron` and `driftscan schedule systemd`."""

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from driftscan.cli import _options as opt
from driftscan.cli._command import Argument, Call, Command, Option, Settings
from driftscan.cli._units import STATE, Job, cron, systemd
from driftscan.cli.scan import COMMAND as SCAN
from driftscan.errors import UsageError
from driftscan.model.finding import Action, Severity
from driftscan.scan.targets import FILE_SCHEMES

_OWN = frozenset({"exclusive"})
"""What a schedule always asks for itself."""
_HOMES = ("/home/", "/root/", "/run/user/")
_EMPTY = ("/tmp/", "/var/tmp/")  # noqa: S108 - nothing is made there
"""What PrivateTmp= hides."""


def _job(call: Call) -> Job:
    """The scan that this call describes, from its options, the environment and config files as they are here and now.
    UsageError for targets that there are not, and for a password in it."""
    from driftscan.cli._outputs import outputs, screen_format
    from driftscan.cli._targets import chosen

    settings = call.settings
    screen_format(settings.format)
    outputs(settings.report, later=STATE)
    targets = chosen(call, settings.target)
    _refuse_password(settings.store or "")
    options = [word for option in SCAN.options if option.name not in _OWN for word in _words(option, settings)]
    folders = [os.path.dirname(_absolute_report(each).partition(":")[2]) for each in settings.report]
    elsewhere = settings.store and "://" not in settings.store and os.path.abspath(settings.store) != STATE
    kept = [os.path.abspath(each) for each in (settings.store, settings.store_reports) if each and "://" not in each]
    return Job(
        words=(*_program(), "scan", "-q", "--exclusive", *options, *_typed(settings.target)),
        every=settings.every,
        here=any(target.scheme in {"local", "rootfs"} for target in targets),
        homes=any(home in word for word in options for home in _HOMES),
        writes=tuple(sorted({*folders, *kept} - ({STATE} if not elsewhere else set()))),
        state=not elsewhere,
    )


def _program() -> tuple[str, ...]:
    """This driftscan, by absolute path."""
    called = os.path.abspath(sys.argv[0])
    if os.path.basename(called) == "driftscan" and os.access(called, os.X_OK):
        return (called,)
    return (sys.executable, "-m", "driftscan")


def _words(option: Option, settings: Settings) -> Iterator[str]:
    """How the value that an option has is typed; nothing for its default."""
    value = getattr(settings, option.dest)
    if value in (None, "", (), False, 0) or value == option.default:
        return
    if not option.metavar:
        yield f"--{option.name}"
        return
    for each in value if option.many else (value,):
        yield from (f"--{option.name}", _text(option, each))


def _text(option: Option, value: Any) -> str:
    if isinstance(value, Severity | Action):
        return value.word
    text = str(value)
    if option.name == "report":
        return _absolute_report(text)
    shipped = option.name == "policy" and not os.path.exists(text)
    if not option.path or shipped or "://" in text or text.startswith("ec2:"):
        return text
    return os.path.abspath(text)


def _absolute_report(text: str) -> str:
    form, _, path = text.partition(":")
    return f"{form}:{os.path.abspath(os.path.expanduser(path))}"


def _typed(targets: tuple[str, ...]) -> Iterator[str]:
    for word in targets:
        scheme, colon, path = word.partition(":")
        yield f"{scheme}:{os.path.abspath(path)}" if colon and scheme in FILE_SCHEMES else word


def _refuse_password(store: str) -> None:
    if "://" in store and (urlsplit(store).password or "password=" in urlsplit(store).query):
        raise UsageError("--store: it has a password, which all users of this machine could read", "Use ~/.pgpass.")


def _cron(call: Call) -> int:
    call.console.write(cron(_job(call), os.uname().nodename))
    return 0


def _systemd(call: Call) -> int:
    job = _job(call)
    call.console.write(systemd(job))
    if not job.here:
        for word in job.words:
            if word.rpartition(":")[2].startswith(_EMPTY):
                call.console.warn(f"{word}: the unit has a /tmp of its own (PrivateTmp=); put it elsewhere")
    return 0


def _command(word: str, summary: str, run: Callable[[Call], int], notes: str) -> Command:
    return Command(
        name=f"schedule {word}",
        summary=summary,
        examples=(
            (f"driftscan schedule {word} -i inventory.yaml -m manifests/ --alerts alerts.yaml", "scan a fleet hourly"),
            (f"driftscan schedule {word} local --every daily", "this machine, as root"),
        ),
        arguments=(Argument(name="TARGET", many=True, help="as for scan"),),
        options=(opt.EVERY, *(option for option in SCAN.options if option.name not in _OWN)),
        notes=(notes, "Nothing is installed. All else is as for scan; paths become absolute. See docs/schedule.md."),
        run=run,
    )


commands = (
    _command(
        "cron",
        "print a crontab that scans regularly",
        _cron,
        "What is printed is a file for /etc/cron.d; its minute is this machine's own.",
    ),
    _command(
        "systemd",
        "print a service and a timer that scan regularly",
        _systemd,
        "What is printed are two files, each below its name.",
    ),
)
