"""What declared changes explain, and above all what they do not."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.compare.covering import Covering, cover
from driftscan.compare.diff import diff
from driftscan.compare.evidence import Evidence
from driftscan.compare.fold import fold
from driftscan.model.declared import (
    Content,
    DeclaredChanges,
    FactEntry,
    FileEntry,
    PackageChange,
    PackageEntry,
)
from driftscan.model.drift import Change, Delta, Difference
from driftscan.model.gate import Ground
from driftscan.model.proof import Rank, Shipment, Shipped
from driftscan.model.resource import Resource
from driftscan.model.zone import ZoneClass
from tests.compare.building import (
    A,
    B,
    C,
    added,
    directory,
    file,
    link,
    manifest,
    modified,
    removed,
    snapshot,
    thing,
    zone,
)
from tests.compare.test_conservation import DIFFERENCES, RESOURCES

MD5, OTHER_MD5 = "1" * 32, "2" * 32
UPGRADED = modified("package", "curl/amd64", version=("7.1", "7.2"))
BINARY = modified("file", "/usr/bin/curl", {"md5": MD5}, sha256=(A, B), size=(10, 11))
FILES = {"curl/amd64": {"/usr": "", "/usr/bin/curl": MD5, "/usr/lib/libcurl.so": "", "/usr/share/curl": ""}}


def package(*names: str, **more: object) -> PackageEntry:
    return PackageEntry(names=names, reason="because", origin=f"d:{names[0]}", **more)  # type: ignore[arg-type]


def files(*paths: str, **more: object) -> FileEntry:
    return FileEntry(paths=paths, reason="because", origin=f"d:{paths[0]}", **more)  # type: ignore[arg-type]


def fact(*patterns: str, **more: object) -> FactEntry:
    return FactEntry(patterns=patterns, reason="because", origin=f"d:{patterns[0]}", **more)  # type: ignore[arg-type]


def covering(
    differences: Sequence[Difference],
    *,
    packages: Sequence[PackageEntry] = (),
    file_entries: Sequence[FileEntry] = (),
    facts: Sequence[FactEntry] = (),
    now: Sequence[Resource] = (),
    database: bool = True,
    **evidence: Any,
) -> Covering:
    known = Evidence(package_files=FILES, resources=snapshot(*now).resources, **evidence)
    declared = DeclaredChanges(packages=tuple(packages), files=tuple(file_entries), facts=tuple(facts))
    return cover(fold(differences, known), declared, known, database=database)


def grounds(found: Covering) -> dict[str, Ground]:
    return {each.difference.key: each.ground for parts in found.parts for each in parts.explained}


def left(found: Covering) -> dict[str, str]:
    return {each.difference.key: each.why for parts in found.parts for each in parts.residual}


def unproved(found: Covering) -> set[str]:
    return {each.difference.key for parts in found.parts for each in parts.unproved}


def test_nothing_is_explained_where_nothing_is_declared() -> None:
    found = covering([UPGRADED, BINARY])
    assert set(left(found)) == {"curl/amd64", "/usr/bin/curl"}
    assert set(left(found).values()) == {"not declared"}


def test_a_declared_package_explains_what_its_database_vouches_for() -> None:
    changed = [
        UPGRADED,
        BINARY,
        added(link("/usr/lib/libcurl.so", "../bin/curl")),
        added(directory("/usr/share/curl")),
        modified("file", "/etc/ld.so.cache", sha256=(A, B)),
    ]
    found = covering(changed, packages=[package("curl")])
    assert grounds(found) == {
        "curl/amd64": Ground.NAMED,
        "/usr/bin/curl": Ground.DATABASE,
        "/usr/lib/libcurl.so": Ground.LISTED,
        "/usr/share/curl": Ground.LISTED,
        "/etc/ld.so.cache": Ground.GENERATED,
    }
    assert left(found) == {}
    assert found.unused == ()


def test_who_still_runs_the_old_code_follows_what_was_declared() -> None:
    """It went with its file; what no file explains follows nothing, whatever was declared of the path."""
    program = added(thing("process", "/usr/bin/curl", reasons=("deleted",)))
    library = added(thing("library", "/usr/lib/app.so", state="replaced", sha256=(A,)))
    foreign = added(thing("library", "/usr/lib/hook.so", state="deleted", sha256=(C,)))
    came_to = file("/usr/lib/hook.so")
    changed = [UPGRADED, BINARY, program, modified("file", "/usr/lib/app.so", sha256=(A, B)), library]
    declared = [files("/usr/lib/app.so", sha256=B), files("/usr/lib/hook.so", sha256=A)]
    found = covering(
        changed, packages=[package("curl")], file_entries=declared[:1], now=[file("/usr/lib/app.so", sha256=B)]
    )
    assert left(found) == {}
    later = replace(foreign, observed={"began": 10**18})
    came = replace(added(came_to), observed={"ctime": 10**17})
    assert left(covering([came, later], file_entries=declared[1:], now=[came_to])) == {
        "/usr/lib/hook.so": "not declared"
    }


def shipment(**binary: Any) -> dict[str, tuple[Shipment, ...]]:
    """An archive of curl with this program."""
    shipped = Shipped("regular", B, **{"mode": "0755", "uid": 0, "gid": 0, **binary})
    return {"curl/amd64": (Shipment(rank=Rank.ARCHIVE, origin="curl.deb", files={"/usr/bin/curl": shipped}, paths=()),)}


def test_an_archive_vouches_for_content_and_mode_and_outweighs_the_database() -> None:
    changed = [UPGRADED, replace(BINARY, attributes={**BINARY.attributes, "mode": Delta("0755", "0711")})]
    declared = [package("curl")]
    assert "vouches for mode 0755 -> 0711" in left(covering(changed, packages=declared))["/usr/bin/curl"]
    found = covering(changed, packages=declared, shipments=shipment(mode="0711"))
    assert grounds(found)["/usr/bin/curl"] is Ground.ARCHIVE
    assert left(found) == {}
    for other in (shipment(), shipment(mode="0711", uid=7)):
        assert "/usr/bin/curl" in left(
            covering(changed, packages=declared, shipments=other, now=[file("/usr/bin/curl")])
        )


def test_a_forged_database_does_not_outweigh_an_archive() -> None:
    """The program has the MD5 that the candidate's own database has for it, and is listed there; so is another one."""
    more = added(file("/usr/bin/more", {"md5": MD5}))
    listed = {"curl/amd64": {**FILES["curl/amd64"], "/usr/bin/more": MD5}}
    for archive in (shipment(), {}):
        known = Evidence(package_files=listed, shipments=archive)
        forged = [UPGRADED, replace(BINARY, attributes={**BINARY.attributes, "sha256": Delta(A, C)}), more]
        declared = DeclaredChanges(packages=(package("curl"),))
        found = cover(fold(forged, known), declared, known)
        assert set(left(found)) == ({"/usr/bin/curl", "/usr/bin/more"} if archive else set())


