"""The fold `package`: operations with their files and all that they generate; impostors are promoted."""

from dataclasses import replace

import pytest

from driftscan.compare import fold
from driftscan.compare.evidence import Evidence
from driftscan.compare.transaction import Item, Transaction
from driftscan.model.drift import CauseType, Difference, Grade, Mutation
from driftscan.model.resource import Resource
from driftscan.model.times import SECOND, nanoseconds
from tests.compare.building import A, B, added, directory, file, link, modified, removed, thing

GOOD, BAD = "1" * 32, "2" * 32
FILES = {
    "nginx/amd64": {
        "/usr/sbin/nginx": GOOD,
        "/lib/systemd/system/nginx.service": GOOD,
        "/etc/nginx": "",
        "/etc/nginx/nginx.conf": GOOD,
        "/etc/nginx/sites-available": "",
        "/etc/nginx/sites-available/default": GOOD,
        "/etc/nginx/sites-enabled": "",
        "/var/lib/nginx": "",
    },
    "nginx-common/all": {"/usr/share/nginx": "", "/usr/share/nginx/html": "", "/usr/share/nginx/html/index.html": GOOD},
}
HISTORY = (
    Transaction(start="2026-11-19T00:00:00Z", install=(Item("nginx", "amd64", "", "0.9"),)),
    Transaction(
        start="2026-11-20T06:12:33Z",
        end="2026-11-20T06:12:36Z",
        command="apt-get install nginx",
        requested_by="deploy (1000)",
        install=(Item("nginx", "amd64", "", "1.0"), Item("nginx-common", "amd64", "", "1.0", automatic=True)),
    ),
)
EVIDENCE = Evidence(package_files=FILES, history=HISTORY)
PACKAGES = (
    added(thing("package", "nginx/amd64", version="1.0", status="installed")),
    added(thing("package", "nginx-common/all", version="1.0", status="installed")),
)


def folded(*differences: Difference, evidence: Evidence = EVIDENCE) -> dict[str, Mutation]:
    return {f"{item.cause.type} {item.cause.subject}": item for item in fold(differences, evidence)}


def test_one_operation_with_everything_that_follows() -> None:
    found = folded(
        *PACKAGES,
        added(file("/usr/sbin/nginx", {"md5": GOOD}, mode="0755")),
        added(file("/usr/lib/systemd/system/nginx.service", {"md5": GOOD})),
        added(directory("/etc/nginx")),
        added(file("/etc/nginx/nginx.conf", {"md5": GOOD})),
        added(link("/etc/nginx/sites-enabled/default", "/etc/nginx/sites-available/default")),
        added(file("/usr/share/nginx/html/index.html")),
        added(directory("/var/lib/nginx")),
        added(directory("/var/lib/nginx/body", mode="0700", uid=33)),
        added(link("/etc/systemd/system/multi-user.target.wants/nginx.service", "/lib/systemd/system/nginx.service")),
        added(file("/var/lib/dpkg/info/nginx.list")),
        added(file("/var/lib/dpkg/info/nginx-common.postinst", mode="0755")),
        modified("file", "/var/lib/dpkg/status", sha256=(A, B)),
        modified("file", "/etc/ld.so.cache", sha256=(A, B)),
        added(link("/usr/bin/pager", "/etc/alternatives/pager")),
        added(link("/etc/alternatives/pager", "/usr/bin/less")),
        added(thing("service", "nginx.service", unit_file_state="enabled")),
        added(thing("listen", "tcp/0.0.0.0:80", process="/usr/sbin/nginx")),
    )
    (only,) = found.values()
    assert only.cause.type is CauseType.PACKAGE_INSTALLED
    assert only.cause.subject == "nginx/amd64"
    assert only.title == "nginx 1.0 installed (with it 1 more installed)"
    assert only.cause.detail == "3 files match the package database's MD5; 3 are consistent with its lists of files"
    assert only.attribution.grade is Grade.RECORDED
    assert (only.attribution.actor, only.attribution.at) == ("deploy", "2026-11-20T06:12:33Z")
    assert only.attribution.command == "apt-get install nginx"


