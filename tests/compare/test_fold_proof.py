"""How the files of a package operation are proved: archives, then manifests, then the host's own database."""

from dataclasses import replace
from typing import Any

from driftscan.compare import fold
from driftscan.compare.evidence import Evidence
from driftscan.model.drift import CauseType, Difference, Mutation
from driftscan.model.proof import Rank, Shipment, Shipped
from tests.compare.building import A, B, C, added, directory, file, link, modified, removed, resources, thing

GOOD, BAD = "1" * 32, "2" * 32
KEY = "tool/amd64"
UPGRADED = modified("package", KEY, version=("1.0", "2.0"))
LISTS = {KEY: {"/usr/bin/tool": GOOD, "/usr/lib/tool": "", "/usr/lib/tool/x": GOOD, "/usr/lib/tool/l": ""}}
ARCHIVE = Shipment(
    rank=Rank.ARCHIVE,
    origin="tool_2.0_amd64.deb",
    files={
        "/usr/bin/tool": Shipped("regular", B, "0755", 0, 0),
        "/usr/lib/tool": Shipped("directory", None, "0755", 0, 0),
        "/usr/lib/tool/x": Shipped("regular", A, "0644", 0, 0),
        "/usr/lib/tool/l": Shipped("symlink", "x", None, 0, 0),
    },
    paths=("/usr/bin/tool", "/usr/lib/tool", "/usr/lib/tool/x", "/usr/lib/tool/l"),
)
IMAGE = Shipment(
    rank=Rank.MANIFEST,
    origin="image web 2",
    files={"/usr/bin/tool": Shipped("regular", B), "/usr/lib/tool/x": Shipped("regular", A)},
    paths=frozenset(ARCHIVE.files),
)
TOOL = modified("file", "/usr/bin/tool", {"md5": GOOD}, sha256=(A, B))
FORGED = modified("file", "/usr/bin/tool", {"md5": GOOD}, sha256=(A, C))
"""Its content is another, and the host's database was rewritten to vouch for it."""


def folded(*differences: Difference, shipments: tuple[Shipment, ...] = (), **more: Any) -> dict[str, Mutation]:
    evidence = Evidence(package_files=LISTS, shipments={KEY: shipments} if shipments else {}, **more)
    return {f"{item.cause.type} {item.cause.subject}": item for item in fold([UPGRADED, *differences], evidence)}


def against(found: dict[str, Mutation], path: str = "/usr/bin/tool") -> str:
    start = f"in the paths of package {KEY} but does not match it: "
    detail = found[f"binary-changed {path}"].cause.detail
    assert detail.startswith(start)
    return detail.removeprefix(start)


NEW = (
    TOOL,
    added(directory("/usr/lib/tool")),
    added(file("/usr/lib/tool/x", {"md5": GOOD})),
    added(link("/usr/lib/tool/l", "x")),
)


def test_by_the_hosts_own_database() -> None:
    (only,) = folded(*NEW).values()
    assert only.proof is not None
    assert only.proof.rank is Rank.DATABASE
    assert only.proof.files == {Rank.DATABASE: 2, Rank.LISTS: 2}
    assert only.cause.detail == "2 files match the package database's MD5; 2 are consistent with its lists of files"


def test_by_an_archive() -> None:
    (only,) = folded(*NEW, shipments=(IMAGE, ARCHIVE)).values()
    assert only.proof is not None
    assert (only.proof.rank, only.proof.files) == (Rank.ARCHIVE, {Rank.ARCHIVE: 4})
    assert only.proof.origins == ("tool_2.0_amd64.deb",)
    assert only.cause.detail == "4 files match the package archives"


def test_by_a_manifest_as_far_as_it_goes() -> None:
    (only,) = folded(*NEW, shipments=(IMAGE,)).values()
    assert only.proof is not None
    assert (only.proof.rank, only.proof.files) == (Rank.MANIFEST, {Rank.MANIFEST: 2, Rank.LISTS: 2})


def test_the_weakest_counts() -> None:
    part = Shipment(rank=Rank.MANIFEST, origin="image web 2", files={"/usr/bin/tool": Shipped("regular", B)})
    (only,) = folded(*NEW, shipments=(part,)).values()
    assert only.proof is not None
    assert (only.proof.rank, only.proof.files[Rank.MANIFEST]) == (Rank.DATABASE, 1)


def test_a_file_that_the_hosts_database_was_made_to_vouch_for() -> None:
    assert set(folded(FORGED)) == {f"package-upgraded {KEY}"}, "the host alone cannot tell"
    assert against(folded(FORGED, shipments=(ARCHIVE,))) == "tool_2.0_amd64.deb has another content"
    assert against(folded(FORGED, shipments=(IMAGE,))) == "image web 2 has another content"


def test_a_weaker_one_does_not_outvote_a_stronger_one() -> None:
    vouches = Shipment(rank=Rank.MANIFEST, origin="image web 2", files={"/usr/bin/tool": Shipped("regular", C)})
    assert against(folded(FORGED, shipments=(vouches, ARCHIVE))) == "tool_2.0_amd64.deb has another content"
    assert set(folded(FORGED, shipments=(IMAGE, vouches))) == {f"package-upgraded {KEY}"}, "one image has it so"