def test_without_a_database_an_archive_proves() -> None:
    changed = [UPGRADED, replace(BINARY, observed={})]
    assert unproved(covering(changed, packages=[package("curl")], database=False)) == {"/usr/bin/curl"}
    found = covering(changed, packages=[package("curl")], database=False, shipments=shipment())
    assert grounds(found)["/usr/bin/curl"] is Ground.ARCHIVE


@pytest.mark.parametrize(
    ("path", "program"),
    [("/var/lib/dpkg/diversions", "dpkg-divert"), ("/var/lib/dpkg/statoverride", "dpkg-statoverride")],
)
def test_what_dpkg_writes_for_a_program_follows_where_the_scripts_call_it(path: str, program: str) -> None:
    changed, declared = [UPGRADED, modified("file", path, sha256=(A, B))], [package("curl")]
    assert left(covering(changed, packages=declared)) == {
        path: f"no install script of a declared package calls {program}"
    }
    found = covering(changed, packages=declared, package_scripts={"curl/amd64": f"{program} --add x"})
    assert (grounds(found)[path], left(found)) == (Ground.GENERATED, {})
    assert unproved(covering(changed, packages=declared, database=False)) == {path}
    gone = [removed(thing("package", "curl/amd64", version="7.1")), changed[1]]
    assert left(covering(gone, packages=declared)) == {}


