"""Each cause is recognised, takes what belongs to it, and nothing else."""

import pytest

from driftscan.compare import fold
from driftscan.compare.evidence import Evidence
from driftscan.compare.folds.service import unit_of
from driftscan.compare.transaction import Item, Transaction
from driftscan.model.drift import CauseType, Change, Difference, Grade, Mutation
from driftscan.model.zone import ZoneClass
from tests.compare.building import A, B, added, directory, file, link, modified, removed, resources, thing


def folded(*differences: Difference, evidence: Evidence | None = None) -> dict[str, Mutation]:
    """Mutations by cause and subject."""
    return {f"{item.cause.type} {item.cause.subject}": item for item in fold(differences, evidence)}


def keys(mutation: Mutation) -> set[str]:
    return {item.key for item in mutation.differences}


def one(*differences: Difference, evidence: Evidence | None = None) -> Mutation:
    found = fold(differences, evidence)
    assert len(found) == 1, [(item.cause.type, item.title) for item in found]
    return found[0]


def derived(path: str) -> Difference:
    item = modified("file", path, sha256=(A, B))
    return Difference(
        kind="file", key=path, change=Change.MODIFIED, attributes=item.attributes, zone=ZoneClass.DERIVED, allowed=True
    )


# account


def test_account_with_its_rows_home_and_files() -> None:
    found = one(
        added(thing("user", "eve", uid=1001, gid=1001, directory="/home/eve", shell="/bin/bash")),
        added(thing("group", "eve", gid=1001, members=())),
        modified("group", "sudo", members=((), ("eve",))),
        added(thing("password", "eve", password_status="locked")),
        added(directory("/home/eve")),
        added(file("/home/eve/.bashrc")),
        added(directory("/home/eve/.ssh")),
        added(file("/var/mail/eve")),
        *(derived(f"/etc/{name}") for name in ("passwd", "group", "shadow", "gshadow", "passwd-")),
    )
    assert found.cause.type is CauseType.ACCOUNT_ADDED
    assert found.cause.subject == "eve"
    assert found.explains == 13
    assert found.title == "user eve added (uid 1001; groups sudo; shell /bin/bash; home /home/eve)"


def test_what_else_lies_in_a_new_home_is_not_hidden_by_the_account() -> None:
    found = folded(
        added(thing("user", "eve", uid=1001, directory="/home/eve", shell="/bin/sh")),
        added(directory("/home/eve")),
        added(file("/home/eve/tool", mode="0755")),
        added(file("/home/eve/notes")),
        added(file("/home/eve/.profile")),
        added(file("/root/x")),
    )
    assert keys(found["account-added eve"]) == {"eve", "/home/eve", "/home/eve/.profile"}
    assert set(found) == {
        "account-added eve", "binary-added /home/eve/tool", "file-added /home/eve/notes", "file-added /root/x",
    }  # fmt: skip


def test_a_home_that_is_a_root_of_everything_takes_nothing_along() -> None:
    found = folded(added(thing("user", "eve", uid=7, directory="/", shell="")), added(file("/etc/x")))
    assert set(found) == {"account-added eve", "file-added /etc/x"}


def test_account_changed_and_removed() -> None:
    assert one(modified("user", "root", shell=("/bin/sh", "/bin/bash"))).title == (
        "user root changed: shell /bin/sh -> /bin/bash"
    )
    gone = one(removed(thing("user", "eve", uid=1, directory="/home/eve")), removed(file("/home/eve/x")))
    assert gone.cause.type is CauseType.ACCOUNT_REMOVED
    assert gone.explains == 2
    assert one(modified("password", "root", password_status=("locked", "set"))).cause.type is CauseType.ACCOUNT_CHANGED
    assert one(added(thing("group", "wheel", gid=10))).cause.subject == "wheel"
    row = thing("password", "eve", password_status="locked", hash_alg="", expire=None)
    assert one(added(row)).title == "password of eve password_status nothing -> locked"


# access


def test_a_program_is_no_file_of_sudo_rules() -> None:
    """Whatever the key of a rule says: what became of the program is told apart."""
    found = folded(removed(thing("sudo_rule", "/usr/bin/nginx:eve")), modified("file", "/usr/bin/nginx", sha256=(A, B)))
    assert found["access-revoked /usr/bin/nginx"].explains == 1


