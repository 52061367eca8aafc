"""Whether first boot has settled."""

import time
from collections.abc import Sequence
from typing import cast

import pytest

from driftscan.capture.base import Session
from driftscan.model.source import Capture, Captures, Source, Status
from driftscan.scan import readiness

INIT = b"1 (systemd) S 0 1 1 0 -1 4194560 " + b"1 " * 12 + b"%d 1 1\n"
"""proc_pid_stat(5): field 22 is when the process began, in hundredths of a second after the kernel did."""


def captures(
    uptime: str, began: int = 5, *, status: bool = True, result: bool = False, state: str = "running"
) -> Captures:
    told = {
        "/run/cloud-init/status.json": b"{}" if status else None,
        "/run/cloud-init/result.json": b"{}" if result else None,
        "/proc/uptime": f"{uptime} 1.00\n".encode(),
        "/proc/1/stat": INIT % began,
        "systemctl is-system-running": state.encode(),
    }
    found = {str(source): source for source in readiness.SOURCES}
    assert found.keys() == told.keys()
    return Captures(
        [
            Capture(found[name], Status.OK if data is not None else Status.ABSENT, data or b"")
            for name, data in told.items()
        ]
    )


@pytest.mark.parametrize(
    ("given", "settled"),
    [
        (captures("60.1"), False),
        (captures("60.1", result=True), True),
        (captures("60.1", status=False), True),
        (captures("60.1", status=False, state="starting"), False),
        (captures("60.1", result=True, state="initializing"), False),
        (captures("1801.0"), True),
        (captures("90000.0", began=8_990_000), False),
        (captures("90000.0", began=8_800_000), True),
        (captures("unknown"), True),
    ],
)
def test_settled(given: Captures, *, settled: bool) -> None:
    assert readiness.settled(given) is settled


class Booting:
    """A session with a host that has settled at a certain look."""

    def __init__(self, looks: int) -> None:
        self.left = looks

    def ask(self, sources: Sequence[Source]) -> Captures:
        assert tuple(sources) == readiness.SOURCES
        self.left -= 1
        return captures("60.1", result=self.left <= 0)


def test_first_boot_is_waited_for_while_half_of_the_time_is_left() -> None:
    host, pauses = Booting(3), list[float]()
    readiness.wait(cast("Session", host), time.monotonic() + 1000, pauses.append)
    assert (host.left, len(pauses)) == (0, 2)
    host = Booting(3)
    readiness.wait(cast("Session", host), time.monotonic() - 1, pauses.append)
    assert (host.left, len(pauses)) == (3, 2)