INSTALLED = added(thing("package", "vim/amd64", version="9"))
BOTH = {**FILES, "vim/amd64": {"/usr/bin/vim": MD5, "/usr/lib/python3/vim.py": MD5}}


def both(*items: Difference, scripts: str = "", names: Sequence[str] = ("curl", "vim"), **more: Any) -> Covering:
    """Of two declared packages, of which the second has scripts; `items` are folded with the first."""
    known = Evidence(package_files=BOTH, package_scripts={"vim/amd64": scripts}, **more)
    declared = DeclaredChanges(packages=(package(*names),))
    return cover(fold([UPGRADED, INSTALLED, *items], known), declared, known)


def test_the_scripts_of_any_declared_package_may_call_it() -> None:
    diverted = modified("file", "/var/lib/dpkg/diversions", sha256=(A, B))
    assert left(both(diverted, scripts="dpkg-divert --add /x")) == {}
    assert diverted.key in left(both(diverted, scripts="dpkg-divert --add /x", names=["curl"]))


def test_bytecode_follows_its_source() -> None:
    cache = "/usr/lib/python3/__pycache__/"
    found = both(*(added(file(f"{cache}{name}.cpython-311.pyc")) for name in ("vim", "vim.opt", "site")))
    assert grounds(found)[f"{cache}vim.cpython-311.pyc"] is Ground.GENERATED
    assert left(found) == {
        f"{cache}vim.opt.cpython-311.pyc": "no declared package has its source, /usr/lib/python3/vim.opt.py",
        f"{cache}site.cpython-311.pyc": "no declared package has its source, /usr/lib/python3/site.py",
    }
    optimized = modified("file", f"{cache}vim.cpython-311.opt-1.pyc", sha256=(A, B))
    assert left(both(optimized)) == {}
    gone = [removed(thing("package", "curl/amd64", version="7.1")), removed(file(f"{cache}vim.cpython-311.pyc"))]
    assert left(covering(gone, packages=[package("curl")])) == {}, "what went runs no more"


def test_an_alternative_is_switched_by_the_scripts_of_who_is_chosen() -> None:
    switched = modified("file", "/etc/alternatives/editor", target=("/bin/nano", "/usr/bin/vim"))
    nano = snapshot(file("/usr/bin/nano")).resources
    assert left(both(switched, scripts="update-alternatives --install /x editor /y 1", resources=nano)) == {}
    told = left(both(switched, scripts="update-alternatives --install /x vi /y 1", resources=nano))[switched.key]
    assert told.endswith("no install script of a declared package makes /usr/bin/vim an alternative of that name")
    assert left(both(switched)) == {}, "what was chosen before went"


def test_links_to_the_newest_kernel_follow() -> None:
    links = [added(link("/vmlinuz", "boot/vmlinuz-2")), added(link("/boot/initrd.img.old", "initrd.img-1"))]
    kernel = {"curl/amd64": {"/boot/vmlinuz-2": MD5, "/boot/initrd.img-1": ""}}
    known = Evidence(package_files=kernel)
    declared = DeclaredChanges(packages=(package("curl"),))
    assert left(cover(fold([UPGRADED, *links], known), declared, known)) == {}
    astray = added(link("/vmlinuz", "tmp/vmlinuz"))
    assert set(left(cover(fold([UPGRADED, astray], known), declared, known))) == {"/vmlinuz"}
    own = added(file("/vmlinuz"))
    assert set(left(cover(fold([UPGRADED, own], known), declared, known))) == {"/vmlinuz"}


