"""Lines of logs as acts and sessions. `logs/` was recorded on a Debian 12 host of the test bed: alice logs in by key,
works with sudo, and opens a root shell; auth.log is rsyslog's, journal.json journalctl's with the same events."""

from datetime import timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.compare.logs import Entry, journal, lines, witness
from driftscan.compare.witness import Act, Deed, Session, Witness
from driftscan.model.state import Visit
from driftscan.model.times import SECOND, nanoseconds, utc

LOGS = Path(__file__).parent / "logs"
NOW = nanoseconds("2026-11-26T05:00:00Z")
KEY = "SHA256:qxOTM8V61mAqDEqVyVXXlXsSN8MTaXotr2XKwAtE0ww"


def from_file() -> list[Entry]:
    return list(lines((LOGS / "auth.log").read_text(), "auth.log", now=NOW))


def from_journal() -> list[Entry]:
    return list(journal((LOGS / "journal.json").read_text()))


def said(message: str, program: str = "sudo", at: str = "2026-11-26T04:00:00Z") -> Witness:
    return witness([Entry(nanoseconds(at), program, 7, message, "auth.log")])


@pytest.mark.parametrize("entries", [from_file(), from_journal(), [*from_file(), *from_journal()]])
def test_the_same_from_the_file_from_the_journal_and_from_both(entries: list[Entry]) -> None:
    found = witness(entries)
    commands = [act.command for act in found.acts if act.deed is Deed.COMMAND and act.actor == "alice"]
    assert "/usr/sbin/useradd mallory" in commands
    assert "/usr/bin/sh -c 'echo 10.0.0.1 evil >> /etc/hosts'" in commands
    assert len(commands) == len(set(commands))
    accounts = [(act.command, sorted(act.names)) for act in found.acts if act.deed is Deed.ACCOUNT]
    assert ("useradd", ["mallory"]) in accounts
    assert ("gpasswd", ["mallory", "sudo"]) in accounts
    first, second = (each for each in found.sessions if each.user == "alice")
    assert (first.address, first.key) == ("10.204.7.1", KEY)
    assert utc(first.opened) == "2026-11-26T04:38:34Z"
    assert utc(first.closed) == "2026-11-26T04:38:35Z"
    assert second.opened > first.closed


def test_times_without_a_year_are_of_the_last_twelve_months() -> None:
    text = "Dec 31 23:59:58 h sudo:  a : PWD=/ ; USER=root ; COMMAND=/bin/true\nJan  2 00:00:00 h sudo: x"
    found = list(lines(text, "auth.log", now=nanoseconds("2027-01-02T00:00:00Z"), zone=timezone(timedelta(hours=1))))
    assert [utc(entry.at) for entry in found] == ["2026-12-31T22:59:58Z", "2027-01-01T23:00:00Z"]


@pytest.mark.parametrize(
    ("message", "act"),
    [
        ("  bob : TTY=pts/0 ; PWD=/root ; USER=root ; COMMAND=/bin/bash", ("bob", Deed.SHELL, "/bin/bash", "/root")),
        ("  bob : PWD=/a ; b ; USER=root ; ENV=X=1 ; COMMAND=/bin/ls ; x", ("bob", Deed.COMMAND, "/bin/ls ; x", "/a")),
        ("  bob : command not allowed ; PWD=/ ; USER=root ; COMMAND=/bin/ls", None),
        ("  bob : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/ls", None),
        ("pam_unix(sudo:session): session opened for user root(uid=0) by (uid=1001)", None),
        ("  bob : " + " ; A=" * 800, None),
    ],
)
def test_what_sudo_says(message: str, act: tuple[str, Deed, str, str] | None) -> None:
    found = [(each.actor, each.deed, each.command, each.directory) for each in said(message).acts]
    assert found == ([act] if act else [])


