"""What a birth accepts beside what user data declare, and why it is in doubt."""

from collections.abc import Sequence

import pytest

from driftscan.compare.diff import diff
from driftscan.compare.mutation import make
from driftscan.errors import IncompleteError
from driftscan.model.birth import Birth, Ground
from driftscan.model.drift import Attribution, CauseType, Grade, Mutation
from driftscan.model.matching import Matcher
from driftscan.model.resource import Resource
from driftscan.model.times import SECOND, utc
from driftscan.scan.birth import LATE, _doubts, _of_commands, _of_packages, _unread, check
from driftscan.scan.born import reference
from driftscan.scan.launch import Launch
from driftscan.scan.logs import Clock
from tests.compare import building
from tests.compare.building import added, directory, file, thing

ENDED = 1_764_140_000 * SECOND
INPUTS = Launch(digest="u" * 64, ended=ENDED, packages=("jq", "nginx=1.22"), commands=True)
APT = "apt-get --option=Dpkg::Options::=--force-confold --assume-yes --quiet"


def operation(command: str, at: int = ENDED - SECOND, grade: Grade = Grade.RECORDED) -> Mutation:
    told = Attribution(grade, "root", command, utc(at))
    return make(CauseType.PACKAGE_INSTALLED, "jq", "jq", [added(thing("package", "jq/amd64"))], attribution=told)


@pytest.mark.parametrize(
    ("mutation", "asked"),
    [
        (operation(f"{APT} install jq"), True),
        (operation(f"/usr/bin/{APT} install jq nginx=1.22"), True),
        (operation(f"{APT} install jq socat"), False),
        (operation(f"{APT} install"), False),
        (operation(f"{APT} remove jq"), False),
        (operation(f"{APT} dist-upgrade"), False),
        (operation(f"{APT} install jq", at=ENDED + 3600 * SECOND), False),
        (operation(f"{APT} install jq", grade=Grade.CONSISTENT), False),
        (operation("dpkg -i install jq"), False),
        (operation(f"{APT} install 'jq"), False),
    ],
)
def test_a_package_operation_is_the_one_that_user_data_ask_for(mutation: Mutation, *, asked: bool) -> None:
    assert _of_packages(mutation, INPUTS) is asked


def test_an_upgrade_is_accepted_where_user_data_ask_for_one() -> None:
    assert _of_packages(operation(f"{APT} dist-upgrade"), Launch(ended=ENDED, upgrade=True))


def made(*items: Resource) -> tuple[Mutation, Sequence[Resource]]:
    return make(CauseType.FILE_ADDED, "x", "x", [added(item) for item in items]), items


def when(path: str, seconds: int = -1, **more: str) -> Resource:
    return file(path, {"ctime": ENDED + seconds * SECOND}, **more)


@pytest.mark.parametrize(
    ("items", "harmless"),
    [
        ([when("/srv/app/data")], True),
        ([when("/srv/app/data"), when("/srv/app/late", seconds=600)], False),
        ([file("/srv/unseen")], False),
        ([when("/srv/app/run", mode="0755")], False),
        ([when("/etc/systemd/system/x.service")], False),
        ([when("/etc/sudoers.d/x")], False),
        ([when("/etc/ld.so.preload")], False),
        ([when("/home/deploy/.ssh/authorized_keys")], False),
        ([when("/srv/app/lib.so")], False),
        ([thing("listen", "tcp/0.0.0.0:80")], False),
        ([directory("/srv/app")], False),
    ],
)
def test_commands_of_user_data_account_for_harmless_files_of_first_boot_alone(
    items: list[Resource], *, harmless: bool
) -> None:
    mutation, resources = made(*items)
    taken = building.snapshot(*resources)
    assert _of_commands(mutation, INPUTS, taken) is harmless
    assert not _of_commands(mutation, Launch(ended=ENDED), taken)
    assert not _of_commands(mutation, Launch(commands=True), taken)


@pytest.mark.parametrize(
    ("inputs", "clock", "doubt"),
    [
        (INPUTS, Clock(now=ENDED + 60 * SECOND), ""),
        (INPUTS, Clock(now=ENDED + (LATE + 1) * SECOND), "taken late, 1 hour after first boot had ended"),
        (INPUTS, Clock(now=ENDED + 3 * 86400 * SECOND), "taken late, 3 days after first boot had ended"),
        (Launch(), Clock(now=ENDED + 7200 * SECOND, booted=ENDED), "taken late, 2 hours after the host was booted"),
        (Launch(), Clock(now=ENDED), "when first boot had ended is not known"),
        (
            Launch(unread="user data could not be read: x"),
            Clock(now=ENDED, booted=ENDED),
            "user data could not be read: x",
        ),
    ],
)
def test_doubts(inputs: Launch, clock: Clock, doubt: str) -> None:
    told = list(_doubts(inputs, clock, inputs.ended or clock.booted))
    assert [each.partition(":")[0] for each in told] == ([doubt.partition(":")[0]] if doubt else [])


def test_what_is_not_wholly_seen_is_not_born() -> None:
    manifest = building.manifest(file("/etc/a"), thing("user", "a"))
    hidden = building.snapshot(file("/etc/a"), covered=building.coverage(gaps=[building.gap("user:a")]))
    with pytest.raises(IncompleteError, match="user a"):
        check(hidden, diff(manifest, hidden))
    whole = building.snapshot(file("/etc/a"), thing("user", "a"))
    check(whole, diff(manifest, whole))


def test_content_of_what_first_boot_may_write_is_known_from_the_birth_on() -> None:
    """Where boots were baked it was not read: only size and mode are in the manifest."""
    whole = {path: file(path) for path in ("/run/g/unread", "/run/g/other-mode", "/etc/unread", "/run/g/read")}
    metadata = {name: value for name, value in whole["/etc/unread"].attributes.items() if name != "sha256"}
    baked = building.manifest(
        Resource("file", "/run/g/unread", metadata),
        Resource("file", "/run/g/other-mode", {**metadata, "mode": "0600"}),
        Resource("file", "/etc/unread", metadata),
        whole["/run/g/read"],
    )
    taken = building.snapshot(*whole.values())
    records = list(_unread(baked, taken, Matcher.of([building.zone("/run/g/**", "boot-once")])))
    assert [(record.key, record.ground) for record in records] == [("/run/g/unread", Ground.ZONE)]
    own = reference(baked, Birth(machine={}, manifest="", taken_at="", records=tuple(records), digest="x"))
    forged = building.snapshot(*(whole | {"/run/g/unread": file("/run/g/unread", sha256=building.B)}).values())
    found = {item.key for item in diff(own, forged, [building.zone("/run/g/**", "boot-once")], born=True).differences}
    assert found == {"/run/g/unread", "/run/g/other-mode"}