@pytest.mark.parametrize(
    "item",
    [
        modified("file", "/var/lib/dpkg/arch", sha256=(A, B)),
        added(file("/usr/lib/modules/6.1/modules.evil")),
        added(file("/usr/share/mime/packages/evil.xml")),
        added(file("/var/www/html/shell.php")),
    ],
)
def test_what_no_operation_writes_by_itself_is_left(item: Difference) -> None:
    known = Evidence(package_files={"curl/amd64": {"/var/www/html": "", "/usr/share/mime/packages": ""}})
    found = cover(fold([UPGRADED, item], known), DeclaredChanges(packages=(package("curl"),)), known)
    assert set(left(found)) == {item.key}


def test_an_archive_does_not_say_that_everyone_may_write_what_lies_under_var() -> None:
    shipped = {"/var/lib/curl/x": Shipped("regular", B, "0644", 0, 0), "/var/lib/curl/y": Shipped("regular", B, "0666")}
    archive = Shipment(rank=Rank.ARCHIVE, origin="c.deb", files=shipped, paths=shipped.keys())
    rows = [added(file(path, mode="0666", sha256=B)) for path in shipped]
    found = covering([UPGRADED, *rows], packages=[package("curl")], shipments={"curl/amd64": (archive,)})
    assert left(found) == {"/var/lib/curl/x": "it came with curl/amd64, but everyone may write it"}


def test_of_a_file_that_an_operation_wrote_a_shell_follows_if_a_package_has_it() -> None:
    shells = modified("file", "/etc/shells", sha256=(A, B))
    rows = [added(thing("login_shell", path, file="/etc/shells")) for path in ("/usr/bin/curl", "/tmp/sh")]
    found = covering([UPGRADED, shells, *rows], packages=[package("curl")])
    assert grounds(found)["/etc/shells"] is Ground.GENERATED
    assert set(left(found)) == {"/tmp/sh"}


def test_what_lies_in_the_paths_of_a_package_and_is_not_its_content_is_left() -> None:
    trojan = replace(BINARY, observed={"md5": OTHER_MD5})
    found = covering([UPGRADED, trojan], packages=[package("curl")])
    assert set(left(found)) == {"/usr/bin/curl"}


def test_without_the_package_database_nothing_is_proved_and_nothing_refused() -> None:
    found = covering([UPGRADED, BINARY], packages=[package("curl")], database=False)
    assert unproved(found) == {"/usr/bin/curl"}
    assert left(found) == {}


def test_a_file_whose_digest_nobody_took_is_unproved() -> None:
    found = covering([UPGRADED, replace(BINARY, observed={})], packages=[package("curl")])
    assert unproved(found) == {"/usr/bin/curl"}


def test_a_listed_file_of_which_the_database_has_no_digest_is_left() -> None:
    found = covering([UPGRADED, added(file("/usr/share/curl", {"md5": MD5}))], packages=[package("curl")])
    assert "has no digest that it fits" in left(found)["/usr/share/curl"]


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (modified("file", "/usr/bin/curl", {"md5": MD5}, mode=("0755", "0777")), "mode 0755 -> 0777"),
        (modified("file", "/usr/bin/curl", {"md5": MD5}, sha256=(A, B), uid=(0, 1000)), "uid 0 -> 1000"),
        (added(file("/usr/bin/curl", {"md5": MD5}, mode="0666")), "everyone may write it"),
        (added(file("/usr/bin/curl", {"md5": MD5}, uid=1000)), "it is owned by uid 1000"),
        (added(file("/usr/bin/curl", {"md5": MD5}, acl="user:eve:rw-")), "it has an access list"),
        (added(link("/usr/lib/libcurl.so", "/tmp/evil.so")), "it leads to /tmp/evil.so, which no package lists"),
        (modified("file", "/usr/lib/libcurl.so", target=("../bin/curl", "../../tmp/x")), "it leads to /tmp/x"),
        (added(link("/etc/alternatives/curl", "/opt/curl")), "not declared"),  # no operation takes it along
        (modified("file", "/usr/lib/libcurl.so", type=("symlink", "regular")), "type symlink -> regular"),
    ],
)
def test_a_package_database_vouches_for_no_mode_owner_or_type(item: Difference, why: str) -> None:
    found = covering([UPGRADED, item], packages=[package("curl")])
    assert why in left(found)[item.key]


