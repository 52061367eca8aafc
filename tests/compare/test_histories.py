"""What dpkg and dnf log of their runs.

`logs/dnf.rpm.log` and the commands of `logs/dnf.commands` were recorded with dnf 4.14 (small packages of a repository
of its own; options that named its place are taken out of the command lines), `logs/dpkg.log` with dpkg 1.21 on a Debian
12 host of the test bed. `EL9` are lines of a RHEL 9 host as public notes of a course show them.
"""

from datetime import timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.compare import dnf_history, dpkg_log, fold
from driftscan.compare.attribute import attribute
from driftscan.compare.evidence import Evidence
from driftscan.compare.transaction import Item, Transaction
from driftscan.compare.witness import Act, Deed, Witness
from driftscan.model.drift import Grade
from driftscan.model.times import nanoseconds
from tests.compare.building import added, modified, thing

LOGS = Path(__file__).parent / "logs"
PACKAGES, COMMANDS = (LOGS / "dnf.rpm.log").read_text(), (LOGS / "dnf.commands").read_text()
DPKG = (LOGS / "dpkg.log").read_text()
EL9 = """\
2022-03-23T16:46:43-0400 SUBDEBUG Installed: python-srpm-macros-3.9-52.el9.noarch
2022-03-23T16:46:44-0400 SUBDEBUG Installed: rpm-build-4.16.1.3-11.el9.x86_64
"""


def test_the_runs_of_dnf() -> None:
    install, upgrade, downgrade, reinstall, remove = dnf_history.parse(PACKAGES, COMMANDS)
    assert (install.log, install.start, install.command) == (
        "dnf.rpm.log", "2026-11-26T07:27:45Z", "dnf -y install tool other",
    )  # fmt: skip
    assert install.install == (
        Item("tool-libs", "x86_64", "", "1:1.0-1.el9", automatic=True),
        Item("tool", "noarch", "", "1.0-1.el9"),
        Item("other", "noarch", "", "1.0-1.el9"),
    )
    assert (upgrade.command, upgrade.start) == ("dnf -y --refresh upgrade", "2026-11-26T07:27:48Z")
    assert upgrade.upgrade == (
        Item("tool-libs", "x86_64", "1:1.0-1.el9", "1:1.1-1.el9"),
        Item("tool", "noarch", "1.0-1.el9", "1.1-1.el9"),
    )
    assert downgrade.downgrade == (Item("tool-libs", "x86_64", "1:1.1-1.el9", "1:1.0-1.el9"),)
    assert reinstall.reinstall == (Item("other", "noarch", "1.0-1.el9", "1.0-1.el9"),)
    assert remove.remove == (Item("other", "noarch", "1.0-1.el9"),)


def test_what_uses_dnf_as_a_library_logs_no_command_and_a_zone_is_heeded() -> None:
    (only,) = dnf_history.parse(EL9, COMMANDS)
    assert (only.start, only.end, only.command) == ("2022-03-23T20:46:43Z", "2022-03-23T20:46:44Z", "")
    assert only.install[1] == Item("rpm-build", "x86_64", "", "4.16.1.3-11.el9")


def test_a_command_that_changes_nothing_is_not_the_one() -> None:
    between = "2026-11-26T07:27:45+0000 DDEBUG Command: dnf makecache --timer \n"
    first = dnf_history.parse(PACKAGES, COMMANDS.partition("\n")[0] + "\n" + between)[0]
    assert first.command == "dnf -y install tool other"
    hours_before = COMMANDS.replace("T07:", "T05:")
    assert {run.command for run in dnf_history.parse(PACKAGES, hours_before)} == {""}


