"""What are parts of one act is one mutation, whichever folds its parts came from; and only that."""

import pytest

from driftscan.compare import fold
from driftscan.compare.copies import NAMES_ALONE
from driftscan.compare.evidence import Evidence
from driftscan.model.drift import CauseType, Difference, Mutation
from driftscan.model.resource import Resource
from tests.compare.building import A, B, C, added, directory, file, link, modified, removed, resources, thing

AGENT = added(file("/usr/local/bin/agent", mode="0755"))
LISTENS = added(thing("listen", "tcp/0.0.0.0:9999", process="/usr/local/bin/agent", port=9999, unit="agent.service"))
UNIT = added(thing("service", "agent.service", exec_start=("-/usr/local/bin/agent -m http.server",)))
MANAGER = "/usr/lib/systemd/systemd"


def folded(*differences: Difference, have: tuple[Resource, ...] = ()) -> dict[str, Mutation]:
    """Mutations by cause and subject."""
    found = fold(differences, Evidence(resources=resources(have)))
    return {f"{item.cause.type} {item.cause.subject}": item for item in found}


def one(*differences: Difference, have: tuple[Resource, ...] = ()) -> Mutation:
    found = folded(*differences, have=have)
    assert len(found) == 1, list(found)
    return next(iter(found.values()))


def test_a_unit_with_its_program_and_its_port() -> None:
    found = one(
        AGENT,
        LISTENS,
        UNIT,
        added(file("/etc/systemd/system/agent.service")),
        added(link("/etc/systemd/system/multi-user.target.wants/agent.service", "/etc/systemd/system/agent.service")),
    )
    assert (found.cause.type, found.explains) == (CauseType.SERVICE_ADDED, 5)
    assert found.title == "agent.service added (with /usr/local/bin/agent; it listens on tcp/0.0.0.0:9999)"


def test_a_unit_with_the_tree_that_it_runs_from() -> None:
    unit = added(thing("service", "t.service", exec_start=("/opt/tool/bin/t",)))
    tree = (
        directory("/opt/tool"),
        directory("/opt/tool/bin"),
        file("/opt/tool/bin/t", mode="0755"),
        file("/opt/tool/x"),
    )
    assert one(unit, *map(added, tree)).explains == 5


def test_a_unit_that_starts_a_shell() -> None:
    unit = added(thing("service", "u.service", exec_start=('/bin/sh -c "/usr/local/bin/agent"',)))
    assert one(AGENT, unit).explains == 2


def test_a_unit_takes_no_more_than_it_names() -> None:
    many = [added(file(f"/opt/t/n{number}", mode="0755")) for number in range(12)]
    found = folded(added(thing("service", "t.service", exec_start=("/opt/t/n1",))), *many)
    assert set(found) == {"binary-added /opt/t", "service-added t.service"}


def test_a_program_with_its_port() -> None:
    found = one(AGENT, LISTENS)
    assert found.title == "program /usr/local/bin/agent added (mode 0755, uid 0) (it listens on tcp/0.0.0.0:9999)"
    assert found.id == one(AGENT).id  # the same finding whether it runs or not


def test_a_program_that_runs() -> None:
    found = one(AGENT, added(thing("process", "/usr/local/bin/agent", reasons=("outside",))))
    assert (found.cause.type, found.explains) == (CauseType.BINARY_ADDED, 2)


def test_a_port_of_a_program_of_the_image_is_its_own_matter() -> None:
    python = added(thing("listen", "tcp/0.0.0.0:1", process="/usr/bin/python3.11", unit="ssh.service"))
    assert set(folded(AGENT, python)) == {"binary-added /usr/local/bin/agent", "listener-opened /usr/bin/python3.11"}


def test_a_socket_with_its_template_and_its_port() -> None:
    rows = [added(thing("service", "diag.socket")), added(thing("service", "diag@.service", exec_start=("-/bin/sh",)))]
    port = added(thing("listen", "tcp/[::]:7777", process=MANAGER, unit="init.scope"))
    assert one(*rows, port).title == "diag.socket and diag@.service added (it listens on tcp/[::]:7777)"
    other = added(thing("service", "other.socket"))
    assert f"listener-opened {MANAGER}" in folded(*rows, other, port)  # nobody knows whose it is