def test_access_with_the_files_that_hold_it() -> None:
    found = folded(
        added(thing("authorized_key", "root/SHA256:abc", file="/root/.ssh/authorized_keys")),
        derived("/root/.ssh/authorized_keys"),
        added(thing("sudo_rule", "/etc/sudoers.d/x:eve", rule_details="ALL=(ALL) NOPASSWD:ALL")),
        added(file("/etc/sudoers.d/x", mode="0440")),
        removed(thing("authorized_key", "eve/SHA256:def", file="/home/eve/.ssh/authorized_keys")),
    )
    assert set(found) == {"access-granted root", "access-granted /etc/sudoers.d/x", "access-revoked eve"}
    assert found["access-granted root"].explains == 2
    assert found["access-granted root"].title == "1 ssh key added for root: SHA256:abc"
    rule = found["access-granted /etc/sudoers.d/x"]
    assert rule.explains == 2
    assert rule.title == "1 sudo rule added in /etc/sudoers.d/x: eve ALL=(ALL) NOPASSWD:ALL"


# service


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        ("/etc/systemd/system/a.service", "a.service"),
        ("/etc/systemd/system/a.service.d", "a.service"),
        ("/etc/systemd/system/a.service.d/10-x.conf", "a.service"),
        ("/etc/systemd/system/multi-user.target.wants/a.service", "a.service"),
        ("/etc/systemd/system/multi-user.target.wants", "multi-user.target"),
        ("/usr/lib/systemd/system/a@.service", "a@.service"),
        ("/etc/init.d/a", "a.service"),
        ("/etc/rc2.d/S01a", "a.service"),
        ("/etc/systemd/system.conf", ""),
        ("/etc/x.service", ""),
    ],
)
def test_which_unit_a_file_is_about(path: str, unit: str) -> None:
    assert unit_of(path) == unit


def test_service_with_its_timer_links_and_drop_ins() -> None:
    found = one(
        added(thing("service", "beacon.service", unit_file_state="enabled")),
        added(thing("service", "beacon.timer", unit_file_state="enabled")),
        added(file("/etc/systemd/system/beacon.service")),
        added(file("/etc/systemd/system/beacon.timer")),
        added(link("/etc/systemd/system/timers.target.wants/beacon.timer", "/etc/systemd/system/beacon.timer")),
        added(directory("/etc/systemd/system/beacon.service.d")),
        added(file("/etc/systemd/system/beacon.service.d/10.conf")),
    )
    assert (found.cause.type, found.explains) == (CauseType.SERVICE_ADDED, 7)
    assert found.title == "beacon.service and beacon.timer added"


def test_services_that_changed_are_apart() -> None:
    found = folded(
        modified("service", "a.service", unit_file_state=("enabled", "disabled"), aliases=(("b.service",), ())),
        removed(link("/etc/systemd/system/b.service", "/usr/lib/systemd/system/a.service")),
        modified("service", "a.timer", digest=("1", "2")),
        added(file("/etc/systemd/system/c.target")),
    )
    assert set(found) == {"service-changed a.service", "service-changed a.timer", "service-changed c.target"}
    assert found["service-changed a.service"].explains == 2


# listener and process


def test_listener_with_its_process() -> None:
    found = one(
        added(thing("listen", "tcp/0.0.0.0:4444", process="/tmp/nc", port=4444)),
        added(thing("listen", "tcp/[::]:4444", process="/tmp/nc", port=4444)),
        added(thing("process", "/tmp/nc", deleted=False)),
    )
    assert (found.cause.type, found.cause.subject, found.explains) == (CauseType.LISTENER_OPENED, "/tmp/nc", 3)
    assert found.title == "/tmp/nc listens on tcp/0.0.0.0:4444, tcp/[::]:4444"
    closed = one(removed(thing("listen", "tcp/0.0.0.0:22", process="/usr/sbin/sshd")))
    assert closed.cause.type is CauseType.LISTENER_CLOSED
    assert one(added(thing("process", "/tmp/x", deleted=True))).cause.type is CauseType.PROCESS_FOREIGN


# settings, scheduled, authority, language


