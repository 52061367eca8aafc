"""`driftscan doctor`: would a scan of this target work, and what could it see? Nothing is scanned."""

from dataclasses import dataclass

from driftscan.capture.base import Session
from driftscan.collectors import _accounts, os_version
from driftscan.errors import DriftscanError
from driftscan.model.source import Source, Status
from driftscan.scan import program, readiness
from driftscan.scan.look import open_session
from driftscan.scan.options import ScanOptions
from driftscan.scan.targets import Target


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried."""

    name: str
    ok: bool
    detail: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Doctor:
    """The checks of one target. `ready`: a whole scan would work."""

    target: str
    ready: bool
    checks: tuple[tuple[str, bool, str, str], ...]


_SHADOW, _OS = _accounts.SHADOW, os_version.ETC
_SOURCES: tuple[Source, ...] = (_SHADOW, _OS, readiness.CLOCK)


def examine(target: Target, options: ScanOptions) -> Doctor:
    """Connect, start the probe, ask three small questions."""
    try:
        session = open_session(target, options)
    except DriftscanError as error:
        kind = getattr(error, "kind", "target")
        return Doctor(target.name, ready=False, checks=((kind, False, error.message, error.hint),))
    try:
        checks = _checks(session)
    except DriftscanError as error:
        checks = (Check("probe", ok=False, detail=error.message, hint=error.hint),)
    finally:
        session.close()
    rows = tuple((check.name, check.ok, check.detail, check.hint) for check in checks)
    return Doctor(target.name, all(check.ok for check in checks), rows)


def _checks(session: Session) -> tuple[Check, ...]:
    facts = session.facts
    program.check(facts, None)
    answers = session.ask(_SOURCES)
    readable = answers[_SHADOW].status in (Status.OK, Status.TRUNCATED, Status.ABSENT)
    return (
        Check("connection", ok=True, detail=f"reached {facts.hostname}"),
        Check("interpreter", ok=True, detail=facts.interpreter),
        Check(
            "rights",
            ok=facts.privileged and readable,
            detail="the probe runs as root" if facts.privileged else "the probe runs without root rights",
            hint="Log in as root, give the account sudo (docs/connecting.md), or if its sudo asks for a password set"
            " DRIFTSCAN_SUDO_PASSWORD; else parts of the host stay unseen.",
        ),
        Check("os-release", ok=answers[_OS].status is Status.OK, detail=_system(answers[_OS].data)),
        Check(
            "clock",
            ok=True,
            detail=answers[readiness.CLOCK].data.decode("ascii", "replace").strip() or "not a running target",
        ),
    )


def _system(data: bytes) -> str:
    for line in data.decode("utf-8", "replace").split("\n"):
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip("\"'")[:100]
    return "not recognised"