@pytest.mark.parametrize(
    ("command", "actor"),
    [
        ("/usr/bin/unattended-upgrade", "unattended-upgrades"),
        ("/usr/bin/unattended-upgrades --verbose --minimal-upgrade-steps", "unattended-upgrades"),
        ("/usr/bin/python3 /usr/bin/unattended-upgrade -v", "unattended-upgrades"),
        ("/tmp/unattended-upgrade", "root"),
        ("unattended-upgrade", "root"),
        ("/usr/bin/unattended-upgrade install nginx", "root"),
        ("apt-get -o Dir::Log::x=unattended-upgrade install nginx", "root"),
        ("/usr/bin/unattended-upgrade\nx", "root"),
        ("", "root"),
    ],
)
def test_who_calls_himself_unattended_upgrades_is_not(command: str, actor: str) -> None:
    evidence = replace(EVIDENCE, history=(replace(HISTORY[1], command=command, requested_by=""),))
    (only,) = folded(*PACKAGES, evidence=evidence).values()
    assert only.attribution.actor == actor
    by_sudo = replace(EVIDENCE, history=(replace(HISTORY[1], command=command),))
    (only,) = folded(*PACKAGES, evidence=by_sudo).values()
    assert only.attribution.actor == "deploy"


def test_what_lies_in_its_paths_and_is_something_else_is_promoted() -> None:
    found = folded(*PACKAGES, added(file("/usr/sbin/nginx", {"md5": BAD}, mode="0755")))
    trojan = found["binary-changed /usr/sbin/nginx"]
    assert trojan.cause.detail == (
        "in the paths of package nginx/amd64 but does not match it: its database has another digest"
    )
    assert "package-installed nginx/amd64" in found


def test_an_edited_setting_of_the_package_is_an_edit() -> None:
    found = folded(*PACKAGES, added(file("/etc/nginx/nginx.conf", {"md5": BAD})))
    assert "file-added /etc/nginx/nginx.conf" in found


def test_what_came_at_the_same_time_is_not_folded() -> None:
    strangers = [
        added(file("/usr/bin/trojan", mode="0755")),
        added(file("/etc/nginx/conf.d/evil.conf")),
        added(link("/etc/nginx/sites-enabled/evil", "/tmp/evil")),
        added(file("/var/lib/nginx/run", mode="0755")),
        added(file("/var/lib/dpkg/info/other.postinst", mode="0755")),
        added(thing("service", "evil.service")),
        added(thing("listen", "tcp/0.0.0.0:81", process="/usr/bin/python3")),
        added(thing("user", "www", uid=999, shell="/usr/sbin/nologin", directory="/nonexistent")),
        removed(file("/usr/bin/tac")),
    ]
    found = folded(*PACKAGES, *strangers)
    assert found["package-installed nginx/amd64"].explains == 2
    assert len(found) == 1 + len(strangers)


def test_a_set_id_program_of_a_package_stands_for_itself() -> None:
    found = folded(*PACKAGES, added(file("/usr/sbin/nginx", {"md5": GOOD}, mode="4755")))
    assert found["privilege-bits /usr/sbin/nginx"].cause.detail == "in the paths of package nginx/amd64"


SCRIPTS = {"nginx/amd64": "adduser --system --group web\nmkdir -p /var/www/html\n"}


def test_accounts_and_paths_that_its_own_scripts_make() -> None:
    evidence = Evidence(package_files=FILES, history=HISTORY, package_scripts=SCRIPTS)
    account = thing("user", "web", uid=110, shell="/usr/sbin/nologin", directory="/var/www")
    rest = [
        added(thing("group", "web", gid=112)),
        added(thing("password", "web", password_status="locked")),
        added(directory("/var/www")),
        added(directory("/var/www/html")),
        modified("file", "/etc/passwd", sha256=(A, B)),
    ]
    found = folded(*PACKAGES, added(account), *rest, evidence=evidence)
    assert set(found) == {"package-installed nginx/amd64"}
    for changed in ({"uid": 1000}, {"shell": "/bin/bash"}, {"uid": 0}):
        other = thing("user", "web", **{**account.attributes, **changed})
        assert "account-added web" in folded(*PACKAGES, added(other), *rest, evidence=evidence)
    open_door = [added(thing("password", "web", password_status="set")), *rest[:1]]
    assert "account-added web" in folded(*PACKAGES, added(account), *open_door, evidence=evidence)


def test_without_history_each_package_stands_for_itself() -> None:
    found = folded(*PACKAGES, evidence=Evidence(package_files=FILES))
    assert set(found) == {"package-installed nginx/amd64", "package-installed nginx-common/all"}
    assert found["package-installed nginx/amd64"].attribution.grade is Grade.NONE


