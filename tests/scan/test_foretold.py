"""What user data account for: exactly what they declare, and no neighbour of it."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from driftscan.compare.diff import diff
from driftscan.model.manifest import Manifest
from driftscan.model.resource import Resource, Value
from driftscan.model.snapshot import Snapshot
from driftscan.scan import launch
from driftscan.scan.foretold import SSHD_CONFIG, SUDOERS, Foretold
from driftscan.scan.launch import Launch, LaunchFile, LaunchUser
from tests.compare import building
from tests.compare.building import A, B, directory, file, link, thing

LAUNCH = launch.parse((Path(__file__).parent / "launch" / "debian12.json").read_bytes())
KEY = "SHA256:qxOTM8V61mAqDEqVyVXXlXsSN8MTaXotr2XKwAtE0ww"
CONF = "f34cfbe28c3b32159f280aac11232c59badcb8ea9dc6e0d00d3ee2950c341f75"
PROGRAM = "306c6ca7407560340797866e077e053627ad409277d1b9da58106fce4cf717cb"
IMAGE = (
    thing("user", "root", uid=0, gid=0, description="root", directory="/root", shell="/bin/bash", groups=()),
    thing("group", "root", gid=0, members=(), password="locked"),
    thing("group", "adm", gid=4, members=("syslog",), password="locked"),
    thing("group", "sudo", gid=27, members=(), password="locked"),
    thing("password", "root", password_status="disabled"),
    file("/etc/skel/.bashrc", sha256=B),
    directory("/root/.ssh", mode="0700"),
    file("/etc/subuid", sha256=A, size=0),
    link("/etc/localtime", "/usr/share/zoneinfo/Europe/Berlin"),
)


def key(user: str, home: str, **more: Value) -> Resource:
    attributes: dict[str, Value] = {
        "username": user,
        "type": "ssh-ed25519",
        "bits": 256,
        "options": (),
        "comment": "testbed",
        "file": f"{home}/.ssh/authorized_keys",
    }
    return Resource("authorized_key", f"{user}/{KEY}", attributes | more)


def rule(header: str = "deploy", details: str = "ALL=(ALL) NOPASSWD:ALL", source: str = SUDOERS) -> Resource:
    return thing(
        "sudo_rule", f"{source}:{header}", type="user_spec", source=source, header=header, rule_details=details
    )


def born(*instead: Resource) -> tuple[Resource, ...]:
    """The host that these user data make, with other things in place of its own."""
    every = (
        *IMAGE,
        thing(
            "user",
            "deploy",
            uid=1000,
            gid=1000,
            description="Deployment",
            directory="/home/deploy",
            shell="/bin/bash",
            groups=("adm", "sudo"),
        ),
        thing("group", "deploy", gid=1000, members=(), password="locked"),
        thing("group", "adm", gid=4, members=("deploy", "syslog"), password="locked"),
        thing("group", "sudo", gid=27, members=("deploy",), password="locked"),
        thing("password", "deploy", password_status="disabled", max=99999, inactive=None, expire=None),
        rule(),
        key("deploy", "/home/deploy"),
        key("root", "/root"),
        file(SUDOERS, mode="0440", nlink=1),
        file("/root/.ssh/authorized_keys", mode="0600", nlink=1),
        directory("/home/deploy", uid=1000, gid=1000),
        directory("/home/deploy/.ssh", mode="0700", uid=1000, gid=1000),
        file("/home/deploy/.bashrc", sha256=B, uid=1000, gid=1000),
        file("/home/deploy/.ssh/authorized_keys", mode="0600", uid=1000, gid=1000, nlink=1),
        directory("/etc/app"),
        file("/etc/app/app.conf", sha256=CONF, mode="0640", nlink=1),
        file("/usr/local/bin/app-health", sha256=PROGRAM, mode="0755", nlink=1),
        file("/etc/subuid", sha256=B, size=20),
        link("/etc/localtime", "/usr/share/zoneinfo/Etc/UTC"),
    )
    return tuple(({item.id: item for item in every} | {item.id: item for item in instead}).values())


def image(texts: Mapping[str, str] | None = None) -> Manifest:
    return building.manifest(*IMAGE, texts={"/etc/subuid": ""} if texts is None else texts)


def host(*instead: Resource, subuid: str = "deploy:100000:65536\n") -> Snapshot:
    return building.snapshot(*born(*instead), texts={"/etc/subuid": subuid})


def unaccounted(taken: Snapshot, inputs: Launch = LAUNCH, baked: Manifest | None = None) -> set[str]:
    baked = baked or image()
    foretold = Foretold(inputs, baked, taken)
    found = diff(baked, taken)
    return {f"{item.kind} {item.key}" for item in found.differences if not foretold.why(item)}


def test_what_user_data_make_is_accounted_for_wholly() -> None:
    assert unaccounted(host()) == set()


def test_without_user_data_nothing_is() -> None:
    assert len(unaccounted(host(), Launch())) == len(diff(image(), host()).differences)


def changed(kind: str, name: str, **attributes: Value) -> Resource:
    (found,) = (item for item in born() if item.id == (kind, name))
    return replace(found, attributes={**found.attributes, **attributes})


@pytest.mark.parametrize(
    ("instead", "told"),
    [
        (changed("user", "deploy", uid=0), "user deploy"),
        (changed("user", "deploy", shell="/bin/zsh"), "user deploy"),
        (changed("user", "deploy", directory="/"), "user deploy"),
        (changed("user", "deploy", groups=("adm", "shadow", "sudo")), "user deploy"),
        (changed("user", "deploy", groups=("adm",)), "user deploy"),
        (changed("user", "root", shell="/bin/sh"), "user root"),
        (changed("group", "sudo", members=("deploy", "mallory")), "group sudo"),
        (changed("group", "adm", members=("deploy",)), "group adm"),
        (changed("group", "deploy", gid=27), "group deploy"),
        (thing("group", "wheel", gid=1001, members=(), password="locked"), "group wheel"),
        (changed("password", "deploy", password_status="set"), "password deploy"),
        (changed("password", "deploy", password_status="empty"), "password deploy"),
        (changed("password", "root", password_status="set"), "password root"),
        (rule(details="ALL=(ALL) NOPASSWD:SETENV:ALL"), f"sudo_rule {SUDOERS}:deploy"),
        (rule("deploy#2"), f"sudo_rule {SUDOERS}:deploy#2"),
        (rule(source="/etc/sudoers.d/own"), "sudo_rule /etc/sudoers.d/own:deploy"),
        (key("deploy", "/home/deploy", options=("command=/bin/sh",)), f"authorized_key deploy/{KEY}"),
        (key("deploy", "/home/deploy", comment="other"), f"authorized_key deploy/{KEY}"),
        (key("deploy", "/home/deploy", file="/home/deploy/.ssh/authorized_keys2"), f"authorized_key deploy/{KEY}"),
        (key("deploy2", "/home/deploy"), f"authorized_key deploy2/{KEY}"),
        (file("/etc/app/app.conf", sha256=A, mode="0640", nlink=1), "file /etc/app/app.conf"),
        (file("/etc/app/app.conf", sha256=CONF, mode="0644", nlink=1), "file /etc/app/app.conf"),
        (file("/etc/app/app.conf", sha256=CONF, mode="0640", nlink=2), "file /etc/app/app.conf"),
        (file("/etc/app/app.conf", sha256=CONF, mode="0640", nlink=1, uid=1000), "file /etc/app/app.conf"),
        (changed("file", "/usr/local/bin/app-health", mode="4755"), "file /usr/local/bin/app-health"),
        (changed("file", "/usr/local/bin/app-health", capabilities="x"), "file /usr/local/bin/app-health"),
        (file("/etc/app/more.conf"), "file /etc/app/more.conf"),
        (directory("/etc/app", mode="0777"), "file /etc/app"),
        (directory("/etc/app", uid=1000), "file /etc/app"),
        (directory("/etc/other"), "file /etc/other"),
        (directory("/home/deploy", mode="0777", uid=1000, gid=1000), "file /home/deploy"),
        (directory("/home/deploy/.ssh", uid=1000, gid=1000), "file /home/deploy/.ssh"),
        (changed("file", "/home/deploy/.bashrc", sha256=A), "file /home/deploy/.bashrc"),
        (changed("file", "/home/deploy/.bashrc", mode="0755"), "file /home/deploy/.bashrc"),
        (file("/home/deploy/.vimrc", sha256=B, uid=1000, gid=1000), "file /home/deploy/.vimrc"),
        (file("/home/deployer/.bashrc", sha256=B, uid=1000, gid=1000), "file /home/deployer/.bashrc"),
        (changed("file", SUDOERS, mode="0444"), f"file {SUDOERS}"),
        (changed("file", "/root/.ssh/authorized_keys", mode="0666"), "file /root/.ssh/authorized_keys"),
        (link("/etc/localtime", "/tmp/x"), "file /etc/localtime"),
        (thing("service", "x.service", active_state="active"), "service x.service"),
    ],
)
def test_what_is_not_exactly_so_is_not(instead: Resource, told: str) -> None:
    assert told in unaccounted(host(instead))


def test_a_key_that_nobody_declared_takes_its_file_along() -> None:
    other = replace(key("deploy", "/home/deploy"), key=f"deploy/SHA256:{'A' * 43}")
    assert unaccounted(host(other)) == {f"authorized_key {other.key}", "file /home/deploy/.ssh/authorized_keys"}


def test_a_second_sudo_rule_takes_its_file_along() -> None:
    other = rule("www-data")
    assert unaccounted(host(other)) == {f"sudo_rule {other.key}", f"file {SUDOERS}"}


@pytest.mark.parametrize(
    "subuid", ["deploy:100000:65536\nmallory:165536:65536\n", "deploy:100000:65536\nx\n", "mallory:1:1\n"]
)
def test_subordinate_ids_of_others_are_not(subuid: str) -> None:
    assert unaccounted(host(subuid=subuid)) == {"file /etc/subuid"}


def test_subordinate_ids_that_the_image_has_must_stay() -> None:
    assert unaccounted(host(), baked=image({"/etc/subuid": "app:1:1\n"})) == {"file /etc/subuid"}


def test_the_number_of_a_group_of_the_image_is_not_for_a_new_one() -> None:
    taken = host(changed("user", "deploy", gid=27), changed("group", "deploy", gid=27))
    assert "group deploy" in unaccounted(taken)


def test_where_root_may_not_log_in_its_key_must_send_away() -> None:
    inputs = replace(LAUNCH, root_disabled=True)
    refusal = (
        'command="echo \'Please login as the user \\"NONE\\" rather than the user \\"root\\".\';echo;sleep 10;exit 142"'
    )
    options = (refusal, "no-agent-forwarding", "no-port-forwarding", "no-x11-forwarding")
    root = f"authorized_key root/{KEY}"
    assert root in unaccounted(host(), inputs)
    assert root not in unaccounted(host(key("root", "/root", options=options)), inputs)
    assert root in unaccounted(host(key("root", "/root", options=options[:2])), inputs)
    assert root in unaccounted(host(key("root", "/root", options=(*options, "pty"))), inputs)


def test_the_owner_of_a_written_file_is_looked_up_on_the_host() -> None:
    written = LaunchFile("/etc/app/app.conf", CONF, "0640", "deploy:adm")
    inputs = replace(LAUNCH, files=(written, *LAUNCH.files[1:]))
    assert "file /etc/app/app.conf" in unaccounted(host(), inputs)
    assert unaccounted(host(changed("file", "/etc/app/app.conf", uid=1000, gid=4)), inputs) == set()


def test_what_is_declared_and_not_there_is_told() -> None:
    taken = building.snapshot(*IMAGE)
    absent = Foretold(LAUNCH, image(), taken).absent()
    assert absent == [
        "user deploy",
        "file /etc/app/app.conf",
        "file /usr/local/bin/app-health",
        f"key {KEY} of deploy",
        f"key {KEY} of root",
        "sudo rule of deploy",
    ]
    assert Foretold(LAUNCH, image(), host()).absent() == []


LOCKED, OPEN, RESET = (
    LaunchUser(name="deploy", password=True),
    LaunchUser(name="deploy", password=True, locked=False),
    LaunchUser(name="deploy", chpasswd=True),
)


@pytest.mark.parametrize(
    ("user", "status", "accounted"),
    [
        (LaunchUser(name="deploy"), "locked", True),
        (LaunchUser(name="deploy"), "set", False),
        (LOCKED, "locked", True),
        (LOCKED, "set", False),
        (OPEN, "set", True),
        (RESET, "set", True),
        (RESET, "disabled", True),
        (RESET, "empty", False),
    ],
)
def test_a_password_is_set_only_where_user_data_set_one(user: LaunchUser, status: str, *, accounted: bool) -> None:
    taken = host(changed("password", "deploy", password_status=status))
    found = unaccounted(taken, replace(LAUNCH, users=(user,)))
    assert ("password deploy" not in found) is accounted


def test_the_password_of_another_is_his_own() -> None:
    (user,) = LAUNCH.users
    inputs = replace(LAUNCH, users=(LaunchUser(name="x", password=True, locked=False), user))
    taken = host(changed("password", "deploy", password_status="set"))
    assert unaccounted(taken, inputs) == {"password deploy"}


@pytest.mark.parametrize(
    ("said", "value", "accounted"), [(False, "no", True), (True, "no", False), (None, "no", False)]
)
def test_whether_sshd_takes_passwords(said: bool | None, value: str, *, accounted: bool) -> None:
    setting = thing("sshd_setting", "passwordauthentication", value=value)
    content = hashlib.sha256(b"PasswordAuthentication no\n").hexdigest()
    conf = file(SSHD_CONFIG, sha256=content, mode="0600", nlink=1)
    inputs = replace(LAUNCH, ssh_passwords=said)
    found = unaccounted(host(setting, conf), inputs)
    assert found == (set() if accounted else {"sshd_setting passwordauthentication", f"file {SSHD_CONFIG}"})
