"""One act that touches many things, or two places at once, is one mutation."""

from dataclasses import replace

import pytest

from driftscan.compare import fold
from driftscan.compare.evidence import Evidence
from driftscan.model.drift import CauseType, Difference, Mutation
from driftscan.model.zone import ZoneClass
from tests.compare.building import A, B, C, added, directory, file, link, modified, removed, resources, thing


def folded(*differences: Difference, evidence: Evidence | None = None) -> dict[str, Mutation]:
    """Mutations by cause and subject."""
    return {f"{item.cause.type} {item.cause.subject}": item for item in fold(differences, evidence)}


def keys(mutation: Mutation) -> set[str]:
    return {item.key for item in mutation.differences}


def one(*differences: Difference) -> Mutation:
    found = fold(differences)
    assert len(found) == 1, [(item.cause.type, item.title) for item in found]
    return found[0]


def test_a_drop_in_of_all_units_is_one_act() -> None:
    path = "/etc/systemd/system/service.d/a.conf"
    rows = [modified("service", f"{name}.service", drop_ins=((), (path,)), digest=("1", "2")) for name in "abc"]
    own = "/etc/systemd/system/d.service.d/o.conf"
    both = modified("service", "d.service", drop_ins=((), (own, path)), digest=("1", "2"))
    found = folded(
        added(directory("/etc/systemd/system/service.d")),
        added(file(path)),
        *rows,
        both,
        added(directory("/etc/systemd/system/d.service.d")),
        added(file(own)),
    )
    assert set(found) == {f"service-changed {path}", "service-changed d.service"}
    assert found[f"service-changed {path}"].explains == 5
    assert found[f"service-changed {path}"].title == f"drop-in {path} added: it changes 3 units"
    assert keys(found["service-changed d.service"]) == {"d.service", own, "/etc/systemd/system/d.service.d"}


def test_an_edited_drop_in_of_all_units_is_one_act() -> None:
    path = "/etc/systemd/system/service.d/a.conf"
    have = resources([thing("service", "a.service", drop_ins=(path,)), thing("service", "b.service", drop_ins=())])
    found = folded(
        modified("file", path, sha256=(A, B)),
        modified("service", "a.service", digest=("1", "2")),
        modified("service", "b.service", digest=("1", "2")),
        evidence=Evidence(resources=have),
    )
    assert keys(found[f"service-changed {path}"]) == {path, "a.service"}
    assert keys(found["service-changed b.service"]) == {"b.service"}


def test_a_drop_in_that_does_not_outlive_a_boot_belongs_to_its_unit() -> None:
    path = "/run/systemd/system/cron.service.d/o.conf"
    row = modified("service", "cron.service", drop_ins=((), (path,)), digest=("1", "2"))
    found = one(row, added(directory("/run/systemd/system/cron.service.d")), added(file(path)))
    assert (found.cause.type, found.explains) == (CauseType.SERVICE_CHANGED, 3)


def test_a_unit_that_is_linked_takes_its_file_along() -> None:
    found = folded(
        added(thing("service", "x.service", fragment_path="/etc/systemd/system/x.service")),
        added(link("/etc/systemd/system/x.service", "/opt/u/x.service")),
        added(directory("/opt/u")),
        added(file("/opt/u/x.service")),
        added(directory("/opt/v")),
        added(file("/opt/v/y.service")),
    )
    assert found["service-added x.service"].explains == 4
    assert "file-added /opt/v" in found


@pytest.mark.parametrize("place", ["/etc/systemd/user", "/home/eve/.config/systemd/user"])
def test_units_of_users_are_units(place: str) -> None:
    found = one(
        added(directory(place)),
        added(file(f"{place}/sync.service")),
        added(directory(f"{place}/default.target.wants")),
        added(link(f"{place}/default.target.wants/sync.service", "../sync.service")),
    )
    assert (found.cause.type, found.cause.subject, found.explains) == (CauseType.SERVICE_ADDED, "sync.service", 4)


def test_an_edited_unit_of_users_is_a_change() -> None:
    found = one(modified("file", "/usr/lib/systemd/user/dbus.service", sha256=(A, B)))
    assert (found.cause.type, found.cause.subject) == (CauseType.SERVICE_CHANGED, "dbus.service")