def changed(old: str, new: str, system: str = "dpkg") -> CauseType:
    (only,) = fold([modified("package", "x/amd64", version=(old, new))], Evidence(package_system=system))
    return only.cause.type


def test_upgraded_or_downgraded_by_the_package_systems_own_order() -> None:
    assert changed("1.9", "1.10") is CauseType.PACKAGE_UPGRADED
    assert changed("1.0", "1.0~rc1") is CauseType.PACKAGE_DOWNGRADED
    assert changed("1:1.0", "2.0") is CauseType.PACKAGE_DOWNGRADED
    assert changed("1.0a", "1.0.1", "rpm") is CauseType.PACKAGE_UPGRADED


def test_upgrade_takes_files_that_changed_and_those_that_went() -> None:
    evidence = Evidence(
        package_files={"x/amd64": {"/usr/bin/x": GOOD}, "y/amd64": {"/usr/bin/y": GOOD}}, every_package=True
    )
    found = folded(
        modified("package", "x/amd64", version=("1", "2")),
        modified("file", "/usr/bin/x", {"md5": GOOD}, sha256=(A, B)),
        removed(file("/usr/share/x/old")),
        removed(file("/usr/bin/y", mode="0755")),
        removed(file("/usr/local/bin/own", mode="0755")),
        evidence=evidence,
    )
    assert found["package-upgraded x/amd64"].explains == 3
    assert {"file-removed /usr/bin/y", "file-removed /usr/local/bin/own"} < set(found)


def test_what_went_is_not_guessed_where_not_every_package_is_known() -> None:
    gone = (removed(thing("package", "x/amd64", version="1")), removed(file("/usr/share/x/a")))
    assert folded(*gone, evidence=Evidence())["package-removed x/amd64"].explains == 1
    known = Evidence(baseline_files={"x/amd64": ("/usr/share/x/a",)})
    assert folded(*gone, evidence=known)["package-removed x/amd64"].explains == 2


def test_states_of_packages() -> None:
    held = fold([modified("package", "x/amd64", held=(False, True))])[0]
    assert held.cause.type is CauseType.PACKAGE_STATE
    assert held.title == "package x/amd64 changed: held False -> True"
    left = fold([modified("package", "x/amd64", status=("installed", "config-files"))])[0]
    assert left.cause.type is CauseType.PACKAGE_REMOVED
    back = fold([modified("package", "x/amd64", status=("config-files", "installed"))])[0]
    assert back.cause.type is CauseType.PACKAGE_INSTALLED


def test_a_second_version_beside_the_first() -> None:
    alone = thing("package", "kernel/x86_64", version="5.14-1")
    both = [thing("package", f"kernel/x86_64@5.14-{release}", version=f"5.14-{release}") for release in (1, 2)]
    (found,) = fold([removed(alone), *map(added, both)], Evidence(package_system="rpm"))
    assert (found.explains, found.title) == (3, "kernel 5.14-2 installed")
    (found,) = fold([added(alone), *map(removed, both)], Evidence(package_system="rpm"))
    assert (found.explains, found.title) == (3, "kernel 5.14-2 removed")


def test_a_downgrade_in_an_operation_gives_it_its_name() -> None:
    entry = Transaction(
        command="apt-get install a b=1",
        install=(Item("a", "amd64", "", "1"),),
        downgrade=(Item("b", "amd64", "2", "1"),),
    )
    found = fold(
        [added(thing("package", "a/amd64", version="1")), modified("package", "b/amd64", version=("2", "1"))],
        Evidence(history=(entry,)),
    )
    assert [item.title for item in found] == ["b 2 -> 1 downgraded (with it 1 more installed)"]


def test_the_id_does_not_hang_on_what_merely_follows() -> None:
    first = folded(*PACKAGES, added(file("/var/lib/dpkg/info/nginx.list")))
    second = folded(*PACKAGES, modified("file", "/etc/ld.so.cache", sha256=(A, B)))
    assert [item.id for item in first.values()] == [item.id for item in second.values()]