def test_settings_with_the_files_that_set_them() -> None:
    found = folded(
        modified("sshd_setting", "permitrootlogin", value=("no", "yes")),
        modified("file", "/etc/ssh/sshd_config", sha256=(A, B)),
        modified("sysctl", "net.ipv4.ip_forward", current_value=("0", "1")),
        added(file("/etc/sysctl.d/90.conf")),
        added(file("/etc/modules-load.d/x.conf")),
        added(thing("host_entry", "192.0.2.1", hostnames=("x",))),
        derived("/etc/hosts"),
        added(thing("mount", "/mnt/a", type="nfs")),
        added(thing("mount", "/mnt/b", type="nfs")),
        modified("kernel_info", "-", version=("6.1", "6.2")),
        modified("os_version", "-", version=("12.1", "12.2")),
        modified("file", "/etc/debian_version", sha256=(A, B)),
        added(thing("container", "docker/x")),
        added(thing("firewall_chain", "inet/a/b")),
    )
    assert found["configuration-changed sshd"].title == "sshd changed: permitrootlogin no -> yes"
    assert found["configuration-changed sshd"].explains == 2
    assert found["sysctl-changed kernel settings"].explains == 2
    assert found["kernel-module /etc/modules-load.d/x.conf"].explains == 1
    assert {"mount-changed /mnt/a", "mount-changed /mnt/b", "kernel-changed kernel"} <= set(found)
    assert found["os-changed operating system"].explains == 2
    assert {"container-changed docker/x", "firewall-changed firewall"} <= set(found)
    assert found["name-resolution-changed name resolution"].cause.type is CauseType.NAME_RESOLUTION_CHANGED


def test_settings_and_rules_with_the_file_they_stand_in() -> None:
    later = "/etc/security/b.conf"
    found = folded(
        modified(
            "setting", "pwquality:minlen", value=("14", "8"), file=("/etc/security/a.conf", "/etc/security/b.conf")
        ),
        modified("file", "/etc/security/a.conf", sha256=(A, B)),
        added(file(later)),
        added(thing("pam_rule", "su:auth:pam_permit.so", file="/etc/pam.d/su")),
        removed(thing("pam_rule", "su:auth:pam_wheel.so", file="/etc/pam.d/su")),
        modified("file", "/etc/pam.d/su", sha256=(A, B)),
        removed(thing("audit_rule", "watch /etc/sudoers", file="/etc/audit/rules.d/x.rules")),
        added(thing("banner", "/etc/issue")),
        added(thing("boot_loader", "/boot/grub/grub.cfg", file="/boot/grub/grub.cfg")),
        modified("file", "/boot/grub/grub.cfg", sha256=(A, B)),
        added(thing("apt_source", "deb http://x y", file="/etc/apt/sources.list.d/x.list")),
        added(file("/etc/apt/sources.list.d/x.list")),
        removed(thing("apparmor_profile", "ping", file="/etc/apparmor.d/bin.ping")),
        modified("apparmor_loaded", "ping", state=("enforce", "complain")),
    )
    assert {name: mutation.explains for name, mutation in found.items()} == {
        f"configuration-changed {later}": 3,
        "configuration-changed /etc/pam.d/su": 3,
        "configuration-changed /etc/audit/rules.d/x.rules": 1,
        "configuration-changed banner": 1,
        "configuration-changed /boot/grub/grub.cfg": 2,
        "configuration-changed /etc/apt/sources.list.d/x.list": 2,
        "configuration-changed /etc/apparmor.d/bin.ping": 1,
        "configuration-changed AppArmor": 1,
    }
    assert found[f"configuration-changed {later}"].title == f"{later} changed: pwquality:minlen 14 -> 8"


def test_jobs_with_the_table_that_holds_them() -> None:
    found = folded(
        added(thing("cron", "/etc/cron.d/x/root/abc", command="/bin/true")),
        added(file("/etc/cron.d/x")),
        added(thing("cron", "/var/spool/cron/crontabs/eve/eve/def", command="/bin/false")),
        added(file("/etc/cron.daily/y", mode="0755")),
        added(thing("cron", "/etc/cron.d/z.sh/root/abc", command="/bin/true", passed_over=True)),
    )
    assert found["scheduled-job-changed /etc/cron.d/z.sh"].title == (
        "job added in /etc/cron.d/z.sh: /bin/true (cron passes the file over for its name)"
    )
    assert found["scheduled-job-changed /etc/cron.d/x"].explains == 2
    assert found["scheduled-job-changed /etc/cron.d/x"].title == "job added in /etc/cron.d/x: /bin/true"
    assert {"scheduled-job-changed /var/spool/cron/crontabs/eve", "scheduled-job-changed /etc/cron.daily/y"} < set(
        found
    )


