"""What is asked of a target beyond its facts: nothing where nothing differs, unless policy asks who logged in."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from driftscan.capture.base import TargetFacts
from driftscan.collectors import packages_dpkg
from driftscan.model.source import Capture, Captures, Source, Status
from driftscan.model.state import Visit
from driftscan.model.times import SECOND, utc
from driftscan.scan import logs
from driftscan.scan.evidence import gather
from tests.compare.building import manifest, snapshot

LOG = logs.FILES["/var/log/auth.log"]
KEY, OTHER = "SHA256:scanner", "SHA256:other"


NOTHING = Captures([Capture(packages_dpkg.STATUS, Status.ABSENT)])


@dataclass
class Target:
    """One whose logs tell of logins (seconds ago, user, key); its clock may be ahead, by seconds."""

    logins: Sequence[tuple[int, str, str]] = ()
    ahead: int = 0
    asked: list[Source] = field(default_factory=list)
    facts: TargetFacts = TargetFacts(live=True, privileged=True, hostname="h")
    converses: bool = True

    def ask(self, sources: Sequence[Source], known: Mapping[Source, str] | None = None) -> Captures:
        self.asked += sources
        now = time.time_ns() + self.ahead * SECOND
        lines = [
            f"{utc(now - ago * SECOND)} h sshd[{number}]: Accepted publickey for {user} from 192.0.2.7 port 5 ssh2:"
            f" ED25519 {key}\n"
            for number, (ago, user, key) in enumerate(self.logins)
        ]
        told: dict[Source, bytes] = {LOG: "".join(lines).encode(), logs.CLOCK: f"{now // SECOND} +0000\n".encode()}
        return Captures([Capture(each, Status.OK, told.get(each, b"")) for each in sources])

    def close(self) -> None:
        """Nothing runs."""


def visit(ago: int, user: str = "scan", key: str = KEY) -> Visit:
    now = time.time_ns()
    return Visit(now - (ago + 1) * SECOND, now - (ago - 5) * SECOND, user, key)


def looked(target: Target, *visits: Visit, since: int | None) -> tuple[list[tuple[str, str]], list[str]]:
    """(user, key) of the logins found, and the logs that are missing."""
    start = None if since is None else time.time_ns() - since * SECOND
    known, _ = gather(target, (), snapshot(), NOTHING, manifest(), visits=visits, logins_since=start)
    return [(each.user, each.key) for each in known.witness.logins], [each.log for each in known.witness.missing]


def test_a_clean_host_is_asked_only_where_policy_asks() -> None:
    target = Target([(5, "scan", KEY), (60, "alice", OTHER)])
    assert looked(target, visit(5), since=None) == ([], [])
    assert target.asked == []
    assert looked(target, visit(5), since=3600) == ([("alice", OTHER)], [])
    assert set(target.asked) >= set(logs.SOURCES)


@pytest.mark.parametrize("ahead", [0, 7200, -7200])
def test_the_scanners_own_are_no_finding_and_those_of_others_are(ahead: int) -> None:
    """Also with the very key of the scanner, at another time; and not those into the image, before it was baked."""
    logins = [(5, "scan", KEY), (500, "scan", KEY), (1000, "scan", KEY), (60, "alice", OTHER), (9000, "bake", OTHER)]
    found, missing = looked(Target(logins, ahead), visit(1000), visit(5), since=3600)
    assert sorted(found) == [("alice", OTHER), ("scan", KEY)]
    assert missing == []


def test_logs_that_do_not_tell_of_the_scan_tell_of_nobody() -> None:
    assert looked(Target(), visit(5), since=3600) == ([], ["logins"])
    assert looked(Target([(400, "scan", KEY)]), visit(5), since=3600) == ([("scan", KEY)], ["logins"])
    of_the_last_scan = Target([(7, "scan", KEY)])
    assert looked(of_the_last_scan, visit(7), visit(5), since=3600) == ([], ["logins"])


def test_a_scan_of_this_machine_is_no_login() -> None:
    here = visit(5, "", "")
    assert looked(Target(), here, since=3600) == ([], ["logins"])
    assert looked(Target([(60, "alice", OTHER)]), here, since=3600) == ([("alice", OTHER)], [])
