"""What becomes of hand fixes when an image replaces the hosts that have them."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from driftscan.compare.build_lines import build_lines
from driftscan.compare.carried import Candidate, Sighting, fate_of, hand_fixes
from driftscan.compare.fold import fold
from driftscan.compare.identities import shared_identities
from driftscan.model.drift import Attribution, Change, Delta, Difference, Grade, Mutation
from driftscan.model.gate import Fate, HandFix
from driftscan.model.names import encode_name
from driftscan.model.resource import Resource
from driftscan.model.snapshot import CollectorCoverage, CollectorStatus, Reference
from tests.compare.building import A, B, C, added, coverage, file, gap, link, modified, removed, snapshot, thing
from tests.reports.samples import HOSTILE

CURL = modified("package", "curl/amd64", version=("7.1", "7.3"))


def candidate(*items: Resource, rpm: bool = False, **more: object) -> Candidate:
    return Candidate(snapshot(*items, **more), rpm=rpm)  # type: ignore[arg-type]


def one(*differences: Difference) -> Mutation:
    (mutation,) = fold(differences)
    return mutation


def curl(version: str, key: str = "curl/amd64", **more: str) -> Resource:
    return thing("package", key, version=version, status=more.get("status", "installed"))


@pytest.mark.parametrize(
    ("has", "fate"),
    [
        ([curl("7.3")], Fate.CONTAINED),
        ([curl("7.10")], Fate.CONTAINED),
        ([curl("7.1")], Fate.LOST),
        ([curl("7.2")], Fate.OTHER),
        ([curl("7.0")], Fate.OTHER),
        ([], Fate.OTHER),
        ([curl("7.3", status="config-files")], Fate.OTHER),
        ([curl("7.1", "curl/amd64@7.1"), curl("7.3", "curl/amd64@7.3")], Fate.CONTAINED),
    ],
)
def test_an_upgrade_by_hand(has: list[Resource], fate: Fate) -> None:
    assert fate_of(one(CURL), candidate(*has))[0] is fate


@pytest.mark.parametrize(
    ("has", "fate"),
    [("7.1", Fate.CONTAINED), ("7.3", Fate.LOST), ("7.4", Fate.OTHER), ("7.0", Fate.OTHER)],
)
def test_a_newer_version_does_not_contain_a_downgrade_by_hand(has: str, fate: Fate) -> None:
    down = modified("package", "curl/amd64", version=("7.3", "7.1"))
    assert fate_of(one(down), candidate(curl(has)))[0] is fate


@pytest.mark.parametrize(
    ("has", "fate"),
    [([curl("1.0")], Fate.CONTAINED), ([curl("1.1")], Fate.CONTAINED), ([curl("0.9")], Fate.OTHER), ([], Fate.LOST)],
)
def test_a_package_installed_by_hand(has: list[Resource], fate: Fate) -> None:
    assert fate_of(one(added(curl("1.0"))), candidate(*has))[0] is fate


@pytest.mark.parametrize(("has", "fate"), [([], Fate.CONTAINED), ([curl("1.0")], Fate.LOST)])
def test_a_package_removed_by_hand(has: list[Resource], fate: Fate) -> None:
    assert fate_of(one(removed(curl("1.0"))), candidate(*has))[0] is fate


def test_versions_of_rpm_are_in_the_order_of_rpm() -> None:
    fix = one(modified("package", "x/x86_64", version=("1.0-1", "1.0^git1-1")))
    assert fate_of(fix, candidate(thing("package", "x/x86_64", version="1.0^git2-1"), rpm=True))[0] is Fate.CONTAINED


def test_of_an_operation_the_packages_are_asked_not_their_files() -> None:
    with_files = one(CURL, modified("file", "/var/lib/dpkg/status", sha256=(A, B)))
    fate, parts = fate_of(with_files, candidate(curl("7.3"), file("/var/lib/dpkg/status", sha256=C)))
    assert (fate, [part.difference.key for part in parts]) == (Fate.CONTAINED, ["curl/amd64"])


@pytest.mark.parametrize(
    ("has", "fate"),
    [
        ([file("/etc/x", sha256=B)], Fate.CONTAINED),
        ([file("/etc/x", sha256=B, size=999)], Fate.CONTAINED),
        ([file("/etc/x", sha256=A)], Fate.LOST),
        ([file("/etc/x", sha256=C)], Fate.OTHER),
        ([link("/etc/x", "y")], Fate.OTHER),
        ([thing("file", "/etc/x", type="regular")], Fate.UNSEEN),
        ([], Fate.OTHER),
    ],
)
def test_a_file_changed_by_hand(has: list[Resource], fate: Fate) -> None:
    assert fate_of(one(modified("file", "/etc/x", sha256=(A, B), size=(1, 2))), candidate(*has))[0] is fate


@pytest.mark.parametrize(
    ("has", "fate"),
    [([file("/etc/x")], Fate.CONTAINED), ([file("/etc/x", mode="0600")], Fate.OTHER), ([], Fate.LOST)],
)
def test_a_file_added_by_hand(has: list[Resource], fate: Fate) -> None:
    assert fate_of(one(added(file("/etc/x"))), candidate(*has))[0] is fate


@pytest.mark.parametrize(
    ("has", "fate"),
    [([file("/etc/x")], Fate.LOST), ([file("/etc/x", sha256=C)], Fate.OTHER), ([], Fate.CONTAINED)],
)
def test_a_file_removed_by_hand(has: list[Resource], fate: Fate) -> None:
    assert fate_of(one(removed(file("/etc/x"))), candidate(*has))[0] is fate


def test_two_attributes_one_of_them_carried_is_partly() -> None:
    fix = one(modified("service", "a.service", unit_file_state=("enabled", "disabled"), user=("", "app")))
    has = thing("service", "a.service", unit_file_state="disabled", user="")
    assert fate_of(fix, candidate(has))[0] is Fate.PARTLY


def test_what_the_candidate_cannot_tell_is_unseen_and_not_lost() -> None:
    fix = one(modified("sysctl", "vm.swappiness", current_value=("60", "10"), config_value=(None, "10")))
    blind = (CollectorCoverage("files", 1, ("file",), CollectorStatus.COMPLETE),)
    assert fate_of(fix, candidate(covered=blind))[0] is Fate.UNSEEN
    hidden = candidate(covered=coverage(gaps=[gap("sysctl:vm.*")]))
    assert fate_of(fix, hidden)[0] is Fate.UNSEEN
    not_running = candidate(thing("sysctl", "vm.swappiness", config_value="10"))
    assert fate_of(fix, not_running)[0] is Fate.CONTAINED


def test_the_files_of_all_accounts_say_nothing_of_one() -> None:
    eve = thing("user", "eve", uid=1500, directory="/home/eve", shell="/bin/sh")
    fix = one(added(eve), modified("file", "/etc/subuid", sha256=(A, B)))
    assert fate_of(fix, candidate(eve, file("/etc/subuid", sha256=C)))[0] is Fate.CONTAINED


def sighting(host: str, mutation: Mutation) -> Sighting:
    return Sighting(host=host, mutation=mutation, action="replace")


def names(fixes: Sequence[HandFix]) -> list[tuple[Fate, tuple[str, ...]]]:
    return [(fix.fate, fix.hosts) for fix in fixes]


def test_one_fix_on_many_hosts_is_one_and_other_content_is_another() -> None:
    three, six = (one(modified("sshd_setting", "maxauthtries", value=("6", value))) for value in ("3", "4"))
    assert three.id == six.id
    seen = [*(sighting(f"web-{n}", three) for n in range(3)), sighting("db-1", six)]
    image = candidate(thing("sshd_setting", "maxauthtries", value="4"))
    assert names(hand_fixes(seen, image)) == [(Fate.OTHER, ("web-0", "web-1", "web-2")), (Fate.CONTAINED, ("db-1",))]


def test_what_would_be_lost_comes_first() -> None:
    seen = [sighting("a", one(CURL)), sighting("a", one(added(file("/etc/x")))), sighting("b", one(CURL))]
    assert [fix.fate for fix in hand_fixes(seen, candidate(curl("7.3")))] == [Fate.LOST, Fate.CONTAINED]


def test_who_did_it_on_any_host_is_told() -> None:
    mutation = one(CURL)
    by = [replace(mutation, attribution=Attribution(Grade.RECORDED, actor)) for actor in ("eve", None, "bob")]
    (fix,) = hand_fixes([sighting(f"h{n}", each) for n, each in enumerate(by)], candidate())
    assert fix.actors == ("bob", "eve")


def test_a_shared_identity_is_no_hand_fix() -> None:
    own = {"file:/etc/machine-id": A}
    (shared,) = shared_identities(own, [Reference(host="ref", taken_at="", identities=own)], {})
    assert hand_fixes([sighting("a", shared)], candidate()) == ()


@pytest.mark.parametrize(
    ("item", "lines"),
    [
        (CURL, ("apt-get install -y -- curl=7.3",)),
        (removed(curl("1")), ("apt-get remove -y -- curl",)),
        (modified("sysctl", "vm.x", current_value=("1", "2")), ("echo 'vm.x = 2' >> /etc/sysctl.d/60-image.conf",)),
        (modified("service", "a.timer", unit_file_state=("enabled", "masked")), ("systemctl mask -- a.timer",)),
        (modified("service", "a.timer", user=("", "b")), ()),
        (
            added(thing("user", "eve", uid=1500, directory="/home/eve", shell="/bin/sh")),
            ("useradd --uid 1500 --home-dir /home/eve --shell /bin/sh -- eve",),
        ),
        (removed(thing("user", "eve")), ("userdel -- eve",)),
        (added(thing("group", "eve", gid=1500)), ("groupadd --gid 1500 -- eve",)),
        (removed(thing("group", "eve")), ("groupdel -- eve",)),
        (added(link("/etc/l", "../x")), ("ln -sfn -- ../x /etc/l",)),
        (removed(file("/etc/x")), ("rm -f -- /etc/x",)),
        (modified("file", "/etc/x", mode=("0644", "0600"), uid=(0, 7)), ("chmod 0600 -- /etc/x", "chown 7 -- /etc/x")),
        (
            modified("file", "/etc/x", sha256=(A, B)),
            (f"# /etc/x: take its content from a host that has it; sha256 {B}",),
        ),
        (modified("mount", "/srv", options=("a", "b")), ()),
    ],
)
def test_what_the_build_would_have_to_do(item: Difference, lines: tuple[str, ...]) -> None:
    assert build_lines([item]) == lines


def test_what_rpm_and_a_unit_s_command_do() -> None:
    assert build_lines([CURL], rpm=True) == ("dnf install -y -- curl-7.3",)
    row = modified("service", "a.service", unit_file_state=("disabled", "enabled"))
    wanted = added(link("/etc/systemd/system/multi-user.target.wants/a.service", "/usr/lib/systemd/system/a.service"))
    assert build_lines([wanted, row]) == ("systemctl enable -- a.service",)


@pytest.mark.parametrize("name", [*HOSTILE, b"$(touch x)", b"'; touch x; '", b"-rf", b"a b"])
def test_no_name_or_value_of_a_host_is_run(name: bytes, tmp_path: Path) -> None:
    key = encode_name(name)
    value = name.decode("utf-8", "surrogateescape")
    items = [
        Difference(
            kind=kind,
            key=key,
            change=change,
            attributes={
                each: Delta(None, value)
                for each in ("version", "current_value", "directory", "shell", "uid", "gid", "target", "mode", "sha256")
            },
        )
        for kind in ("package", "sysctl", "service", "user", "group", "file")
        for change in (Change.ADDED, Change.MODIFIED, Change.REMOVED)
    ]
    tools = "apt-get systemctl useradd userdel groupadd groupdel ln rm rmdir mkdir chmod chown echo touch"
    functions = "\n".join(f"{tool}() {{ :; }}" for tool in tools.split() if tool != "touch")
    for item in items:
        for line in build_lines([item]):
            assert line.isprintable()
            safe = line.replace(">> /etc/sysctl.d/60-image.conf", ">> out")
            script = f"{functions}\n{safe}\n"
            subprocess.run(
                [shutil.which("bash") or "bash", "-c", script], cwd=tmp_path, check=True, capture_output=True
            )
    assert not [entry for entry in os.listdir(tmp_path) if entry != "out"]