def test_a_service_that_was_stopped_listens_no_longer() -> None:
    found = folded(
        modified("service", "exim4.service", active_state=("active", "inactive")),
        removed(thing("listen", "tcp/127.0.0.1:25", process="/usr/sbin/exim4", unit="exim4.service")),
        removed(thing("listen", "tcp/0.0.0.0:80", process="/usr/sbin/nginx", unit="nginx.service")),
    )
    assert found["service-changed exim4.service"].explains == 2
    assert "listener-closed /usr/sbin/nginx" in found


def test_settings_of_an_interface_come_with_it() -> None:
    found = folded(
        added(thing("interface", "br9", mtu=1500)),
        added(thing("sysctl", "net.ipv4.conf.br9.forwarding", current_value="0")),
        added(thing("sysctl", "net.ipv6.neigh.br9.app_solicit", current_value="0")),
        modified("sysctl", "net.ipv4.conf.eth0.forwarding", current_value=("0", "1")),
    )
    assert found["network-changed network"].explains == 3
    assert found["sysctl-changed kernel settings"].explains == 1


def test_a_link_where_a_directory_was() -> None:
    found = one(
        modified("file", "/etc/app.d", type=("directory", "symlink"), target=(None, "/opt/lr"), mode=("0755", None)),
        removed(file("/etc/app.d/a")),
        removed(file("/etc/app.d/b")),
        added(directory("/opt/lr")),
        added(file("/opt/lr/a")),
    )
    assert (found.cause.type, found.explains) == (CauseType.CONFIGURATION_CHANGED, 5)
    assert found.title == "/etc/app.d is a symlink to /opt/lr now, and was a directory with 2 files"


def test_a_link_to_a_program_that_came() -> None:
    row = modified("file", "/usr/bin/cut", type=("regular", "symlink"), target=(None, "/opt/cut"))
    found = one(row, added(file("/opt/cut", mode="0755")))
    assert (found.cause.type, found.explains) == (CauseType.BINARY_CHANGED, 2)
    conf = modified("file", "/etc/cut", sha256=(B, None), type=("regular", "symlink"), target=(None, "/opt/cut"))
    assert "binary-added /opt/cut" in folded(conf, added(file("/opt/cut", mode="0755")))


def test_an_alternative_takes_its_links_along() -> None:
    found = folded(
        added(link("/etc/alternatives/editor", "/usr/bin/true")),
        added(link("/usr/bin/editor", "/etc/alternatives/editor")),
        added(file("/var/lib/dpkg/alternatives/editor")),
        modified("file", "/etc/alternatives/awk", target=("/usr/bin/mawk", "/usr/bin/gawk")),
        modified("file", "/var/lib/dpkg/alternatives/awk", sha256=(A, B)),
    )
    assert found["configuration-changed /etc/alternatives/editor"].explains == 3
    assert found["configuration-changed /etc/alternatives/editor"].title == "alternative editor added: /usr/bin/true"
    awk = found["configuration-changed /etc/alternatives/awk"]
    assert (awk.explains, awk.title) == (2, "alternative awk changed: /usr/bin/mawk -> /usr/bin/gawk")


def test_an_alternative_has_slaves() -> None:
    found = one(
        modified("file", "/etc/alternatives/awk", target=("/usr/bin/mawk", "/usr/bin/gawk")),
        modified("file", "/etc/alternatives/awk.1.gz", target=("/usr/share/man/mawk", "/usr/share/man/gawk")),
        modified("file", "/var/lib/dpkg/alternatives/awk", sha256=(A, B)),
    )
    assert (found.cause.subject, found.explains) == ("/etc/alternatives/awk", 3)