def test_a_path_that_was_written_into_the_hosts_lists() -> None:
    lists = {KEY: {**LISTS[KEY], "/usr/lib/tool/evil": GOOD, "/lib/systemd/system/evil.service": ""}}
    hidden = (
        added(file("/usr/lib/tool/evil", {"md5": GOOD}, mode="0755")),
        added(file("/usr/lib/systemd/system/evil.service")),
        added(thing("service", "evil.service", unit_file_state="enabled")),
    )
    by_host = fold([UPGRADED, *hidden], Evidence(package_files=lists))
    assert [item.cause.type for item in by_host] == [CauseType.PACKAGE_UPGRADED]
    for shipment in (ARCHIVE, IMAGE):
        known = Evidence(package_files=lists, shipments={KEY: (shipment,)})
        found = {f"{item.cause.type} {item.cause.subject}": item for item in fold([UPGRADED, *hidden], known)}
        assert against(found, "/usr/lib/tool/evil") == f"{shipment.origin} has no such file"
        assert "service-added evil.service" in found
        assert found[f"package-upgraded {KEY}"].explains == 1


def test_an_executable_without_a_digest_where_others_have_one() -> None:
    lists = {KEY: {**LISTS[KEY], "/usr/lib/tool/evil": ""}}
    item = added(file("/usr/lib/tool/evil", {"md5": BAD}, mode="0755"))
    with_others = fold([UPGRADED, item], Evidence(package_files=lists))
    found = {f"{each.cause.type} {each.cause.subject}": each for each in with_others}
    assert against(found, "/usr/lib/tool/evil") == "its database lists it and has no digest of it, as it has of others"
    bare = Evidence(package_files={KEY: dict.fromkeys(lists[KEY], "")})
    (only,) = fold([UPGRADED, item], bare)
    assert only.proof is not None
    assert only.proof.rank is Rank.LISTS, "a package without digests: told, and worth little"


def test_owner_and_mode_are_the_archives_too() -> None:
    open_to_all = added(file("/usr/lib/tool/x", {"md5": GOOD}, mode="0666"))
    assert against(folded(open_to_all, shipments=(ARCHIVE,)), "/usr/lib/tool/x") == (
        "its mode is 0666, and tool_2.0_amd64.deb has 0644"
    )
    given = modified("file", "/usr/lib/tool/x", gid=(0, 1000))
    known = resources([file("/usr/lib/tool/x", gid=1000)])
    assert against(folded(given, shipments=(ARCHIVE,), resources=known), "/usr/lib/tool/x") == (
        "its gid is 1000, and tool_2.0_amd64.deb has 0"
    )
    scripts = replace(ARCHIVE, scripts="chmod 666 /usr/lib/tool/x\n")
    assert set(folded(open_to_all, shipments=(scripts,))) == {f"package-upgraded {KEY}"}, "its own script did that"


def test_links_lead_where_the_archive_has_them_lead() -> None:
    moved = added(link("/usr/lib/tool/l", "/tmp/x"))
    assert against(folded(moved, shipments=(ARCHIVE,)), "/usr/lib/tool/l") == "tool_2.0_amd64.deb has another content"
    other = added(file("/usr/lib/tool/l", mode="0644"))
    assert against(folded(other, shipments=(ARCHIVE,)), "/usr/lib/tool/l") == (
        "it is a regular, and tool_2.0_amd64.deb has a symlink"
    )


def test_a_setting_that_was_edited_stays_an_edit() -> None:
    conf = Shipment(rank=Rank.ARCHIVE, origin="x.deb", files={"/etc/tool.conf": Shipped("regular", A)})
    item = modified("file", "/etc/tool.conf", {"md5": BAD}, sha256=(B, C))
    assert "configuration-changed /etc/tool.conf" in folded(item, shipments=(conf,))


def test_what_went_is_proved_by_what_the_new_version_lacks() -> None:
    went = removed(file("/usr/lib/tool/old"))
    theirs: dict[str, Any] = {"baseline_files": {KEY: ("/usr/lib/tool/old", "/usr/lib/tool/x")}}
    (only,) = folded(went, **theirs).values()
    assert only.proof is not None
    assert only.proof.files == {Rank.MANIFEST: 1}
    kept = removed(file("/usr/lib/tool/x"))
    unlisted = Evidence(shipments={KEY: (ARCHIVE,)}, **theirs)
    found = [item.cause.type for item in fold([UPGRADED, went, kept], unlisted)]
    assert found == [CauseType.FILE_REMOVED, CauseType.PACKAGE_UPGRADED], "the new version has it, and the host not"


def test_of_two_packages_with_one_path_the_one_that_has_it_so_is_right() -> None:
    shipped = Shipment(rank=Rank.ARCHIVE, origin="y.deb", files={"/usr/bin/tool": Shipped("regular", C)})
    evidence = Evidence(package_files=LISTS, shipments={KEY: (ARCHIVE,), "y/all": (shipped,)})
    upgraded = modified("package", "y/all", version=("1", "2"))
    types = [item.cause.type for item in fold([UPGRADED, upgraded, FORGED], evidence)]
    assert CauseType.BINARY_CHANGED in types, "apart, each stands for its own"


def test_install_scripts_are_the_archives() -> None:
    host: dict[str, Any] = {"package_scripts": {KEY: "adduser --system evil"}}
    account = added(thing("user", "evil", uid=110, shell="/usr/sbin/nologin", directory="/"))
    assert set(folded(account, **host)) == {f"package-upgraded {KEY}"}
    assert "account-added evil" in folded(account, shipments=(ARCHIVE,), **host)