@pytest.mark.parametrize("seconds", [-100 * 86_400, -3600, -1, 0, 100, 300])
def test_what_is_loaded_follows_only_if_it_changed_while_apt_ran(seconds: int) -> None:
    at = nanoseconds(HISTORY[1].end) + seconds * SECOND
    before_the_log = at < nanoseconds(HISTORY[0].start)  # it was rotated since
    loaded = [
        modified("file", "/boot/initrd.img-6.1.0-28-amd64", {"ctime": at}, sha256=(A, B)),
        modified("file", "/etc/ld.so.cache", {"ctime": at}, sha256=(A, B)),
        added(file("/usr/lib/python3/dist-packages/__pycache__/x.pyc", {"ctime": at})),
        added(replace(link("/etc/alternatives/pager", "/usr/bin/less"), observed={"ctime": at})),
    ]
    found = folded(*PACKAGES, *loaded)["package-installed nginx/amd64"].differences
    follow = loaded if -1 <= seconds <= 0 or before_the_log else loaded[:3] if seconds == 100 else []
    assert [item for item in loaded if item in found] == follow  # install scripts set alternatives


def test_an_alternative_takes_the_place_of_no_file_and_leads_to_packaged_ones() -> None:
    good = [
        added(link("/usr/bin/pager", "/etc/alternatives/pager")),
        added(link("/etc/alternatives/pager", "/usr/bin/less")),
        removed(link("/etc/alternatives/x", "/opt/x")),
        added(link("/etc/alternatives/php-fpm.sock", "/run/php/php8.2-fpm.sock")),
        modified("file", "/etc/alternatives/vi", target=("/usr/bin/vim.tiny", "/usr/bin/vim.basic")),
    ]
    bad = [
        added(link("/etc/alternatives/editor", "/home/eve/x")),
        added(link("/etc/alternatives/awk", "/usr/bin/../../tmp/x")),
        added(link("/etc/alternatives/nc", "/usr/local/bin/nc")),
        modified("file", "/usr/bin/sudo", type=("regular", "symlink"), target=(None, "/etc/alternatives/sudo")),
    ]
    found = folded(*PACKAGES, *good, *bad)["package-installed nginx/amd64"].differences
    assert [item for item in (*good, *bad) if item in found] == good


def test_what_went_is_looked_at_for_its_own_package_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """To look at every file for every package took nine seconds where 400 packages went with 40,000 files."""
    asked: list[str] = []
    owners_of = Evidence.owners_of

    def counted(evidence: Evidence, path: str) -> tuple[str, ...]:
        asked.append(path)
        return owners_of(evidence, path)

    monkeypatch.setattr(Evidence, "owners_of", counted)
    lists = {f"p{name}/all": tuple(f"/usr/share/p{name}/{number}" for number in range(3)) for name in "abcd"}
    packages = [removed(thing("package", key, version="1.0", status="installed")) for key in lists]
    gone = [removed(file(path)) for paths in lists.values() for path in paths]
    found = folded(*packages, *gone, evidence=Evidence(baseline_files=lists))
    assert {name: len(item.differences) for name, item in found.items()} == {
        f"package-removed {key}": 4 for key in lists
    }
    assert sorted(asked) == sorted(item.key for item in gone)


def test_what_is_not_that_image_is_said_once() -> None:
    names = [f"p{number}" for number in range(30)]
    baked = Evidence(baseline_files={f"{name}/amd64": (f"/usr/bin/{name}",) for name in names})
    gone = [removed(thing("package", f"{name}/amd64", version="1")) for name in names]
    files = [removed(file(f"/usr/bin/{name}", mode="0755")) for name in names]
    came = [added(thing("package", f"q{number}/amd64", version="1", status="installed")) for number in range(30)]
    alien = added(file("/usr/local/bin/x", mode="0755"))
    system = modified("os_version", "-", platform=("debian", "alpine"))
    found = {item.cause.type: item for item in fold([*gone, *files, *came, alien, system], baked)}
    assert {cause: item.explains for cause, item in found.items()} == {
        CauseType.OS_CHANGED: 61, CauseType.PACKAGE_INSTALLED: 30, CauseType.BINARY_ADDED: 1,
    }  # fmt: skip
    assert found[CauseType.OS_CHANGED].title == (
        "this is not that image: 30 of its 30 packages and 30 of its files are not here;"
        " the image is of debian, and this is alpine"
    )
    assert len(fold([*gone[:15], *files[:15]], baked)) == 15  # half of it is there
    assert len(fold([*gone, *files[:7]], baked)) == 30  # only the database is gone


