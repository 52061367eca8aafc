"""Libraries that run without their files go with what happened to the files, if that explains them."""

from dataclasses import replace

import pytest

from driftscan.compare import diff, fold
from driftscan.compare.evidence import Evidence
from driftscan.compare.transaction import Item, Transaction
from driftscan.model.drift import CauseType, Difference, Mutation
from driftscan.model.resource import Resource, Value
from driftscan.model.times import nanoseconds
from driftscan.model.zone import ZoneClass
from tests.compare.building import A, B, C, added, file, manifest, modified, removed, snapshot, thing, zone

SSL = "/usr/lib/x86_64-linux-gnu/libssl.so.3"
UPGRADED = "2026-11-21T10:00:00Z"
AT = nanoseconds(UPGRADED)
HOUR = 3600 * 10**9
UPGRADE = modified("package", "libssl3/amd64", version=("3.0.11", "3.0.15"))
EVIDENCE = Evidence(
    package_files={"libssl3/amd64": {SSL: ""}},
    baseline_files={"libssl3/amd64": (SSL, "/usr/lib/old.so")},
    history=(Transaction(start=UPGRADED, end=UPGRADED, upgrade=(Item("libssl3", "amd64", "3.0.11", "3.0.15"),)),),
)


def library(path: str = SSL, state: str = "replaced", began: int = AT - HOUR, **attributes: Value) -> Difference:
    told: dict[str, Value] = {
        "state": state,
        "sha256": (A,),
        "units": ("nginx.service", "ssh.service"),
        "users": ("root",),
    }
    told |= {"programs": ("/usr/sbin/nginx", "/usr/sbin/sshd")}
    return added(Resource("library", path, told | attributes, {"began": began}))


def written(path: str = SSL, *, at: int = AT) -> Difference:
    return modified("file", path, {"ctime": at}, sha256=(A, B))


def causes(*differences: Difference, evidence: Evidence = EVIDENCE) -> dict[CauseType, Mutation]:
    return {item.cause.type: item for item in fold(differences, evidence)}


def test_an_upgrade_is_one_mutation_that_says_who_runs_the_old_code() -> None:
    found = causes(UPGRADE, written(), library())
    assert list(found) == [CauseType.PACKAGE_UPGRADED]
    upgrade = found[CauseType.PACKAGE_UPGRADED]
    assert upgrade.title == (
        "libssl3 3.0.11 -> 3.0.15 upgraded; nginx.service, ssh.service still run the old code until they restart"
    )
    assert upgrade.explains == 3
    (before,) = fold((UPGRADE, written()), EVIDENCE)
    assert (upgrade.id, upgrade.content) == (before.id, before.content)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (library(units=("ssh.service",)), "; ssh.service still runs the old code until it restarts"),
        (library(units=()), "; nginx, sshd still run the old code until they restart"),
        (library(units=tuple("abcde")), "; a, b, c and 2 more still run the old code until they restart"),
        (library(state="equal"), ""),
    ],
)
def test_who_runs_it_is_said_in_few_words(row: Difference, told: str) -> None:
    assert fold((UPGRADE, written(), row), EVIDENCE)[0].title == f"libssl3 3.0.11 -> 3.0.15 upgraded{told}"


def test_a_program_that_was_replaced_is_named_too() -> None:
    row = added(thing("process", SSL, reasons=("deleted",), deleted=True, units=("ssh.service",)))
    title = fold((UPGRADE, written(), row), EVIDENCE)[0].title
    assert title.endswith("upgraded; ssh.service still runs the old code until it restarts")


@pytest.mark.parametrize(("began", "own"), [(AT - HOUR, 0), (AT + HOUR, 1)])
@pytest.mark.parametrize("files", [(written(),), ()])
def test_a_program_that_began_after_its_file_was_replaced_is_not_explained(
    files: tuple[Difference, ...], began: int, own: int
) -> None:
    row = added(Resource("process", SSL, {"reasons": ("deleted",)}, {"began": began}))
    assert [item.cause.type for item in fold((UPGRADE, *files, row), EVIDENCE)].count(CauseType.PROCESS_FOREIGN) == own


def test_a_program_outside_the_image_goes_with_no_file() -> None:
    row = added(thing("process", "/srv/x", reasons=("deleted", "outside")))
    assert CauseType.PROCESS_FOREIGN in causes(removed(file("/srv/x")), row)


@pytest.mark.parametrize(
    ("file_of", "row", "explained"),
    [
        (written(), library(sha256=(C,)), True),  # of a version between: it was loaded before
        (written(), library(sha256=(C,), began=AT + HOUR), False),  # it was there after the upgrade, and is gone
        (written(), library(began=AT + HOUR), True),  # the image's own, put back and taken away again
        (written(), library(sha256=(), began=AT + HOUR), False),
        (written(), library(sha256=(), began=0), True),  # nobody knows when it began
        (removed(file(SSL)), library(state="deleted"), True),
        (removed(file(SSL)), library(state="deleted", sha256=(C,)), False),
        (removed(file(SSL)), library(state="deleted", sha256=()), True),
    ],
)
def test_only_what_the_file_left_behind_goes_with_it(file_of: Difference, row: Difference, explained: bool) -> None:
    found = causes(UPGRADE, file_of, row)
    assert (CauseType.LIBRARY_FOREIGN not in found) is explained


