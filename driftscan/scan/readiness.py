"""Whether first boot has settled: cloud-init has ended and systemd has finished starting.

cloud-init writes /run/cloud-init/status.json when it begins and result.json when it has ended (cloud-init docs,
"status"); `systemctl is-system-running` says initializing or starting until the boot's jobs are done (systemctl(1)).
A host that stays so for longer than the limit is judged as it is: it may be stuck on purpose.
"""

import time
from collections.abc import Callable

from driftscan.capture.base import Session
from driftscan.model.source import Captures, Command, File, Source, Status

PAUSE = 3.0
"""Seconds between two looks at a host whose first boot is awaited."""
LIMIT = 30 * 60
"""Seconds since boot after which a host no longer counts as settling."""

_STATUS = File("/run/cloud-init/status.json", max_bytes=1 << 16)
_RESULT = File("/run/cloud-init/result.json", max_bytes=1 << 16)
_UPTIME = File("/proc/uptime", max_bytes=256)
_INIT = File("/proc/1/stat", max_bytes=4096)
"""When the first process began: a container's boot, whose kernel has long been up (proc_pid_stat(5), field 22)."""
_TICKS = 100
"""In a second, on every Linux that is scanned (sysconf(3), _SC_CLK_TCK)."""
_RUNNING = Command(("systemctl", "is-system-running"), ok=(0, 1), timeout=10)
CLOCK = Command(("date", "-u", "+%Y-%m-%dT%H:%M:%SZ"), timeout=10)
"""The target's time, for a person to compare; no scan needs it."""
SOURCES: tuple[Source, ...] = (_STATUS, _RESULT, _UPTIME, _INIT, _RUNNING)


def settled(captures: Captures) -> bool:
    """Whether first boot is over, as far as can be seen; a target that is not running has no boot to wait for."""
    up = _seconds_up(captures)
    if up is None or up > LIMIT:
        return True
    begun = captures[_STATUS].status is Status.OK and captures[_RESULT].status is Status.ABSENT
    starting = captures[_RUNNING].data.strip() in (b"initializing", b"starting")
    return not (begun or starting)


def wait(session: Session, deadline: float, pause: Callable[[float], None] = time.sleep) -> None:
    """Wait until first boot is over, or until half of the time left to the deadline (of time.monotonic()) is: the other
    half is for the look."""
    end = (time.monotonic() + deadline) / 2
    while time.monotonic() < end and not settled(session.ask(SOURCES)):
        pause(PAUSE)


def _seconds_up(captures: Captures) -> float | None:
    try:
        uptime = float(captures[_UPTIME].data.split()[0])
    except (ValueError, IndexError):
        return None
    try:
        return uptime - int(captures[_INIT].data.rpartition(b")")[2].split()[19]) / _TICKS
    except (ValueError, IndexError):
        return uptime