def test_what_was_moved_is_one_act() -> None:
    found = folded(
        removed(file("/usr/bin/yes", mode="0755", sha256=B)),
        added(file("/usr/bin/yes.distrib", mode="0755", sha256=B)),
        modified("file", "/var/lib/dpkg/diversions", sha256=(A, C)),
        removed(directory("/usr/share/doc/x")),
        removed(file("/usr/share/doc/x/a", sha256=C)),
        added(directory("/usr/share/doc/x-old")),
        added(file("/usr/share/doc/x-old/a", sha256=C)),
        removed(file("/home/eve/notes", sha256=B)),
        added(file("/home/eve/.ssh/authorized_keys", sha256=B)),
    )
    assert found["file-removed /usr/bin/yes"].explains == 3
    assert found["file-removed /usr/bin/yes"].title == "/usr/bin/yes moved to /usr/bin/yes.distrib"
    assert found["file-removed /usr/share/doc/x"].explains == 4
    assert {"file-removed /home/eve/notes", "file-added /home/eve/.ssh/authorized_keys"} <= set(found)


def accepted(item: Difference) -> Difference:
    return replace(item, zone=ZoneClass.DERIVED, allowed=True)


def test_a_file_that_a_zone_accepts_follows_what_stands_in_it() -> None:
    hosts = accepted(modified("file", "/etc/hosts", sha256=(A, B)))
    fstab = accepted(modified("file", "/etc/fstab", sha256=(A, B)))
    found = folded(
        hosts,
        fstab,
        modified("host_entry", "127.0.0.1", hostnames=(("a",), ("b",))),
        added(thing("mount", "/a", device="none", type="tmpfs", config_device=None)),
        added(thing("mount", "/b", device=None, config_device="/dev/sdz")),
    )
    assert keys(found["name-resolution-changed name resolution"]) == {"127.0.0.1", "/etc/hosts"}
    assert keys(found["mount-changed /a"]) == {"/a"}
    assert keys(found["mount-changed /b"]) == {"/b", "/etc/fstab"}


def test_subordinate_ids_are_no_matter_of_a_user_that_changed_otherwise() -> None:
    found = folded(
        modified("user", "eve", shell=("/bin/sh", "/bin/bash")),
        modified("file", "/etc/subuid", sha256=(A, B)),
        accepted(modified("file", "/etc/passwd", sha256=(A, B))),
    )
    assert keys(found["account-changed eve"]) == {"eve", "/etc/passwd"}
    assert "configuration-changed /etc/subuid" in found


def test_a_key_in_a_home_that_was_there_comes_with_a_second_root() -> None:
    key = added(thing("authorized_key", "toor/SHA256:1", file="/root/.ssh/authorized_keys"))
    found = one(added(thing("user", "toor", uid=0, directory="/root")), key)
    assert keys(found) == {"toor", "toor/SHA256:1"}
    files = accepted(modified("file", "/root/.ssh/authorized_keys", sha256=(A, B)))
    assert "access-granted toor" in folded(added(thing("user", "toor", uid=0, directory="/root")), key, files)
    assert "access-granted toor" in folded(added(thing("user", "toor", uid=1001, directory="/root")), key)


def test_a_second_name_of_a_set_id_program() -> None:
    have = resources([file("/usr/bin/sudo", mode="4755", nlink=2, sha256=B)])
    found = folded(
        added(file("/opt/old", mode="4755", nlink=2, sha256=B)),
        modified("file", "/usr/bin/sudo", nlink=(1, 2)),
        modified("file", "/usr/bin/who", nlink=(1, 2)),
        evidence=Evidence(resources=have),
    )
    assert keys(found["privilege-bits /opt/old"]) == {"/opt/old", "/usr/bin/sudo"}
    assert "binary-changed /usr/bin/who" in found


def test_a_program_that_another_took_the_place_of() -> None:
    found = one(modified("file", "/usr/bin/who", sha256=(B, C)), added(file("/usr/bin/who.real", sha256=B)))
    assert (found.cause.type, found.title) == (
        CauseType.BINARY_CHANGED, "/usr/bin/who changed: content (the old one is /usr/bin/who.real now)",
    )  # fmt: skip
    kept = one(modified("file", "/etc/a.conf", sha256=(B, C)), added(file("/etc/a.conf~", sha256=B)))
    assert kept.cause.type is CauseType.CONFIGURATION_CHANGED
    assert len(fold([modified("file", "/etc/a.conf", sha256=(B, C)), added(file("/etc/a.conf.mine", sha256=A))])) == 2