def test_an_upgrade_by_dnf_is_one_mutation_with_its_command_and_who_ran_it() -> None:
    history = dnf_history.parse(PACKAGES, COMMANDS)[:2]
    ran = Act(
        at=nanoseconds("2026-11-26T07:27:47Z"),
        deed=Deed.COMMAND,
        actor="alice",
        command="/usr/bin/dnf upgrade",
        line="x",
    )
    evidence = Evidence(history=history, package_system="rpm", witness=Witness((ran,)))
    found = attribute(
        fold(
            [
                modified("package", "tool/noarch", version=("1.0-1.el9", "1.1-1.el9")),
                modified("package", "tool-libs/x86_64", version=("1:1.0-1.el9", "1:1.1-1.el9")),
            ],
            evidence,
        ),
        evidence,
    )
    (only,) = found
    assert (only.cause.type, only.explains) == ("package-upgraded", 2)
    assert (only.attribution.grade, only.attribution.actor) == (Grade.RECORDED, "alice")
    assert only.attribution.command == "dnf -y --refresh upgrade"
    assert only.attribution.evidence[0] == "dnf.rpm.log: begun 2026-11-26T07:27:48Z"


def test_the_runs_of_dpkg() -> None:
    runs = dpkg_log.parse(DPKG, timezone(timedelta(hours=1)))
    assert [(run.start, len(run.items), len(run.reinstall)) for run in runs] == [
        ("2026-11-26T06:30:34Z", 2, 0),
        ("2026-11-26T06:30:35Z", 1, 0),
        ("2026-11-26T06:30:37Z", 0, 1),
        ("2026-11-26T06:30:37Z", 1, 0),
        ("2026-11-26T06:30:38Z", 1, 0),
        ("2026-11-26T06:30:38Z", 1, 0),
    ]
    assert runs[0].install == (Item("one", "all", "", "1.0"), Item("two", "all", "", "1:1.0"))
    assert runs[1].upgrade == (Item("one", "all", "1.0", "2.0"),)
    assert runs[5].remove == (Item("two", "all", "1:1.0"),)


def test_what_dpkg_did_for_apt_is_apts() -> None:
    runs = dpkg_log.parse(DPKG)
    apt = Transaction(start="2026-11-26T07:30:34Z", end="2026-11-26T07:30:35Z")
    assert [run.start[-3:-1] for run in dpkg_log.besides(runs, [apt])] == ["38", "38"]
    assert list(dpkg_log.besides(runs, [Transaction()])) == list(runs)


def test_a_package_that_dpkg_alone_installed_is_told_by_whom_sudo_names() -> None:
    ran = Act(
        at=nanoseconds("2026-11-26T07:30:33Z"),
        deed=Deed.COMMAND,
        actor="bob",
        command="/usr/bin/dpkg -i one.deb",
        line="x",
    )
    evidence = Evidence(history=dpkg_log.parse(DPKG)[:1], witness=Witness((ran,)))
    (only,) = attribute(fold([added(thing("package", "one/all", version="1.0"))], evidence), evidence)
    given_to = only.attribution
    assert (given_to.grade, given_to.actor, given_to.command) == (Grade.RECORDED, "bob", "/usr/bin/dpkg -i one.deb")
    assert given_to.evidence[0] == "dpkg.log: begun 2026-11-26T07:30:34Z"


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-26T07:27:45+0000 SUBDEBUG Installed: nonsense",
        "2026-13-45T07:27:45+0000 SUBDEBUG Installed: a-1-1.noarch",
        "9999-99-99 99:99:99 install one:all <none> 1.0",
        "2026-11-26 07:30:34 install one <none> 1.0",
        "2026-11-26 07:30:34 install o\x1bne:all <none> 1.0",
    ],
)
def test_damaged_lines_cost_only_themselves(line: str) -> None:
    assert dnf_history.parse(f"{line}\n{PACKAGES}", COMMANDS)[-5:] == dnf_history.parse(PACKAGES, COMMANDS)
    assert sum(len(run.items) for run in dpkg_log.parse(f"{line}\n{DPKG}")[-6:]) >= 5


@given(st.text(max_size=400))
def test_no_text_is_an_error(text: str) -> None:
    dnf_history.parse(text, text)
    dpkg_log.parse(text, timezone(timedelta(hours=-23)))


def test_a_log_of_one_endless_run_stays_small() -> None:
    line = "2026-11-26T07:27:45+0000 SUBDEBUG Installed: {}-1-1.noarch\n"
    (only,) = dnf_history.parse("".join(line.format(f"p{n}") for n in range(60_000)), "")
    assert len(only.install) == dnf_history.MAX_LINES - 1