def test_authority_with_its_file_links_and_bundle() -> None:
    found = one(
        added(thing("ca_certificate", "SHA256:1", subject="CN=Evil")),
        added(file("/usr/local/share/ca-certificates/evil.crt")),
        added(link("/etc/ssl/certs/1234.0", "evil.pem")),
        modified("file", "/etc/ssl/certs/ca-certificates.crt", sha256=(A, B)),
    )
    assert (found.cause.type, found.explains) == (CauseType.CERTIFICATE_AUTHORITY, 4)
    assert found.title == "1 certificate authority added: CN=Evil"


def test_language_package_with_its_files() -> None:
    found = folded(
        added(thing("python_package", "evil-x@/usr/local/lib/p", version="1", directory="/usr/local/lib/p")),
        added(directory("/usr/local/lib/p/evil_x-1.dist-info")),
        added(file("/usr/local/lib/p/evil_x-1.dist-info/METADATA")),
        added(file("/usr/local/lib/p/evil_x/__init__.py")),
        added(file("/usr/local/lib/p/other.py")),
    )
    assert found["language-package evil-x@/usr/local/lib/p"].explains == 4
    assert len(found) == 2


# privilege, binary, configuration, files


def test_privileges_stand_for_themselves() -> None:
    found = folded(
        modified("file", "/usr/bin/find", mode=("0755", "4755")),
        added(file("/tmp/sh", mode="6755")),
        modified("file", "/usr/bin/nice", capabilities=("", "cap_net_raw=ep")),
        modified("file", "/usr/bin/less", mode=("4755", "0755")),
        modified("file", "/srv/shared", mode=("0755", "2755")),
        evidence=Evidence(resources=resources([directory("/srv/shared", mode="2755")])),
    )
    assert {name for name in found if name.startswith("privilege-bits")} == {
        "privilege-bits /usr/bin/find", "privilege-bits /tmp/sh", "privilege-bits /usr/bin/nice",
    }  # fmt: skip
    assert found["binary-changed /usr/bin/less"].title == "/usr/bin/less changed: mode 4755 -> 0755"


def test_programs() -> None:
    found = folded(
        added(file("/usr/local/bin/x", mode="0755")),
        modified("file", "/usr/bin/ls", sha256=(A, B)),
        modified("file", "/usr/lib/x86_64-linux-gnu/libc.so.6", sha256=(A, B)),
        modified("file", "/usr/share/doc/x", sha256=(A, B)),
        added(directory("/opt/evil")),
        added(file("/opt/evil/run", mode="0755")),
        added(file("/opt/evil/data")),
    )
    assert set(found) == {
        "binary-added /usr/local/bin/x", "binary-changed /usr/bin/ls", "file-changed /usr/share/doc/x",
        "binary-changed /usr/lib/x86_64-linux-gnu/libc.so.6", "binary-added /opt/evil",
    }  # fmt: skip
    assert found["binary-added /opt/evil"].title == "/opt/evil added: 1 program and 2 other files"
    assert found["binary-added /opt/evil"].explains == 3


def test_many_programs_of_one_place_are_one_mutation() -> None:
    names = [f"/usr/lib/jvm/bin/tool{number}" for number in range(20)]
    came = one(*(added(file(name, mode="0755")) for name in names))
    assert (came.cause.type, came.title) == (CauseType.BINARY_ADDED, "20 programs added in /usr/lib/jvm")
    assert came.explains == 20
    changed = one(*(modified("file", f"{name}.so", md5=("1" * 32, "2" * 32)) for name in names))
    assert changed.title == "20 programs or libraries in /usr/lib/jvm changed"
    dropped = folded(*(added(file(name, mode="0755")) for name in names[:3]))
    assert len(dropped) == 3, "a few programs are told one by one"