@pytest.mark.parametrize(
    ("program", "message", "actor", "command", "names"),
    [
        ("su", "(to root) bob on pts/1", "bob", "su root", set()),
        ("CRON", "(root) CMD (/opt/job --all)", "cron of root", "/opt/job --all", set()),
        (
            "crontab",
            "(bob) REPLACE (bob)",
            "bob",
            "crontab /var/spool/cron/crontabs/bob",
            {"/var/spool/cron/crontabs/bob"},
        ),
        ("usermod", "add 'eve' to group 'sudo'", "", "usermod", {"eve", "sudo"}),
        ("userdel", "delete user 'eve'", "", "userdel", {"eve"}),
        ("passwd", "pam_unix(passwd:chauthtok): password changed for eve", "", "passwd", {"eve"}),
        ("gpasswd", "user eve added by bob to group sudo", "bob", "gpasswd", {"eve", "sudo"}),
    ],
)
def test_what_others_say(program: str, message: str, actor: str, command: str, names: set[str]) -> None:
    (act,) = said(message, program).acts
    assert (act.actor, act.command, set(act.names)) == (actor, command, names)


def test_two_that_leave_at_once_have_both_left() -> None:
    start = nanoseconds("2026-11-26T04:00:00Z")
    told = [
        Entry(start + at, "sshd", pid, message, log)
        for log in ("journal", "auth.log")
        for at, pid, message in (
            (0, 7, "Accepted publickey for bob from 192.0.2.1 port 5 ssh2: ED25519 SHA256:a"),
            (1, 8, "Accepted publickey for bob from 192.0.2.1 port 6 ssh2: ED25519 SHA256:a"),
            (SECOND, 7, "pam_unix(sshd:session): session closed for user bob"),
            (SECOND + 1, 8, "pam_unix(sshd:session): session closed for user bob"),
        )
    ]
    found = witness(told).sessions
    assert [each.closed > 0 for each in found] == [True, True]


def test_a_login_whose_end_is_not_told_is_open() -> None:
    found = said(f"Accepted publickey for bob from 192.0.2.1 port 5 ssh2: ED25519 {KEY}", "sshd")
    assert found.sessions == (
        Session(user="bob", opened=nanoseconds("2026-11-26T04:00:00Z"), address="192.0.2.1", key=KEY),
    )


@given(st.text(), st.text())
def test_whatever_a_log_holds_it_is_read(text: str, message: str) -> None:
    list(lines(text, "auth.log", now=NOW))
    list(journal(text))
    for program in ("sudo", "sshd", "su", "CRON", "useradd"):
        said(message, program)


def test_a_line_made_to_be_slow_is_read_all_the_same() -> None:
    """An expression that tries all ways to divide such a line would not end in years."""
    assert said("  a : " + " ; A=" * 1000 + " ; COMMAND", "sudo").acts == ()
    assert said("new user: nam" * 300, "useradd").acts == ()
    assert said("Accepted a for b from c port 1 ssh2: " + "SHA256:" * 500, "sshd").sessions[0].user == "b"


def session(at: int, user: str = "scanner", key: str = KEY) -> Session:
    return Session(user=user, opened=at, closed=at + SECOND, key=key)


def test_the_scanners_own_logins_are_left_out_and_no_others() -> None:
    start = NOW - 100 * SECOND
    visit = Visit(start, start + 10 * SECOND, "scanner", KEY)
    own = session(start + SECOND // 2)
    other_time, other_key = session(start + 60 * SECOND), session(start + SECOND, key="SHA256:other")
    other_user, twice = session(start + SECOND, user="root"), session(start + 2 * SECOND)
    found = Witness(sessions=(own, other_time, other_key, other_user, twice)).without([visit])
    assert found.sessions == (other_time, other_key, other_user, twice)


def test_of_two_the_one_that_was_opened_when_the_visit_began_is_the_scanners() -> None:
    visit = Visit(NOW, NOW + 10 * SECOND, "scanner", KEY)
    just_before, own, later = session(NOW - 2 * SECOND), session(NOW + SECOND // 4), session(NOW + 6 * SECOND)
    assert Witness(sessions=(just_before, own, later)).without([visit]).sessions == (just_before, later)


def test_a_host_whose_clock_is_ahead() -> None:
    visit = Visit(NOW, NOW + SECOND, "scanner", KEY)
    late = session(NOW + 3600 * SECOND)
    assert Witness(sessions=(late,)).without([visit]).sessions == (late,)
    assert Witness(sessions=(late,)).without([visit], 3600 * SECOND).sessions == ()


def test_acts_are_in_order() -> None:
    acts = witness([*from_journal(), *from_file()]).acts
    assert list(acts) == sorted(acts, key=lambda act: act.at)
    assert all(isinstance(act, Act) for act in acts)
