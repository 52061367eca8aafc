"""What the logs of a target say of its clock: the zone, whatever a host calls it."""

import pytest

from driftscan.model.source import Capture, Captures, Status
from driftscan.model.times import SECOND, nanoseconds, utc
from driftscan.scan.logs import CLOCK, clock
from tests.compare.building import link, resources

NOON = nanoseconds("2026-11-26T12:00:00Z")
WINTER = f"{NOON // SECOND} +0100\n"


@pytest.mark.parametrize(
    ("shown", "target", "name"),
    [
        (WINTER, "/usr/share/zoneinfo/Europe/Berlin", "Europe/Berlin"),
        (WINTER, "../usr/share/zoneinfo/Europe/Berlin", "Europe/Berlin"),
        (WINTER, "/usr/share/zoneinfo/America/New_York", "UTC+01:00"),  # it does not agree with the clock
        (WINTER, "/usr/share/zoneinfo/tzdata.zi", "UTC+01:00"),
        (WINTER, "/usr/share/zoneinfo/Europe", "UTC+01:00"),
        (WINTER, "/usr/share/zoneinfo/No/Such", "UTC+01:00"),
        (WINTER, "/usr/share/zoneinfo/../../../etc/passwd", "UTC+01:00"),
        (WINTER, "", "UTC+01:00"),
        (WINTER.replace("+0100", "-9999"), "", "UTC"),
    ],
)
def test_zone(shown: str, target: str, name: str) -> None:
    captures = Captures([Capture(CLOCK, Status.OK, shown.encode())])
    found = clock(captures, resources([link("/etc/localtime", target)] if target else []))
    assert utc(found.now) == "2026-11-26T12:00:00Z"
    assert str(found.zone) == name