@pytest.mark.parametrize(("port", "joined"), [(2222, True), (4444, False)])
def test_a_port_of_sshd(port: int, joined: bool) -> None:
    setting = modified("sshd_setting", "port", value=("22", "22 2222"))
    socket = added(thing("listen", f"tcp/0.0.0.0:{port}", process="/usr/sbin/sshd", port=port, unit="ssh.service"))
    assert (len(folded(setting, socket)) == 1) is joined


def test_a_mount_over_a_process_hides_who_listens() -> None:
    hidden = [
        modified("listen", f"unix//run/{name}", process=(MANAGER, ""), unit=("init.scope", "")) for name in "abcd"
    ]
    found = one(added(thing("mount", "/proc/1", type="ext4")), *hidden)
    assert (found.explains, found.title) == (
        5, "mount changed: /proc/1 added (it hides who holds unix//run/a, unix//run/b, unix//run/c and 1 more)",
    )  # fmt: skip
    elsewhere = folded(added(thing("mount", "/mnt", type="ext4")), *hidden)
    assert len(elsewhere) == 5


def test_what_a_mount_shows() -> None:
    mount = added(thing("mount", "/usr/local/sbin", type="ext4", root="/opt/b"))
    shown = added(file("/usr/local/sbin/zz", mode="0755"))
    found = one(mount, shown, modified("file", "/usr/local/sbin", mode=("0755", "1777")))
    assert (found.cause.type, found.explains) == (CauseType.MOUNT_CHANGED, 3)
    assert len(folded(mount, added(file("/usr/local/sbin2", mode="0755")))) == 2
    assert len(folded(added(thing("mount", "/srv", type="ext4")), added(file("/srv/zz", mode="0755")))) == 2


def test_what_came_to_be_mounted() -> None:
    mount = added(thing("mount", "/usr/bin/last", type="overlay", root="/opt/last"))
    found = one(mount, added(file("/opt/last", mode="0755")))
    assert found.title == "mount changed: /usr/bin/last added (/opt/last lies there now)"


def test_a_file_to_swap_to() -> None:
    swap = added(thing("mount", "none:/swapfile", config_type="swap"))
    assert one(swap, added(file("/swapfile", mode="0600"))).cause.type is CauseType.MOUNT_CHANGED


def test_a_link_to_what_came() -> None:
    tree = (directory("/srv/app/releases"), directory("/srv/app/releases/2"), file("/srv/app/releases/2/x"))
    assert one(*map(added, tree), added(link("/srv/app/current", "releases/2"))).explains == 4


def test_a_command_of_a_package_of_npm() -> None:
    root = "/usr/local/lib/node_modules"
    found = one(
        added(directory(root)),
        added(directory(f"{root}/left-pad")),
        added(file(f"{root}/left-pad/i.js", mode="0755")),
        added(thing("npm_package", f"left-pad@{root}", version="1.3.0", directory=root)),
        added(link("/usr/local/bin/lp", "../lib/node_modules/left-pad/i.js")),
    )
    assert found.title == "npm package left-pad added (1.3.0) (/usr/local/bin/lp leads to it)"


def test_bytecode_of_a_python_module() -> None:
    root = "/usr/local/lib/python3.11/dist-packages"
    found = one(
        added(thing("python_package", f"zzmod@{root}", version="1.0", directory=root)),
        added(file(f"{root}/zzmod.py")),
        added(directory(f"{root}/__pycache__")),
        added(file(f"{root}/__pycache__/zzmod.cpython-311.pyc")),
    )
    assert found.explains == 4


@pytest.mark.parametrize(
    ("name", "digest", "words"),
    [
        ("/etc/fstab.2026-11-26", A, "the old one is /etc/fstab.2026-11-26 now"),
        ("/etc/fstab.bak", C, "/etc/fstab.bak was kept beside it"),
        ("/etc/fstab~", C, "/etc/fstab~ was kept beside it"),
        ("/etc/.fstab.swp", C, "/etc/.fstab.swp was kept beside it"),
    ],
)
def test_what_was_kept_goes_with_what_it_was_kept_of(name: str, digest: str, words: str) -> None:
    mount = added(thing("mount", "/mnt", config_type="ext4"))
    found = one(mount, modified("file", "/etc/fstab", sha256=(A, B)), added(file(name, sha256=digest)))
    assert (found.cause.type, found.title) == (CauseType.MOUNT_CHANGED, f"mount changed: /mnt added ({words})")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/etc/sudoers.d/x", file("/etc/sudoers.d/x.bak", sha256=C)),
        ("/home/eve/.ssh/authorized_keys", file("/home/eve/.ssh/authorized_keys.old", sha256=C)),
        ("/etc/motd", file("/etc/motd.bak", mode="0755", sha256=C)),
        ("/etc/motd", file("/etc/motd.bak", mode="4644", sha256=A)),
        ("/etc/motd", file("/etc/motd.sh", sha256=C)),
        ("/etc/other", file("/etc/motd.bak", sha256=C)),
    ],
)
def test_what_is_no_copy_stays_by_itself(old: str, new: Resource) -> None:
    assert len(folded(modified("file", old, sha256=(A, B)), added(new))) == 2