def test_configuration_and_plain_files() -> None:
    found = folded(
        modified("file", "/etc/motd", sha256=(A, B)),
        added(file("/etc/new")),
        removed(file("/usr/share/gone")),
        added(file("/var/lib/x/state")),
        evidence=Evidence(package_files={"base-files/amd64": {"/etc/motd": ""}}),
    )
    assert found["configuration-changed /etc/motd"].cause.detail == "configuration of package base-files/amd64"
    assert {"file-added /etc/new", "file-removed /usr/share/gone", "unexplained /var/lib/x/state"} < set(found)


def test_trees_and_masses_are_one_mutation_each() -> None:
    tree = [added(directory("/srv/new")), *(added(file(f"/srv/new/{n}")) for n in range(30))]
    mass = [modified("file", f"/usr/share/app/{n % 3}/{n}", uid=(0, 7)) for n in range(40)]
    more = [modified("file", f"/usr/share/app/{n % 3}/{n}", sha256=(A, B)) for n in range(40, 60)]
    few = [modified("file", f"/usr/share/few/{n}", uid=(0, 7)) for n in range(3)]
    found = fold([*tree, *mass, *more, *few])
    assert sorted((item.explains, item.title) for item in found) == [
        (1, "/usr/share/few/0 changed: uid 0 -> 7"),
        (1, "/usr/share/few/1 changed: uid 0 -> 7"),
        (1, "/usr/share/few/2 changed: uid 0 -> 7"),
        (20, "20 files beneath /usr/share/app changed (sha256)"),
        (31, "/srv/new added with 30 files beneath it"),
        (40, "40 files beneath /usr/share/app changed (uid)"),
    ]
    assert len({item.id for item in found}) == len(found)


def test_names_that_a_host_chose_are_safe_to_show() -> None:
    found = one(added(file("/etc/x\x1b[31m\n<b>")))
    assert found.title == "/etc/x\\x1b[31m\\x0a<b> added"
    assert found.cause.subject == "/etc/x\\x1b[31m\\x0a<b>"
    assert found.differences[0].key == "/etc/x\x1b[31m\n<b>"


def test_attribution_is_none_where_nothing_is_recorded() -> None:
    assert one(added(file("/etc/x"))).attribution.grade is Grade.NONE


def test_history_alone_is_no_cause() -> None:
    entry = Transaction(install=(Item("x", "amd64", "", "1"),))
    assert one(added(file("/etc/x")), evidence=Evidence(history=(entry,))).cause.type is CauseType.FILE_ADDED


def test_kernel_settings_of_two_files_are_two_mutations_each_with_its_own_file() -> None:
    files = {name: f"/etc/sysctl.d/{name}.conf" for name in ("a", "b", "old")}
    now = resources([thing("sysctl", "net.a", config_file=files["a"]), thing("sysctl", "net.live")])
    found = fold(
        [
            modified("sysctl", "net.a", config_value=("0", "1")),
            modified("sysctl", "net.b", config_file=(files["old"], files["b"])),
            modified("sysctl", "net.live", current_value=("0", "1")),
            modified("file", files["a"], sha256=(A, B)),
            added(file(files["b"])),
            removed(file(files["old"])),
        ],
        Evidence(resources=now),
    )
    told = {item.title.partition(": ")[2].split()[0]: [each.key for each in item.differences] for item in found}
    assert told == {
        "net.a": [files["a"], "net.a"],
        "net.b": [files["b"], files["old"], "net.b"],
        "net.live": ["net.live"],
    }
    assert len({item.id for item in found}) == 3


def test_names_and_resolvers_are_two_mutations() -> None:
    found = fold(
        [
            added(thing("host_entry", "192.0.2.1", hostnames=("x",))),
            modified("file", "/etc/hosts", sha256=(A, B)),
            added(thing("dns", "nameserver:192.0.2.53")),
            modified("file", "/etc/resolv.conf", sha256=(A, B)),
            modified("file", "/etc/nsswitch.conf", sha256=(A, B)),
        ]
    )
    assert sorted(sorted(each.key for each in item.differences) for item in found) == [
        ["/etc/hosts", "192.0.2.1"], ["/etc/nsswitch.conf"], ["/etc/resolv.conf", "nameserver:192.0.2.53"],
    ]  # fmt: skip
    assert {item.cause.type for item in found} == {CauseType.NAME_RESOLUTION_CHANGED}
