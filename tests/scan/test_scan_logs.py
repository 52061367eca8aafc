"""What the logs of a target say: its clock's zone, whatever a host calls it, and which logins had a terminal."""

import json
import struct
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from driftscan.model.source import Capture, Captures, Source, Status
from driftscan.model.times import SECOND, nanoseconds, utc
from driftscan.scan.logs import CLOCK, FILES, JOURNAL, SOURCES, WTMP, clock, read
from tests.compare.building import file, link, resources

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


MOVED = nanoseconds("2026-11-26T11:50:00Z")


@pytest.mark.parametrize(
    ("zone", "offset", "written", "meant"),
    [
        ("America/New_York", "-0500", "11:49:59", "11:49:59"),  # before it was changed
        ("America/New_York", "-0500", "06:55:00", "11:55:00"),  # after
        ("America/New_York", "-0500", "01:00:00", "01:00:00"),  # no hour of it was shown twice
        ("Asia/Tokyo", "+0900", "11:49:59", "11:49:59"),
        ("Asia/Tokyo", "+0900", "20:55:00", "11:55:00"),
    ],
)
def test_a_zone_that_was_changed(zone: str, offset: str, written: str, meant: str) -> None:
    captures = Captures([Capture(CLOCK, Status.OK, f"{NOON // SECOND} {offset}\n".encode())])
    now = replace(link("/etc/localtime", f"../usr/share/zoneinfo/{zone}"), observed={"ctime": MOVED})
    baked = resources([link("/etc/localtime", "/usr/share/zoneinfo/Etc/UTC")])
    found = clock(captures, resources([now]), baked).zone
    told = datetime.fromisoformat(f"2026-11-26T{written}").replace(tzinfo=found)
    assert told.astimezone(UTC) == datetime.fromisoformat(f"2026-11-26T{meant}+00:00")


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


KEPT = "2026-11-26T13:53:17.123284+00:00 h3 sshd[446]: pam_unix(sshd:session): session closed for user root\n"
AFTER = "2026-11-26T13:54:00.506517+00:00 h3 sshd[340]: Connection reset by 10.204.70.1 port 60608\n"
DOWN = ("1795701201783321", "94", "Received signal 15; terminating.")
SUDO = ("1795701201700000", "444", "pam_unix(sudo:session): session closed for user root")
KEY = ("1795701201700000", "450", "Accepted publickey for root from 192.0.2.7 port 5 ssh2: ED25519 SHA256:a")


@pytest.mark.parametrize(
    ("journaled", "missing"),
    [
        ((DOWN,), []),  # a Debian 12 host that was shut down in order
        ((SUDO, DOWN), []),  # by `sudo reboot`
        ((SUDO,), ["1 entries that the journal has are not in it"]),
        ((KEY, SUDO, DOWN), ["1 entries that the journal has are not in it"]),
    ],
)
def test_what_ends_while_a_machine_is_shut_down_was_taken_from_no_log(
    journaled: tuple[tuple[str, str, str], ...], missing: list[str]
) -> None:
    rows = [
        {
            "__REALTIME_TIMESTAMP": at,
            "_PID": pid,
            "SYSLOG_IDENTIFIER": "sudo" if "sudo" in said else "sshd",
            "MESSAGE": said,
        }
        for at, pid, said in journaled
    ]
    told: dict[Source, bytes] = {
        FILES["/var/log/auth.log"]: (KEPT + AFTER).encode(),
        JOURNAL: "\n".join(map(json.dumps, rows)).encode(),
        CLOCK: b"1795703000 +0000\n",
    }
    captures = Captures([Capture(source, Status.OK, told.get(source, b"")) for source in SOURCES])
    assert [each.why for each in read(captures, resources([file("/var/log/auth.log")])).missing] == missing
