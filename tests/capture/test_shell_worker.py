"""The probe where there is no Python: the same answers from a shell with GNU or busybox tools, or a gap."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from driftscan.capture.base import Session
from driftscan.capture.live import Limits, ProbeSession
from driftscan.capture.probe import render
from driftscan.collectors import files
from driftscan.model.resource import Value
from driftscan.model.snapshot import Resources
from driftscan.model.source import Command, Fate, File, Glob, Processes, Redact, Source, Status, Tree, WalkRule
from driftscan.transports.local import LocalChannel, LocalTransport
from driftscan.transports.program import TAKE, framed
from tests.capture.loading import EXPECTED, loader, told

UNSEEN = {"acl", "capabilities", "flags", "selinux", "xattrs"}


class Shell(LocalTransport):
    """A machine whose shell is `shell` and which has no Python; `path` replaces its PATH."""

    def __init__(self, argv: list[str], path: str = "") -> None:
        super().__init__()
        object.__setattr__(self, "argv", argv)
        object.__setattr__(self, "path", path)

    def run(self, script: str, arguments: tuple[str, ...] = ()) -> LocalChannel:
        script = script.replace("python3", "no-such-python").replace("platform-python", "no-such")
        lines = [f"PATH={self.path}" if self.path and line.startswith("PATH=") else line for line in script.split("\n")]
        channel = LocalChannel([*self.argv, "-c", f'{TAKE}; eval "$s"'])
        channel.write(framed("\n".join(lines), arguments))
        return channel

    argv: list[str]
    path: str


def machine(name: str, folder: Path) -> Shell:
    program = shutil.which(name)
    if program is None:
        pytest.skip(f"{name} is not on this machine")
    if name != "busybox":
        return Shell([program])
    tools = folder / "busybox-tools"
    tools.mkdir()
    listing = subprocess.run([program, "--list"], capture_output=True, check=True).stdout.decode().split()
    for applet in listing:
        (tools / applet).symlink_to(program)
    return Shell([program, "ash"], str(tools))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "sub/deeper").mkdir(parents=True)
    (root / "sub/file").write_bytes(b"content\n")
    (root / "sub/.hidden").write_bytes(b"")
    (root / "sub/a b'c\"d$e*[x]").write_bytes(b"odd name")
    Path(os.fsdecode(os.fsencode(root) + b"/sub/bad\xff")).write_bytes(b"bytes")
    (root / "sub/-dash").write_bytes(b"dash")
    (root / "sub/link").symlink_to("file")
    (root / "sub/dangling").symlink_to("/no such place")
    (root / "log/deep").mkdir(parents=True)
    (root / "log/deep/x.log").write_bytes(b"log")
    (root / "away/below").mkdir(parents=True)
    os.mkfifo(root / "fifo")
    os.link(root / "sub/file", root / "sub/second")
    (root / "sub/file").chmod(0o4750)
    return root


@pytest.fixture(params=["dash", "bash", "busybox"])
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Session]:
    session = ProbeSession(machine(request.param, tmp_path), "/", time.monotonic() + 600)
    yield session
    session.close()


@pytest.fixture
def python() -> Iterator[Session]:
    session = ProbeSession(LocalTransport(), "/", time.monotonic() + 600)
    yield session
    session.close()


def attributes(session: Session, source: Tree) -> dict[str, dict[str, Value]]:
    found = files.table(session.ask([source])[source])
    return {resource.key: dict(resource.attributes) for resource in Resources(files=found.records).of("file")}


def test_it_says_what_it_is(shell: Session) -> None:
    assert shell.facts.interpreter.startswith("sh")
    assert shell.facts.hostname == os.uname().nodename


def test_the_walk_gives_the_same_on_the_columns_that_it_has(shell: Session, python: Session, tree: Path) -> None:
    rules = (WalkRule(f"{tree}/log/**", "stat"), WalkRule(f"{tree}/away/**", "prune"))
    source = files.tree(rules, roots=(str(tree),))
    poor, rich = attributes(shell, source), attributes(python, source)
    assert set(poor) == set(rich)
    for key, row in rich.items():
        assert poor[key] == {name: value for name, value in row.items() if name not in UNSEEN}, key
    assert f"{tree}/away" not in poor
    assert "sha256" not in poor[f"{tree}/log/deep/x.log"]


@pytest.mark.parametrize("name", ["dash", "busybox"])
@pytest.mark.parametrize(("limits", "least"), [(Limits(bytes_per_second=1 << 20), 3), (Limits(percent=1), 2)])
def test_it_keeps_to_its_limits(name: str, limits: Limits, least: int, tmp_path: Path) -> None:
    """3 MiB at a MiB a second take three seconds, two hundredths of one at one in a hundred take two."""
    root = tmp_path / "files"
    root.mkdir()
    sizes = [1 << 20] * 3 if limits.bytes_per_second else [16 << 20]
    for number, size in enumerate(sizes):
        (root / f"file-{number}").write_bytes(bytes(size))
    session = ProbeSession(machine(name, tmp_path), "/", time.monotonic() + 600, limits=limits)
    began = time.monotonic()
    found = attributes(session, files.tree((), roots=(str(root),)))
    elapsed = time.monotonic() - began
    session.close()
    assert sum("sha256" in row for row in found.values()) == len(sizes)
    assert elapsed >= least - 1


def test_what_it_cannot_see_is_a_gap(shell: Session, tree: Path) -> None:
    source = files.tree((), roots=(str(tree),))
    gaps = files.table(shell.ask([source])[source]).gaps
    assert any("capabilities" in gap.reason for gap in gaps)


def test_a_name_with_a_newline_forges_nothing(shell: Session, python: Session, tree: Path) -> None:
    forged = f"x\n{'0' * 64}  {tree}/sub/file"
    Path(tree / "evil").mkdir()
    os.makedirs(os.path.join(tree, "evil", os.path.dirname(forged)))
    Path(os.path.join(tree, "evil", forged)).write_bytes(b"evil")
    source = files.tree((), roots=(str(tree),))
    table = files.table(shell.ask([source])[source])
    rich = attributes(python, source)
    for resource in Resources(files=table.records).of("file"):
        assert resource.attributes.get("sha256") == rich[resource.key].get("sha256")
    missing = set(rich) - set(table.records.keys)
    assert not missing or any("control characters" in gap.reason for gap in table.gaps)


@pytest.mark.parametrize("how", list(Redact))
def test_contents_are_the_same(shell: Session, python: Session, tree: Path, how: Redact) -> None:
    lines = [
        "root:$y$j9T$abc$DEF:1:0:99999:7:::",
        "locked:!$6$x$y:1::::::",
        "none:*:1::::::",
        "open::1::::::",
        "run --password=hunter2 -x",
        "url https://me:hunter2@host/",
        "Token: 'a b'",
        "#PermitRootLogin prohibit-password",
        "#StrictModes yes",
        "tool --password hunter2 '--token' x -pass",
        "auth =",
        "account [success=1 new_AuthTok_reqd=done authinfo_unavail=ignore auth_err = die] pam_unix.so",
        "net.sctp.auth_enable = 1",
        "passwd:\t files systemd",
        "passwd: filesystem",
        "Author: Nobody, authors=x, authority_key=hunter2",
        "password_pbkdf2 root grub.pbkdf2.sha512.10000.C0FFEE.BADC0DE",
        "if true; then password 'a b' horse }; fi",
        "\tpassword_pbkdf2 root ${GRUB2_PASSWORD}",
        "\tpassword_pbkdf2 root ${GRUB2_PASSWORD}more",
        "x=grub.pbkdf2.sha512.1",
        "plain",
    ]
    path = tree / "text"
    path.write_text("\n".join(lines) + "\n")
    sources: list[Source] = [
        File(str(path), redact=how),
        File(str(path), max_bytes=10, redact=Redact.NONE),
        File(str(tree / "none")),
        File(str(tree / "fifo")),
        File(str(tree / "sub")),
        Glob((f"{tree}/sub/*", f"{tree}/log/**")),
        Glob((f"{tree}/nothing/*",)),
        Command(("echo", "two  words", "a'b")),
        Command(("sh", "-c", "exit 3"), ok=(3,)),
        Command(("no-such-program-anywhere",)),
    ]
    ours, theirs = shell.ask(sources), python.ask(sources)
    for source in sources:
        left = replace(ours[source], detail="", exit_code=None)
        right = replace(theirs[source], detail="", exit_code=None)
        assert left == right
    if how is Redact.SECRETS:
        assert b"hunter2" not in ours[sources[0]].data
        assert b"#StrictModes yes" in ours[sources[0]].data


def test_processes_are_the_same(shell: Session, python: Session) -> None:
    """But for the content of what is loaded, which a shell does not read."""
    with loader() as (pid, place):
        ours, theirs = (
            next(row for row in session.ask([Processes()])[Processes()].processes if row.pid == pid)
            for session in (shell, python)
        )
    assert replace(ours, loaded=()) == replace(theirs, loaded=(), unit=b"")
    read = {b"back\\012slash": b"back\nslash"}  # the kernel writes it as a newline
    dropped = b"a name (deleted)"  # which is there, in scratch space
    assert told(ours, place) == {
        read.get(name, name): (Fate.REPLACED if fate is Fate.EQUAL else fate, "")
        for name, fate in EXPECTED.items()
        if name != dropped
    }
    assert told(theirs, place).keys() == EXPECTED.keys()


def test_a_command_that_hangs_is_ended(shell: Session) -> None:
    command = Command(("sleep", "30"), timeout=1)
    assert shell.ask([command])[command].status is Status.TIMED_OUT


@pytest.mark.parametrize("name", ["dash", "bash", "busybox"])
@pytest.mark.parametrize("seconds", [600, 2])
def test_a_large_file_keeps_nobody(name: str, seconds: int, tmp_path: Path) -> None:
    """Neither after the scanner is gone (its output may still be open) nor beyond the deadline."""
    place = tmp_path / "place"
    place.mkdir()
    (place / "hole").touch()
    os.truncate(place / "hole", 4 << 40)
    channel = machine(name, tmp_path).run(render.script())
    channel.write(render.start("0" * 32, "/", seconds) + render.requests([Tree((str(place),))]))
    said = b""
    while b" hashes" not in said and (more := channel.read(time.monotonic() + 600)):
        said += more
    if seconds > 2:
        assert b" hashes" in said
        channel.end_input()
    assert channel.ended(time.monotonic() + 600).status == -signal.SIGKILL
    # What it had started was of its group, and held the pipe.
    while channel.read(time.monotonic() + 600):
        continue
    channel.close()


def test_shellcheck() -> None:
    program = shutil.which("shellcheck")
    if program is None:
        pytest.skip("shellcheck is not on this machine")
    folder = Path(render.__file__).parent
    text = (folder / "prologue.sh").read_text() + (folder / "worker.sh").read_text()
    done = subprocess.run([program, "-s", "sh", "-"], input=text, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout


def test_only_what_everybody_may_read_leaves(shell: Session, python: Session, tree: Path) -> None:
    (tree / "closed").mkdir(mode=0o700)
    (tree / "closed/open").write_bytes(b"behind a closed door")
    (tree / "private").write_bytes(b"a secret")
    (tree / "private").chmod(0o640)
    (tree / "to-private").symlink_to("private")
    glob = Glob((f"{tree}/**",), public=True)
    ours, theirs = shell.ask([glob])[glob], python.ask([glob])[glob]
    assert ours.members == theirs.members
    assert not any(b"secret" in member.data or b"behind" in member.data for member in ours.members)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("name", ["dash", "busybox"])
def test_without_root_rights_what_is_closed_is_forbidden(name: str, tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        tree = Path(folder) / "tree"
        for part in ("closed", "listed", "entered", "open"):
            (tree / part).mkdir(parents=True)
            (tree / part / "file").write_bytes(b"x")
        (tree / "open/file").chmod(0o600)
        Path(folder).chmod(0o755)
        tree.chmod(0o755)
        for part, mode in (("closed", 0o700), ("listed", 0o744), ("entered", 0o711), ("open", 0o755)):
            (tree / part).chmod(mode)
        for place in (tmp_path, *tmp_path.parents):
            if place.name.startswith(("pytest-", "popen-", "test_")):  # of pytest's own making, and closed
                place.chmod(0o755)
        chosen = machine(name, tmp_path)
        nobody = Shell(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *chosen.argv], chosen.path)
        session = ProbeSession(nobody, "/", time.monotonic() + 600)
        try:
            source = files.tree((), roots=(str(tree),))
            found = files.table(session.ask([source])[source])
        finally:
            session.close()
    hidden = {pattern for gap in found.gaps for pattern in gap.hides}
    assert {f"file:{tree}/{part}/**" for part in ("closed", "listed", "entered")} <= hidden
    assert f"file:{tree}/open/file" in hidden
    assert found.coverage.unreadable == 4