def certificates(*names: str) -> dict[str, str]:
    return {f"/usr/share/ca-certificates/mozilla/{name}.crt": GOOD for name in names}


def trusted(name: str, by: str = "bundle") -> Resource:
    return thing("ca_certificate", f"SHA256:{name}", subject=f"CN={name}", trusted_by=(by,))


UPGRADED_AUTHORITIES = (
    modified("package", "ca-certificates/all", version=("1", "2")),
    added(file("/usr/share/ca-certificates/mozilla/new.crt", {"md5": GOOD})),
    removed(file("/usr/share/ca-certificates/mozilla/old.crt")),
    added(trusted("new")),
    removed(trusted("old")),
    modified("file", "/etc/ca-certificates.conf", sha256=(A, B)),
    added(link("/etc/ssl/certs/new.pem", "/usr/share/ca-certificates/mozilla/new.crt")),
    added(link("/etc/ssl/certs/0123abcd.0", "new.pem")),
    removed(link("/etc/ssl/certs/old.pem", "/usr/share/ca-certificates/mozilla/old.crt")),
    modified("file", "/etc/ssl/certs/ca-certificates.crt", sha256=(A, B)),
)
AUTHORITIES = Evidence(
    package_files={"ca-certificates/all": certificates("new", "kept")},
    baseline_files={"ca-certificates/all": tuple(certificates("old", "kept"))},
    authorities={path: frozenset({f"SHA256:{name}"}) for name in ("new", "kept") for path in certificates(name)},
)


def test_authorities_follow_the_operation_that_brought_and_took_them() -> None:
    found = folded(*UPGRADED_AUTHORITIES, evidence=AUTHORITIES)
    assert set(found) == {"package-upgraded ca-certificates/all"}
    again = folded(*UPGRADED_AUTHORITIES, added(trusted("kept")), evidence=AUTHORITIES)
    assert set(again) == set(found), "a file that the package has, and had, may be chosen now"


@pytest.mark.parametrize(
    "smuggled",
    [
        added(trusted("evil")),
        removed(trusted("kept")),
        modified("ca_certificate", "SHA256:evil", trusted_by=((), ("bundle",))),
    ],
)
def test_an_authority_that_no_package_has_leaves_the_bundle_open(smuggled: Difference) -> None:
    found = folded(*UPGRADED_AUTHORITIES, smuggled, evidence=AUTHORITIES)
    (other,) = [item for name, item in found.items() if not name.startswith("package-upgraded")]
    left = {item.key for item in other.differences}
    assert {smuggled.key, "/etc/ssl/certs/ca-certificates.crt"} <= left
    assert "SHA256:new" not in left


def test_an_authority_of_a_directory_alone_is_left_and_the_bundle_is_not() -> None:
    found = folded(*UPGRADED_AUTHORITIES, added(trusted("snakeoil", "directory")), evidence=AUTHORITIES)
    (other,) = [item for name, item in found.items() if not name.startswith("package-upgraded")]
    assert {item.key for item in other.differences} == {"SHA256:snakeoil"}


def test_an_authority_in_a_file_that_is_not_as_shipped_follows_nothing() -> None:
    shipped, *rest = [item for item in UPGRADED_AUTHORITIES if item.key.endswith("new.crt")]
    assert not rest
    forged = [replace(item, observed={"md5": BAD}) if item is shipped else item for item in UPGRADED_AUTHORITIES]
    left = {
        item.key
        for found in folded(*forged, evidence=AUTHORITIES).values()
        if found.cause.type is not CauseType.PACKAGE_UPGRADED
        for item in found.differences
    }
    assert {"SHA256:new", shipped.key, "/etc/ssl/certs/ca-certificates.crt"} <= left


@pytest.mark.parametrize(
    "item",
    [
        added(file("/etc/ssl/certs/evil.pem")),
        modified("file", "/etc/ssl/certs/new.pem", type=("symlink", "regular")),
        added(link("/etc/ssl/certs/java/evil", "/tmp/x")),
    ],
)
def test_of_the_certificate_directory_only_links_follow(item: Difference) -> None:
    found = folded(*UPGRADED_AUTHORITIES[:6], item, evidence=AUTHORITIES)
    assert any(item in each.differences for name, each in found.items() if not name.startswith("package"))
