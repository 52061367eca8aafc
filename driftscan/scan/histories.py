"""The logs of a target's package managers, those that were rotated and compressed included: asked where something
differs."""

from datetime import tzinfo

from driftscan.compare import apt_history, dnf_history, dpkg_log
from driftscan.compare.transaction import Transaction
from driftscan.model.source import Captures, Command, File, Redact, Source, Status
from driftscan.scan.rotated import MOST, older, text

_MONTHS = 12
"""How many rotations Debian keeps of both logs."""
_KEPT = 4
"""How many dnf keeps (dnf.conf(5), log_rotate)."""


def _with_older(path: str, kept: int, lines: str) -> Command:
    return text([*older(path, 1, kept), path], lines)


APT = File("/var/log/apt/history.log", max_bytes=MOST, redact=Redact.SECRETS)
APT_OLDER = text(older(APT.path, 1, _MONTHS))
DPKG = _with_older("/var/log/dpkg.log", _MONTHS, "^[0-9 :-]{20}(install|upgrade|remove|purge|startup) ")
DNF = _with_older("/var/log/dnf.rpm.log", _KEPT, " (SUBDEBUG [A-Z]|INFO ---)")
DNF_COMMANDS = _with_older("/var/log/dnf.log", _KEPT, " DDEBUG Command: ")
SOURCES: tuple[Source, ...] = (APT, APT_OLDER, DPKG, DNF, DNF_COMMANDS)


def sources(package_system: str) -> tuple[Source, ...]:
    """What to ask a target of this package system."""
    return {"rpm": (DNF, DNF_COMMANDS), "dpkg": (APT, APT_OLDER, DPKG)}.get(package_system, ())


def read(captures: Captures, zone: tzinfo) -> tuple[Transaction, ...]:
    """All transactions that the logs tell, by the time at which they began."""
    apt = apt_history.parse(f"{_text(captures, APT_OLDER)}\n\n{_text(captures, APT)}", zone)
    dpkg = dpkg_log.besides(dpkg_log.parse(_text(captures, DPKG), zone), apt)
    dnf = dnf_history.parse(_text(captures, DNF), _text(captures, DNF_COMMANDS))
    return tuple(sorted((*apt, *dpkg, *dnf), key=lambda each: each.start))


def _text(captures: Captures, source: Source) -> str:
    capture = captures.get(source)
    if capture is None or capture.status not in (Status.OK, Status.TRUNCATED):
        return ""
    return capture.data.decode("utf-8", "replace")