def test_links_through_alternatives_are_judged_where_they_lead() -> None:
    links = [added(link("/usr/lib/libcurl.so", "/etc/alternatives/c")), added(link("/etc/alternatives/c", "/bin/curl"))]
    merged = Evidence(package_files={"curl/amd64": {"/usr/lib/libcurl.so": "", "/bin/curl": MD5}})
    declared = DeclaredChanges(packages=(package("curl"),))
    assert left(cover(fold([UPGRADED, *links], merged), declared, merged)) == {}


def test_a_link_may_lead_to_nothing_where_root_alone_makes_files_and_to_what_is_judged_itself() -> None:
    to_nothing = added(link("/usr/lib/libcurl.so", "../share/none"))
    assert left(covering([UPGRADED, to_nothing], packages=[package("curl")])) == {}
    there = [file("/usr/share/none")]
    assert set(left(covering([UPGRADED, to_nothing], packages=[package("curl")], now=there))) == {to_nothing.key}
    to_another = [added(link("/usr/lib/libcurl.so", "/opt/x")), added(file("/opt/x"))]
    assert set(left(covering([UPGRADED, *to_another], packages=[package("curl")]))) == {"/opt/x"}


def test_a_set_id_bit_is_never_explained_by_a_package() -> None:
    found = covering([UPGRADED, added(file("/usr/bin/curl", {"md5": MD5}, mode="4755"))], packages=[package("curl")])
    assert set(left(found)) == {"/usr/bin/curl"}


def test_that_a_service_is_switched_is_not_explained_by_its_package() -> None:
    unit = added(file("/usr/lib/systemd/system/curl.service", {"md5": MD5}))
    row = modified("service", "curl.service", unit_file_state=("enabled", "disabled"))
    known = Evidence(package_files={"curl/amd64": {"/usr/lib/systemd/system/curl.service": MD5}})
    declared = DeclaredChanges(packages=(package("curl"),))
    found = cover(fold([UPGRADED, unit, row], known), declared, known)
    assert left(found) == {
        "curl.service": "it came with curl/amd64, but no package says that unit_file_state enabled -> disabled"
    }
    assert grounds(found)["/usr/lib/systemd/system/curl.service"] is Ground.DATABASE


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (package("curl", after="7.3"), "to version 7.3, not 7.2"),
        (package("curl", before="7.0"), "from version 7.0, not 7.1"),
        (package("curl", changes=frozenset({PackageChange.INSTALLED})), "not that it is upgraded"),
        (package("curlx"), "not declared"),
        (package("CURL"), "not declared"),
    ],
)
def test_another_version_or_change_is_left_with_all_that_came_with_it(entry: PackageEntry, why: str) -> None:
    found = covering([UPGRADED, BINARY], packages=[entry])
    assert why in left(found)["curl/amd64"]
    assert "/usr/bin/curl" in left(found)
    assert found.unused == (entry,)


@pytest.mark.parametrize("entry", [package("c*", before="7.1", after="7.2"), package("curl", after="any")])
def test_globs_versions_and_any(entry: PackageEntry) -> None:
    assert left(covering([UPGRADED, BINARY], packages=[entry])) == {}


def test_nobody_declares_a_downgrade_by_chance() -> None:
    down = modified("package", "curl/amd64", version=("7.2", "7.1"))
    assert "not that it is downgraded" in left(covering([down], packages=[package("*")]))["curl/amd64"]
    said = package("curl", changes=frozenset({PackageChange.DOWNGRADED}))
    assert left(covering([down], packages=[said])) == {}


def test_of_two_packages_one_declared_the_other_is_left() -> None:
    other = modified("package", "wget/amd64", version=("1.0", "1.1"))
    found = covering([UPGRADED, BINARY, other], packages=[package("curl")])
    assert set(left(found)) == {"wget/amd64"}