def test_an_edited_file_with_two_names() -> None:
    names = ("/usr/bin/perl", "/usr/bin/perl5.36.0")
    found = one(*(modified("file", name, {"inode": 7}, sha256=(A, B)) for name in names))
    assert found.title == "/usr/bin/perl changed: content (/usr/bin/perl5.36.0 is another name of it)"
    apart = folded(*(modified("file", name, {"inode": len(name)}, sha256=(A, B)) for name in names))
    assert len(apart) == 2


def test_a_file_that_came_with_two_names() -> None:
    names = ("/usr/bin/bash-static", "/var/tmp/.b")
    found = one(*(added(file(name, {"inode": 7}, mode="4755", nlink=2)) for name in names))
    assert (found.cause.type, found.explains) == (CauseType.PRIVILEGE_BITS, 2)
    assert len(folded(*(added(file(name, {"inode": 7}, mode="4755", nlink=1)) for name in names))) == 2


HAVE = (file("/usr/bin/perl", sha256=A), file("/usr/bin/perl5.36.0", sha256=A), file("/usr/bin/perlbug", sha256=B))
FEWER = modified("file", "/usr/bin/perl5.36.0", nlink=(2, 1))


@pytest.mark.parametrize(
    "reason",
    [
        modified("file", "/usr/bin/perl", sha256=(A, B), nlink=(2, 1)),
        modified("file", "/usr/bin/perl", capabilities=("", "cap_setuid=ep"), nlink=(2, 1)),
        removed(file("/usr/bin/perl", sha256=A, nlink=2)),
    ],
)
def test_a_name_goes_with_what_became_of_the_other(reason: Difference) -> None:
    assert one(reason, FEWER, have=HAVE).explains == 2


def test_a_new_name() -> None:
    new = added(file("/opt/perl", mode="0755", nlink=3, sha256=A))
    assert one(new, modified("file", "/usr/bin/perl", nlink=(2, 3)), have=HAVE).cause.type is CauseType.BINARY_ADDED


def test_hard_links_that_were_broken() -> None:
    other = modified("file", "/usr/bin/perlbug", nlink=(2, 1))
    found = folded(modified("file", "/usr/bin/perl", nlink=(2, 1)), FEWER, other, have=HAVE)
    assert [item.cause.detail for item in found.values()] == [NAMES_ALONE] * 2
    assert found["binary-changed /usr/bin/perl"].title == (
        "2 files lost other names (hard links): /usr/bin/perl, /usr/bin/perl5.36.0"
    )


def test_a_name_that_nobody_finds_is_no_broken_link() -> None:
    found = one(modified("file", "/usr/bin/perl", nlink=(2, 3)), have=HAVE)
    assert found.cause.detail != NAMES_ALONE


def test_a_shadow_file_that_was_opened_is_no_matter_of_an_account() -> None:
    found = folded(
        modified("password", "root", password_status=("disabled", "set")),
        modified("file", "/etc/shadow", acl=("", "user:games:rw-"), mode=("0640", "0660")),
        modified("file", "/etc/shadow-", mode=("0640", "0660")),
        modified("file", "/etc/passwd-", sha256=(A, B)),
    )
    assert {name: item.explains for name, item in found.items()} == {
        "account-changed root": 3,
        "configuration-changed /etc/shadow": 1,
    }


def test_a_job_with_the_directory_that_came_for_it() -> None:
    spool = "/var/spool/cron/atjobs"
    assert one(added(directory(spool)), added(file(f"{spool}/a00001", mode="0700"))).explains == 2