@pytest.mark.parametrize(
    ("row", "explained"),
    [
        (library(), True),
        (library(began=AT + HOUR), False),
        (library(began=AT + HOUR, state="equal"), True),
        (library("/usr/lib/x86_64-linux-gnu/libother.so"), False),
    ],
)
def test_a_file_that_the_new_version_has_unchanged(row: Difference, explained: bool) -> None:
    assert (CauseType.LIBRARY_FOREIGN not in causes(UPGRADE, row)) is explained


@pytest.mark.parametrize(
    ("item", "cause"),
    [
        (written(), CauseType.BINARY_CHANGED),
        (removed(file(SSL)), CauseType.FILE_REMOVED),
        (written("/etc/x.so"), CauseType.CONFIGURATION_CHANGED),
    ],
)
def test_a_file_changed_by_hand_says_who_runs_the_old_one(item: Difference, cause: CauseType) -> None:
    found = causes(item, library(item.key), evidence=Evidence())
    assert list(found) == [cause]
    assert "nginx.service, ssh.service still run the old code" in found[cause].title


@pytest.mark.parametrize(
    ("row", "title"),
    [
        (library("/memfd:x", "memory"), "/memfd:x, which never was a file, is loaded by nginx.service, ssh.service"),
        (
            library(state="deleted", units=()),
            f"{SSL}, whose file is gone, is loaded by /usr/sbin/nginx, /usr/sbin/sshd",
        ),
        (
            library("/tmp/x", "scratch"),
            "/tmp/x, in a directory that everybody may write to, is loaded by nginx.service, ssh.service",
        ),
        (library(units=("a",)), f"{SSL}, with another content than its file has, is loaded by a"),
        (
            added(thing("library", SSL, state="replaced")),
            f"{SSL}, whose file was replaced since, is loaded by a process",
        ),
        (
            added(thing("library", SSL, state="equal")),
            f"{SSL}, whose file was written anew with the same content, is loaded by a process",
        ),
        (modified("library", SSL, state=("equal", "replaced")), f"{SSL} is loaded otherwise"),
        (removed(thing("library", SSL, state="equal")), f"{SSL} is no longer loaded"),
    ],
)
def test_what_nothing_explains_is_a_finding_of_its_own(row: Difference, title: str) -> None:
    (found,) = fold((row,), EVIDENCE)
    assert (found.cause.type, found.title) == (CauseType.LIBRARY_FOREIGN, f"library {title}")
    assert found.cause.detail == ("in the paths of package libssl3/amd64" if row.key == SSL else "")


@pytest.mark.parametrize(
    ("where", "allowed"),
    [
        (zone("/opt/app/**", ZoneClass.FREE, executables=True), True),
        (zone("/opt/app/**", ZoneClass.FREE), False),
        (zone("/opt/other/**", ZoneClass.FREE, executables=True), False),
    ],
)
def test_where_programs_may_come_and_go_they_may_outlive_libraries(where: object, allowed: bool) -> None:
    row = thing("library", "/opt/app/x.so", state="deleted")
    (found,) = diff(manifest(zones=[where]), snapshot(row)).differences  # type: ignore[list-item]
    assert found.allowed is allowed


def test_old_code_that_the_reference_ran_may_be_gone() -> None:
    """The zone of the pack `linux`: a restart frees it, and is no drift; another state is."""
    zones = [zone("library:*", ZoneClass.FREE, attributes=("programs", "users", "units"), may_vanish=True)]
    before = thing("library", SSL, state="replaced", units=("cron.service", "ssh.service"))
    for now, allowed in (
        ((), True),
        ((thing("library", SSL, state="replaced", units=("ssh.service",)),), True),
        ((thing("library", SSL, state="deleted", units=("ssh.service",)),), False),
    ):
        (found,) = diff(manifest(before, zones=zones), snapshot(*now)).differences
        assert found.allowed is allowed


@pytest.mark.parametrize(
    ("written_at", "began", "actor"),
    [(AT, AT - HOUR, "root"), (AT, AT + HOUR, None), (AT + HOUR, AT - HOUR, None), (0, AT - HOUR, None)],
)
def test_a_package_manager_that_wrote_the_file_did_it(written_at: int, began: int, actor: str | None) -> None:
    """A version that came and went, or the same again: no package differs. What began later is none of its doing."""
    row = library(state="equal")
    row = replace(row, observed={"began": began, "written": written_at})
    evidence = replace(EVIDENCE, package_files={})
    (found,) = fold((row,), evidence)
    assert (found.attribution.actor, found.cause.detail) == (actor, "in the paths of package libssl3/amd64")


def test_a_library_in_scratch_space_is_not_explained_by_its_file() -> None:
    found = causes(added(file("/tmp/x.so", mode="0755")), library("/tmp/x.so", "scratch"))
    assert CauseType.LIBRARY_FOREIGN in found
    assert len(found) == 2