def test_a_glob_of_paths_without_content_names_whatever_is_there_but_what_is_privileged() -> None:
    items = [added(file("/opt/app/run", mode="0755")), added(file("/opt/app/su", mode="4755"))]
    assert set(left(covering(items, file_entries=[files("/opt/app/**")]))) == {"/opt/app/su"}
    assert left(covering(items, file_entries=[files("/opt/app/**", privileged=True)])) == {}


@pytest.mark.parametrize("delta", [{"mode": ("0755", "4755")}, {"capabilities": ("", "cap_net_raw=ep")}])
def test_what_gains_privileges_is_not_what_was_named(delta: dict[str, tuple[str, str]]) -> None:
    item = modified("file", "/opt/app/run", **delta)
    assert "is not `privileged`" in left(covering([item], file_entries=[files("/opt/**")]))["/opt/app/run"]


def test_a_digest_is_what_the_file_has_whatever_differs_of_it() -> None:
    now = [file("/opt/a", sha256=B, mode="0600")]
    item = modified("file", "/opt/a", mode=("0644", "0600"))
    assert left(covering([item], file_entries=[files("/opt/a", sha256=B)], now=now)) == {}
    wrong = covering([item], file_entries=[files("/opt/a", sha256=A)], now=now)
    assert "d:/opt/a names it, but it has other content" in left(wrong)["/opt/a"]


def test_a_tree_explains_what_it_has_and_nothing_else() -> None:
    entry = files(
        "/etc/app/**",
        tree="rootfs",
        contents={"/etc/app/conf": Content("regular", B), "/etc/app/ln": Content("symlink", "conf")},
        changes=frozenset({Change.ADDED, Change.MODIFIED}),
    )
    now = [file("/etc/app/conf", sha256=B), link("/etc/app/ln", "other"), file("/etc/app/more", sha256=A)]
    found = covering([added(item) for item in now], file_entries=[entry], now=now)
    assert grounds(found) == {"/etc/app/conf": Ground.CONTENT}
    assert left(found) == {
        "/etc/app/ln": "d:/etc/app/** names it, but it is not what rootfs has",
        "/etc/app/more": "d:/etc/app/** names it, but rootfs does not have it",
    }


def test_a_removal_is_explained_by_a_tree_only_where_it_is_said_and_the_tree_lacks_it() -> None:
    gone = removed(file("/etc/app/old"))
    usual = files("/etc/app/**", tree="rootfs", changes=frozenset({Change.ADDED, Change.MODIFIED}))
    assert "not that it is removed" in left(covering([gone], file_entries=[usual]))["/etc/app/old"]
    said = replace(usual, changes=frozenset({Change.REMOVED}))
    assert left(covering([gone], file_entries=[said])) == {}
    has = replace(said, contents={"/etc/app/old": Content("regular", A)})
    assert "rootfs has it" in left(covering([gone], file_entries=[has]))["/etc/app/old"]


def test_directories_follow_what_was_made_in_them_unless_others_may_write_there() -> None:
    items = [
        added(directory("/opt/app")),
        added(directory("/opt/app/bin")),
        added(directory("/opt/app/spool", mode="0777")),
        added(directory("/opt/app/empty")),
        added(file("/opt/app/bin/x")),
        added(file("/opt/app/spool/x")),
    ]
    found = covering(items, file_entries=[files("/opt/app/bin/x", "/opt/app/spool/x")])
    assert set(left(found)) == {"/opt/app/spool", "/opt/app/empty"}
    assert grounds(found)["/opt/app"] is Ground.FOLLOWS


def test_rows_follow_the_declared_file_that_they_are_rows_of() -> None:
    unit = "/etc/systemd/system/app.service"
    rows = [
        thing("service", "app.service", fragment_path=unit),
        thing("cron", "/etc/cron.d/app/root/abc", command="run"),
        thing("sudo_rule", "/etc/sudoers.d/app:%app", rule="ALL"),
        thing("sysctl", "vm.swappiness", current_value="10", config_value="10", config_file="/etc/sysctl.d/a"),
    ]
    paths = [unit, "/etc/cron.d/app", "/etc/sudoers.d/app", "/etc/sysctl.d/a"]
    changed = [
        *(added(row) for row in rows[:3]),
        modified("sysctl", "vm.swappiness", current_value=("60", "10"), config_file=(None, "/etc/sysctl.d/a")),
        *(added(file(path)) for path in paths),
    ]
    found = covering(changed, file_entries=[files(path) for path in paths], now=rows)
    assert left(found) == {}
    assert {ground for key, ground in grounds(found).items() if key not in paths} == {Ground.FOLLOWS}
    assert set(left(covering(changed, now=rows))) == {*paths, *(row.key for row in rows)}


