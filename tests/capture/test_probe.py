"""The probe on real directories: hostile names, links that lead out, devices, sparse files, other Pythons."""

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftscan.capture.base import Session
from driftscan.capture.live import ProbeSession, open_rootfs
from driftscan.capture.probe import render
from driftscan.capture.probe.manners import Pace
from driftscan.capture.probe.root import Root, Silent
from driftscan.capture.probe.rules import Rule, Rules
from driftscan.capture.probe.walk import Walker, directories
from driftscan.collectors import files
from driftscan.errors import DeadlineError, ProbeError, UsageError
from driftscan.model.resource import Resource
from driftscan.model.snapshot import Resources
from driftscan.model.source import Command, File, Glob, Processes, Redact, Source, Status, Tree, WalkRule
from driftscan.transports.local import LocalChannel, LocalTransport
from driftscan.transports.program import TAKE, framed

PYTHONS = [f"python3.{minor}" for minor in range(6, 15)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/plain").write_bytes(b"plain\n")
    (tmp_path / "etc/absolute").symlink_to("/etc/plain")
    (tmp_path / "etc/outside").symlink_to("../../../../../../etc/hostname")
    (tmp_path / "etc/loop").symlink_to("loop")
    (tmp_path / "dir-link").symlink_to("/etc")
    os.mkfifo(tmp_path / "etc/fifo")
    for name in (
        b"new\nline",
        b"bad\xff\xfe",
        b"esc\x1b[31m",
        b"back\\slash",
        b"<b>&",
        "\u202etxt".encode(),
        b"-",
        b" ",
    ):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/etc/" + name)).write_bytes(name)
    return tmp_path


@pytest.fixture
def session(root: Path) -> Iterator[Session]:
    opened = open_rootfs(str(root), time.monotonic() + 600)
    yield opened
    opened.close()


def ask(session: Session, source: Source) -> tuple[Status, bytes]:
    capture = session.ask([source])[source]
    return capture.status, capture.data


def walked(session: Session, *rules: WalkRule, digest: str = "sha256") -> dict[str, Resource]:
    source = Tree(rules=rules, digest=digest)
    found = files.table(session.ask([source])[source])
    return {resource.key: resource for resource in Resources(files=found.records).of("file")}


def test_links_never_lead_out_of_the_root(session: Session) -> None:
    assert ask(session, File("/etc/absolute")) == (Status.OK, b"plain\n")
    assert ask(session, File("/dir-link/plain")) == (Status.OK, b"plain\n")
    assert ask(session, File("/etc/outside")) == (Status.ABSENT, b"")
    assert ask(session, File("/../../../../etc/plain")) == (Status.OK, b"plain\n")


def test_what_is_no_file_is_not_read_and_does_not_block(session: Session) -> None:
    assert ask(session, File("/etc/fifo"))[0] is Status.FAILED
    assert ask(session, File("/etc"))[0] is Status.FAILED
    assert ask(session, File("/etc/loop"))[0] is Status.FAILED


def test_limits_are_said(session: Session) -> None:
    assert ask(session, File("/etc/plain", max_bytes=3)) == (Status.TRUNCATED, b"pla")
    assert ask(session, File("/etc/plain", max_bytes=6)) == (Status.OK, b"plain\n")
    assert ask(session, Glob(("/etc/*",), max_files=2))[0] is Status.TRUNCATED


def test_globs_list_names_of_any_bytes(session: Session) -> None:
    glob = Glob(("/etc/*", "/e??/[p]lain", "/**"))
    members = session.ask([glob])[glob].members
    names = [member.path for member in members]
    assert names == sorted(set(names))
    assert {b"/etc/new\nline", b"/etc/bad\xff\xfe", b"/etc/back\\slash", b"/etc", b"/dir-link"} <= set(names)
    by_name = {member.path: member for member in members}
    assert by_name[b"/etc/new\nline"].data == b"new\nline"
    assert by_name[b"/etc/absolute"].link == b"/etc/plain"
    assert by_name[b"/etc/absolute"].data == b"plain\n"
    assert by_name[b"/etc/outside"].data == b""


def test_a_root_file_system_has_no_runtime(session: Session) -> None:
    assert ask(session, Command(("true",)))[0] is Status.UNSUPPORTED
    assert ask(session, Processes())[0] is Status.UNSUPPORTED


def test_the_walk_tells_all_names_apart(session: Session) -> None:
    found = walked(session)
    assert {"/", "/etc", "/etc/new\nline", "/etc/bad\\xff\\xfe", "/etc/back\\\\slash", "/etc/esc\x1b[31m"} <= set(found)
    assert found["/etc/plain"].attributes["sha256"] == hashlib.sha256(b"plain\n").hexdigest()
    assert found["/etc/fifo"].attributes["type"] == "fifo"
    assert found["/dir-link"].attributes["target"] == "/etc"
    assert "/dir-link/plain" not in found


def test_rules_say_what_is_entered_and_read(session: Session, root: Path) -> None:
    (root / "var/log/app").mkdir(parents=True)
    (root / "var/log/app/x.log").write_bytes(b"0123456789")
    (root / "proc/1").mkdir(parents=True)
    rules = (
        WalkRule("/var/log/app/x.log", "prefix", 4),
        WalkRule("/var/log/**", "stat"),
        WalkRule("/proc/**", "prune"),
    )
    (root / "var/log/other").write_bytes(b"x")
    found = walked(session, *rules)
    assert "/proc" not in found
    assert "/proc/1" not in found
    assert "sha256" not in found["/var/log/other"].attributes
    # printf 0123 | sha256sum
    expected = "1be2e452b46d7a0d9656bbb1f768e8248eba1b75baed65f5d99eafa948899a6a"
    assert found["/var/log/app/x.log"].observed["prefix_sha256"] == expected


def test_what_a_rule_keeps_in_what_another_leaves_out_is_walked_to_its_end(session: Session, root: Path) -> None:
    (root / "dev/shm/.../deep").mkdir(parents=True)
    for name in ("dev/shm/x", "dev/shm/.../x", "dev/shm/.../deep/x", "dev/x"):
        (root / name).write_bytes(b"x")
    found = walked(session, WalkRule("/dev/shm/**", "hash"), WalkRule("/dev/**", "prune"))
    assert {"/dev/shm/x", "/dev/shm/.../x", "/dev/shm/.../deep/x"} <= set(found)
    assert "/dev/x" not in found


def test_a_disk_mounted_in_what_the_kernel_makes_up_is_walked(root: Path) -> None:
    """/dev is devtmpfs on a machine, and a tmpfs of its own in a container."""
    for name in ("dev/shm/deep", "dev/pts", "sys/fs/cgroup/x", "net/x/local"):
        (root / name).mkdir(parents=True)
    mounts = {"/": "ext4", "/dev": "devtmpfs", "/dev/shm": "tmpfs", "/dev/pts": "devpts", "/sys": "sysfs"}
    mounts |= {"/sys/fs/cgroup": "tmpfs", "/net/x": "nfs4", "/net/x/local": "xfs", "/dev/shm/deep": "tmpfs"}
    rules = Rules([Rule("hash", 0, "/dev/shm/**"), Rule("prune", 0, "/dev/**"), Rule("prune", 0, "/sys/**")])
    walker = Walker(str(root), rules, "sha256", mounts, Pace(0, 0))
    found = set(directories(walker, ["/"], []))
    assert {path for path in found if path.startswith(("/dev", "/sys", "/net/"))} == {
        "/dev/shm", "/dev/shm/deep", "/net/x/local",
    }  # fmt: skip
    assert {("/dev", "pseudo"), ("/sys", "pseudo"), ("/net/x", "remote")} <= set(walker.skipped)


@pytest.mark.parametrize(
    ("named", "skipped"), [([], set()), (["file", "session"], {("/run/file", "raced"), ("/run/session", "raced")})]
)
def test_what_went_since_it_was_listed_is_no_gap(
    root: Path, monkeypatch: pytest.MonkeyPatch, named: list[str], skipped: set[tuple[str, str]]
) -> None:
    """A login session's directory, say. What is still named and not found is hidden by something, which is one."""
    (root / "run").mkdir()
    walker = Walker(str(root), Rules([]), "sha256", {}, Pace(0, 0))
    monkeypatch.setattr(os, "listdir", lambda place: named)
    handle = os.open(root / "run", os.O_RDONLY)
    assert list(walker.look(handle, "/run", [("file", True)], [], False, False)) == []
    os.close(handle)
    assert list(walker.directory("/run/session")) == []
    assert set(walker.skipped) == skipped


def test_a_sparse_file_is_hashed_as_if_it_were_full(session: Session, root: Path) -> None:
    data = bytes(1 << 20) + b"middle" + bytes((1 << 20) + 7) + b"end" + bytes(1 << 19)
    (root / "full").write_bytes(data)
    with (root / "sparse").open("wb") as handle:
        for offset, piece in ((1 << 20, b"middle"), ((1 << 21) + 13, b"end")):
            handle.seek(offset)
            handle.write(piece)
        handle.truncate(len(data))
    found = walked(session)
    assert found["/sparse"].attributes["sha256"] == found["/full"].attributes["sha256"]


def test_extended_attributes_are_told(session: Session, root: Path) -> None:
    target = root / "etc/plain"
    try:
        os.setxattr(target, "user.note", b"a,b=c")
    except OSError:
        pytest.skip("this file system has no user extended attributes")
    found = walked(session)["/etc/plain"]
    assert found.attributes["xattrs"] == {"user.note": b"a,b=c".hex()}


def test_passwords_never_leave(session: Session, root: Path) -> None:
    secret = "$y$j9T$abcdefghijkl$0123456789ABCDEF"
    rows = [f"a:{secret}:1::::::", "b:*:1", "c::1", f"d:!{secret}:1", "e:!:1", "f:abCDefGHijKLm:1", "g:x:", "h:!!:"]
    (root / "etc/shadow").write_text("\n".join(rows) + "\n")
    status, data = ask(session, File("/etc/shadow", redact=Redact.SHADOW))
    assert status is Status.OK
    states = [line.split(b":")[1] for line in data.splitlines()]
    assert states == [b"$y$", b"locked", b"empty", b"!$y$", b"locked", b"des", b"locked", b"locked"]


def test_secrets_are_redacted(session: Session, root: Path) -> None:
    lines = (
        "run --password=hunter2 --token abcdef -p x",
        "DB_PASSWORD='two words' other",
        "curl https://user:hunter2@example.net/x",
        'api_key: "hunter2"',
        "PasswordAuthentication no",
    )
    (root / "etc/job").write_text("\n".join(lines))
    data = ask(session, File("/etc/job", redact=Redact.SECRETS))[1]
    assert b"hunter2" not in data
    assert b"two words" not in data
    assert b"abcdef" not in data
    assert b"PasswordAuthentication no" in data
    assert b"example.net/x" in data


@pytest.mark.parametrize(
    "line",
    [
        "account [success=1 new_authtok_reqd=done authinfo_unavail=ignore auth_err=die default=ignore] pam_unix.so",
        "net.sctp.auth_enable = 1",
        "passwd:         files systemd",
        "# Author: Nobody <nobody@example.net>",
    ],
)
def test_what_only_sounds_like_a_secret_is_told(session: Session, root: Path, line: str) -> None:
    (root / "etc/rule").write_text(line)
    assert ask(session, File("/etc/rule", redact=Redact.SECRETS))[1] == line.encode()


@pytest.mark.parametrize("line", ["passwd: hunter2", "auth_token=hunter2", "Authorization: hunter2", "my_auth=hunter2"])
def test_what_sounds_a_little_like_it_is_not(session: Session, root: Path, line: str) -> None:
    (root / "etc/rule").write_text(line)
    assert b"hunter2" not in ask(session, File("/etc/rule", redact=Redact.SECRETS))[1]


def test_passwords_of_the_boot_loader_never_leave(session: Session, root: Path) -> None:
    (root / "etc/grub.cfg").write_text(
        'set superusers="root ops"\n'
        "password_pbkdf2 root grub.pbkdf2.sha512.10000.C0FFEE.BADC0DE\n"
        "  password ops hunter2 and more\n"
        "if true ; then password 'a b' hunter2; fi\n"
        'x="grub.pbkdf2.sha512.10000.C0FFEE"\n'
        "GRUB2_PASSWORD=grub.pbkdf2.sha512.10000.C0FFEE\n"
        "\tpassword_pbkdf2 root ${GRUB2_PASSWORD}\n"
        "\tpassword_pbkdf2 root ${GRUB2_PASSWORD}hunter2\n"
        "linux /vmlinuz root=UUID=1 api_key=hunter2 quiet\n"
    )
    data = ask(session, File("/etc/grub.cfg", redact=Redact.BOOT))[1]
    assert not [word for word in (b"C0FFEE", b"BADC0DE", b"hunter2", b"more") if word in data]
    assert b'superusers="root ops"\n' in data
    assert data.count(b"<redacted>") == 7
    assert b"\tpassword_pbkdf2 root ${GRUB2_PASSWORD}\n" in data


@pytest.mark.parametrize("python", PYTHONS)
def test_every_python_gives_the_same_answers(python: str, root: Path) -> None:
    path = shutil.which(python)
    if path is None or subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode:
        pytest.skip(f"{python} is not on this machine")

    interpreter = path

    class Chosen(LocalTransport):
        def run(self, script: str, arguments: tuple[str, ...] = ()) -> LocalChannel:
            channel = LocalChannel(["/bin/sh", "-c", f'{TAKE}; eval "$s"'])
            channel.write(framed(script, (interpreter,)))
            return channel

    chosen = ProbeSession(Chosen(), str(root), time.monotonic() + 600)
    try:
        version = subprocess.run([path, "--version"], capture_output=True, check=True).stdout.decode().split()[1]
        assert chosen.facts.interpreter == f"python {version}"
        found = walked(chosen)
        glob = Glob(("/etc/*",))
        members = chosen.ask([glob])[glob].members
    finally:
        chosen.close()
    reference = open_rootfs(str(root), time.monotonic() + 600)
    try:
        assert found == walked(reference)
        assert members == reference.ask([glob])[glob].members
    finally:
        reference.close()


@pytest.mark.parametrize("shell", ["sh", "dash", "bash", "busybox"])
def test_every_shell_starts_it(shell: str, root: Path) -> None:
    path = shutil.which(shell)
    if path is None:
        pytest.skip(f"{shell} is not on this machine")
    argv = [path, *(["sh"] if shell == "busybox" else []), "-c", f'{TAKE}; eval "$s"']
    asked = render.start("0" * 32, str(root), 30) + render.requests([File("/etc/plain")])
    # More than execve(2) takes as one argument.
    long = render.script().replace("DRIFTSCAN_WORKER='", "DRIFTSCAN_WORKER='#" + "x" * 150_000 + "\n")
    program = framed(long, (sys.executable,))
    done = subprocess.run(argv, input=program + asked, capture_output=True, check=True)
    assert b"plain\n" in done.stdout
    assert done.stderr == b""


def test_what_a_shell_alone_cannot_do_is_said(tmp_path: Path) -> None:
    script = render.script().replace("python3", "no-such-python3").replace("platform-python", "no-such")
    channel = LocalChannel(["/bin/sh", "-c", f'{TAKE}; eval "$s"'])
    try:
        channel.write(framed(script, ()) + render.start("0" * 32, str(tmp_path), 30))
        assert channel.read(time.monotonic() + 600) == b""
        assert channel.ended(time.monotonic() + 600).status == 97
    finally:
        channel.close()


def test_no_argument_holds_the_program(tmp_path: Path) -> None:
    told = tmp_path / "told"
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nfor word; do echo "${{#word}}"; done >{told}\n')
    python.chmod(0o755)
    script = render.script().replace("ulimit -f 0", "")
    channel = LocalChannel(["/bin/sh", "-c", f'{TAKE}; eval "$s"'])
    try:
        channel.write(framed(script, (str(python),)) + render.start("0" * 32, "/", 30))
        assert channel.ended(time.monotonic() + 10).status == 0
    finally:
        channel.close()
    sizes = [int(line) for line in told.read_text().split()]
    assert len(sizes) > 5
    assert max(sizes) < 1000


def test_a_python_that_gets_no_program_is_not_taken() -> None:
    script = render.script().replace("printf %s", ": %s").replace("find / -maxdepth 0", "exit 42; find")
    channel = LocalChannel(["/bin/sh", "-c", f'{TAKE}; eval "$s"'])
    try:
        channel.write(framed(script, (sys.executable,)) + render.start("0" * 32, "/", 30))
        assert channel.ended(time.monotonic() + 10).status == 42  # the worker in shell had its turn
    finally:
        channel.close()


def test_a_probe_that_dies_is_an_error_not_an_answer(root: Path) -> None:
    class Dying(LocalTransport):
        def run(self, script: str, arguments: tuple[str, ...] = ()) -> LocalChannel:
            return LocalChannel(["/bin/sh", "-c", "echo 'sh: something broke' >&2; exit 3"])

    with pytest.raises(ProbeError, match="status 3") as caught:
        ProbeSession(Dying(), str(root), time.monotonic() + 600)
    assert "something broke" in caught.value.hint


def test_no_root_is_an_error_of_the_user(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such directory"):
        open_rootfs(str(tmp_path / "nowhere"), time.monotonic() + 600)
    with pytest.raises(UsageError, match="running machine"):
        open_rootfs("/", time.monotonic() + 600)


def test_a_socket_and_a_hard_link_are_told(session: Session, root: Path) -> None:
    os.link(root / "etc/plain", root / "etc/second")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"/proc/self/fd/{os.open(root, os.O_RDONLY)}/s")
        found = walked(session)
    assert found["/s"].attributes["type"] == "socket"
    assert found["/etc/second"].attributes["nlink"] == 2


def test_a_rooted_command_is_told_its_root(session: Session, root: Path) -> None:
    echo = Command(("echo", "of"), rooted="--root")
    capture = session.ask([echo])[echo]
    assert capture.data.decode().split() == ["of", "--root", str(root)]


def test_only_what_everybody_may_read_leaves(session: Session, root: Path) -> None:
    (root / "etc/closed").mkdir(mode=0o700)
    (root / "etc/closed/open").write_bytes(b"behind a closed door")
    (root / "etc/private").write_bytes(b"a secret")
    (root / "etc/private").chmod(0o640)
    (root / "etc/plain").chmod(0o644)
    (root / "etc/to-private").symlink_to("private")
    for path in (root, root / "etc"):
        path.chmod(0o755)
    glob = Glob(("/etc/**",), public=True)
    data = {member.path: member.data for member in session.ask([glob])[glob].members}
    assert data[b"/etc/plain"] == b"plain\n"
    assert data[b"/etc/private"] == data[b"/etc/to-private"] == data[b"/etc/closed/open"] == b""


@pytest.mark.parametrize("mount", [b"/silent", b"/srv/silent"])
def test_a_mount_that_may_not_answer_is_not_touched(mount: bytes) -> None:
    """Neither itself nor what lies below, wherever it is mounted."""
    live = Root(b"/")
    assert live.mounts is not None
    live.mounts.risky = {mount: "autofs"}
    for path in (mount, mount + b"/user", mount + b"/user/.ssh"):
        with pytest.raises(Silent):
            live.parent(path)
    assert live.expand(mount + b"/*/.ssh", 10) == []
    assert live.denied == {mount}


class Ending(LocalTransport):
    """What runs on it is ended at once by an alarm, as the probe ends itself a little after the deadline."""

    def run(self, script: str, arguments: tuple[str, ...] = ()) -> LocalChannel:
        """Whatever is asked for."""
        return super().run("read -r line; kill -ALRM $$")


@pytest.mark.parametrize(("left", "error", "says"), [(-1, DeadlineError, "in time"), (60, ProbeError, "ended early")])
def test_a_probe_that_ends_when_the_time_is_over_was_not_fast_enough(
    left: int, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        ProbeSession(Ending(), "/", time.monotonic() + left)
