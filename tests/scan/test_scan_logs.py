"""What the logs of a target say: its clock's zone, whatever a host calls it, and which logins had a terminal."""

import struct

import pytest

from driftscan.model.source import Capture, Captures, Source, Status
from driftscan.model.times import SECOND, nanoseconds, utc
from driftscan.scan.logs import CLOCK, FILES, SOURCES, WTMP, clock, read
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


def record(kind: int, at: int, user: str = "", host: str = "") -> bytes:
    """As glibc writes it on amd64: utmp(5)."""
    return struct.pack(
        "<h2xi32s4s32s256shhiii16s20x",
        *(kind, 1, b"pts/0", b"", user.encode(), host.encode(), 0, 0, 0, at // SECOND, 0, b""),
    )


BOOT = record(2, NOON - 600 * SECOND, "reboot", "6.1.0-28-amd64")
ACCEPTED = "2026-11-26T12:00:00Z h sshd[7]: Accepted publickey for {} from 192.0.2.7 port 5 ssh2: ED25519 SHA256:a\n"
CLOSED = "2026-11-26T12:05:00Z h sshd[7]: pam_unix(sshd:session): session closed for user {}\n"


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([BOOT, record(7, NOON, "alice", "192.0.2.7")], True),
        ([BOOT, record(7, NOON + 200 * SECOND, "alice", "192.0.2.7")], True),  # a second channel, later
        ([BOOT, record(7, NOON, "alice", "desk.example")], True),
        ([BOOT], False),
        ([BOOT, record(8, NOON, "alice", "192.0.2.7")], False),
        ([BOOT, record(7, NOON, "bob", "192.0.2.7")], False),
        ([BOOT, record(7, NOON, "alice", "192.0.2.99")], False),
        ([BOOT, record(7, NOON - 60 * SECOND, "alice", "192.0.2.7")], False),
        ([BOOT, record(7, NOON + 400 * SECOND, "alice", "192.0.2.7")], False),
        ([], None),  # there is no wtmp
        ([record(7, NOON + 3600 * SECOND, "alice", "192.0.2.7")], None),  # it begins later
        ([BOOT[:200]], None),
    ],
)
def test_a_login_with_a_terminal(records: list[bytes], expected: bool | None) -> None:
    text = ACCEPTED.format("alice") + CLOSED.format("alice")
    told: dict[Source, bytes] = {
        FILES["/var/log/auth.log"]: text.encode(),
        WTMP: b"".join(records),
        CLOCK: WINTER.encode(),
    }
    captures = Captures([Capture(source, Status.OK, told.get(source, b"")) for source in SOURCES])
    (session,) = read(captures, resources([])).sessions
    assert session.terminal is expected