def test_a_value_that_no_file_sets_follows_from_none() -> None:
    row = thing("sysctl", "vm.swappiness", current_value="99", config_value="10", config_file="/etc/sysctl.d/a")
    changed = [modified("sysctl", "vm.swappiness", current_value=("60", "99")), added(file("/etc/sysctl.d/a"))]
    assert set(left(covering(changed, file_entries=[files("/etc/sysctl.d/a")], now=[row]))) == {"vm.swappiness"}


def test_facts_by_pattern_change_and_attribute() -> None:
    row = modified("service", "a.service", unit_file_state=("enabled", "disabled"), user=("", "app"))
    entry = fact("service:a.*", attributes=frozenset({"unit_file_state"}))
    assert left(covering([row], facts=[entry])) == {"a.service": "d:service:a.* names it, but not user"}
    assert left(covering([row], facts=[fact("service:a.*")])) == {}
    assert set(left(covering([row], facts=[fact("service:a.*", changes=frozenset({Change.ADDED}))]))) == {"a.service"}
    assert set(left(covering([row], facts=[fact("user:a.*")]))) == {"a.service"}


def some_entries(packages: list[str], paths: list[str], patterns: list[str]) -> DeclaredChanges:
    return DeclaredChanges(
        packages=tuple(replace(package(name), origin=f"p{n}") for n, name in enumerate(packages)),
        files=tuple(replace(files(path), origin=f"f{n}") for n, path in enumerate(paths)),
        facts=tuple(replace(fact(pattern), origin=f"r{n}") for n, pattern in enumerate(patterns)),
    )


ENTRIES = st.builds(
    some_entries,
    st.lists(st.sampled_from(["*", "nginx", "x"]), max_size=2),
    st.lists(st.sampled_from(["/**", "/etc/**", "/usr/bin/*", "/opt/a/b"]), max_size=2),
    st.lists(st.sampled_from(["service:*", "user:eve", "sysctl:*"]), max_size=2),
)


@given(DIFFERENCES, ENTRIES, st.booleans())
def test_no_difference_is_lost_and_none_is_told_twice(
    differences: list[Difference], declared: DeclaredChanges, database: bool
) -> None:
    known = Evidence(package_files={"nginx/amd64": {"/usr/bin/nginx": MD5}})
    found = cover(fold(differences, known), declared, known, database=database)
    told = [
        each.difference.id
        for parts in found.parts
        for group in (parts.explained, parts.residual, parts.unproved)
        for each in group
    ]
    assert sorted(told) == sorted(
        item.id for item in differences if not item.allowed and item.change is not Change.UNKNOWN
    )
    origins = {each.origin for parts in found.parts for each in parts.explained}
    assert origins == {entry.origin for entry in declared.entries} - {entry.origin for entry in found.unused}


@given(RESOURCES, RESOURCES, ENTRIES)
def test_raw_is_zoned_and_declared_and_residual(
    old: list[Resource], new: list[Resource], declared: DeclaredChanges
) -> None:
    image = manifest(*old, zones=[zone("/etc/**", ZoneClass.FREE)])
    found = diff(image, snapshot(*new))
    known = Evidence(resources=snapshot(*new).resources)
    parts = cover(fold(found.differences, known), declared, known).parts
    zoned = sum(item.allowed and item.change is not Change.UNKNOWN for item in found.differences)
    assert found.raw == zoned + sum(len(one.explained) + len(one.residual) + len(one.unproved) for one in parts)