def test_a_directory_changes_with_what_lies_in_it() -> None:
    top = "/usr/share/x"
    rows = [modified("file", f"{top}/{number}", mode=("0644", "0646")) for number in range(12)]
    found = one(modified("file", top, mode=("0755", "0757")), *rows)
    assert (found.explains, found.title) == (13, f"13 files beneath {top} changed (mode)")


def test_a_name_that_went_over_to_another_unit() -> None:
    found = one(
        modified("service", "graphical.target", aliases=(("default.target", "x.target"), ("x.target",))),
        modified("service", "rescue.target", aliases=((), ("default.target",))),
        added(link("/etc/systemd/system/default.target", "/usr/lib/systemd/system/rescue.target")),
    )
    assert found.explains == 3


def test_a_pair_of_keys_is_one_act() -> None:
    found = one(added(file("/root/.ssh/id_rsa", mode="0600")), added(file("/root/.ssh/id_rsa.pub")))
    assert found.cause.subject == "/root/.ssh/id_rsa"


def test_a_library_lies_anywhere() -> None:
    assert one(added(file("/opt/lib/libz.so.1"))).cause.type is CauseType.BINARY_ADDED


def test_a_process_of_a_program_that_the_image_never_had() -> None:
    image = Evidence(
        baseline_files={"nginx/amd64": ("/usr/sbin/nginx", "/bin/sh")}, resources=resources([file("/usr/bin/x")])
    )
    rows = {path: added(thing("process", path, reasons=("deleted",))) for path in ("/usr/sbin/nginx", "/usr/bin/sh")}
    rows |= {path: added(thing("process", path, reasons=("deleted",))) for path in ("/usr/bin/x", "/usr/sbin/agentd")}
    rows["/opt/live"] = added(thing("process", "/opt/live", reasons=("outside",)))
    found = folded(*rows.values(), evidence=image)
    details = {item.cause.subject: item.cause.detail for item in found.values()}
    assert details == dict.fromkeys(rows, "") | {"/usr/sbin/agentd": "of no image, and gone from disk"}
    assert one(rows["/usr/sbin/agentd"]).cause.detail == ""


def test_many_trees_of_one_directory_are_one_act() -> None:
    rows = [removed(directory(f"/usr/share/doc/p{number}")) for number in range(12)]
    rows += [removed(file(f"/usr/share/doc/p{number}/copyright", sha256=A)) for number in range(12)]
    found = one(*rows, removed(link("/usr/share/doc/q", "p1")))
    assert (found.explains, found.title) == (25, "12 directories of /usr/share/doc removed with 12 files beneath them")


def test_a_user_that_was_renamed_is_one_act() -> None:
    old = thing("user", "deploy", uid=1000, directory="/home/deploy", shell="/bin/bash")
    new = thing("user", "mallory", uid=1000, directory="/home/deploy", shell="/bin/bash")
    found = folded(
        removed(old),
        added(new),
        removed(thing("password", "deploy", password_status="set")),
        added(thing("password", "mallory", password_status="set")),
        removed(thing("authorized_key", "deploy/SHA256:1", file="/home/deploy/.ssh/authorized_keys")),
        added(thing("authorized_key", "mallory/SHA256:1", file="/home/deploy/.ssh/authorized_keys")),
        added(thing("authorized_key", "mallory/SHA256:2", file="/home/deploy/.ssh/authorized_keys")),
    )
    assert set(found) == {"account-changed mallory", "access-granted mallory"}
    assert found["account-changed mallory"].title == "user deploy renamed to mallory (uid 1000; shell /bin/bash)"


def test_a_changed_key_says_what_changed_and_takes_its_file() -> None:
    lies = "/home/eve/.ssh/authorized_keys"
    have = resources([thing("authorized_key", "eve/SHA256:1", file=lies)])
    (found,) = fold(
        [
            modified("authorized_key", "eve/SHA256:1", options=((), ("no-pty",))),
            accepted(modified("file", lies, sha256=(A, B))),
        ],
        Evidence(resources=have),
    )
    assert (found.explains, found.title) == (2, "1 ssh key changed for eve: SHA256:1 (options nothing -> no-pty)")
