"""Root by sudo: the wrapper that every login shell must read alike, with stub `sudo` and `id` programs in PATH."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from driftscan.errors import DeadlineError, ProbeError, SudoError
from driftscan.transports import ssh_elevate
from driftscan.transports.program import MAX_SCRIPT, framed
from driftscan.transports.ssh_channel import SshChannel
from driftscan.transports.ssh_secrets import Prompt
from tests.transports.conftest import Lab, output
from tests.transports.sshserver import SshHost

Answers = Callable[..., tuple[Prompt, list[str]]]

# What sudo 1.9 says and does, as observed on Debian 12: options -n, -k, -S, -p PROMPT, --; the prompt on standard
# error without a newline; the password read byte by byte; status 1 for every refusal of its own.
SUDO = """#!/bin/sh
echo "$@" >> "$STUB_LOG"
quiet=
while [ "$1" != -- ]; do
  case $1 in -n) quiet=1;; -p) prompt=$2; shift;; esac
  shift
done
shift
case $STUB_SUDO in
  nopasswd) FAKE_UID=0 exec "$@";;
  tty) echo "sudo: sorry, you must have a tty to run sudo" >&2; exit 1;;
  broken) echo "sudo: /etc/sudo.conf is owned by uid 1000, should be 0" >&2; exit 1;;
esac
if [ "$quiet" ]; then echo "sudo: a password is required" >&2; exit 1; fi
if [ "$STUB_SUDO" = otp ]; then printf 'One-time code: ' >&2; read -r password; exit 1; fi
for try in 1 2 3; do
  printf %s "$prompt" >&2
  IFS= read -r password || { echo "sudo: no password was provided" >&2; exit 1; }
  if [ "$password" = "$STUB_PASSWORD" ]; then
    if [ "$STUB_SUDO" = stranger ]; then echo "scanner is not in the sudoers file." >&2; exit 1; fi
    FAKE_UID=0 exec "$@"
  fi
  [ "$try" = "${STUB_TRIES:-3}" ] && break
  echo "Sorry, try again." >&2
done
echo "sudo: $try incorrect password attempts" >&2
exit 1
"""
ID = "#!/bin/sh\necho ${FAKE_UID:-1000}\n"
TOOLS = ("sh", "dd", "cat", "head", "sleep")


@pytest.fixture
def stubs(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """An environment whose PATH has stubs of sudo and id, and few other programs."""

    def make(sudo: str, **more: str) -> dict[str, str]:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found is not None
            if not (folder / tool).exists():
                (folder / tool).symlink_to(found)
        scripts = {"id": ID} if sudo == "missing" else {"id": ID, "sudo": SUDO}
        for name, text in scripts.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        log = tmp_path / "sudo.log"
        log.touch()
        return {"PATH": str(folder), "STUB_SUDO": sudo, "STUB_LOG": str(log), "STUB_PASSWORD": "secret", **more}

    return make


Stubs = Callable[..., dict[str, str]]
SCRIPT = 'id; echo "$@"; cat; exit 5'


def outcome(
    lab: Lab, host: SshHost, sudo: str, prompt: Prompt | None = None, script: str = SCRIPT
) -> tuple[bool, bytes]:
    """Whether the program ran as root, by our word and by its own, and what it read of its input."""
    transport = lab.connect(host, sudo=sudo, prompt=prompt)
    try:
        channel = transport.run(script, ("one", "two words"))
        channel.write(b"input")
        channel.end_input()
        data, ended = output(channel)
        assert (ended.status, ended.stderr) == (5, b"")
        uid, arguments, rest = data.split(b"\n", 2)
        assert arguments == b"one two words"
        assert (uid == b"0") == transport.elevated
        return transport.elevated, rest
    finally:
        transport.close()


@pytest.mark.parametrize(
    ("stub", "sudo", "elevated"),
    [
        ("nopasswd", "auto", True),
        ("nopasswd", "always", True),
        ("nopasswd", "never", False),
        ("password", "auto", False),
        ("missing", "auto", False),
        ("tty", "auto", False),
        ("broken", "auto", False),
    ],
)
def test_without_a_password(lab: Lab, stubs: Stubs, stub: str, sudo: str, elevated: bool) -> None:
    host = lab.host(environment=stubs(stub))
    assert outcome(lab, host, sudo) == (elevated, b"input")
    assert len(host.commands) == 1


@pytest.mark.parametrize("sudo", ["auto", "always", "never"])
def test_root_needs_no_sudo(lab: Lab, stubs: Stubs, sudo: str) -> None:
    environment = stubs("password", FAKE_UID="0")
    assert outcome(lab, lab.host(environment=environment), sudo) == (True, b"input")
    assert Path(environment["STUB_LOG"]).read_text() == ""


def test_one_exec_and_one_sudo_whose_command_line_is_short(lab: Lab, stubs: Stubs) -> None:
    environment = stubs("nopasswd")
    host = lab.host(environment=environment)
    transport = lab.connect(host)
    output(transport.run(f"# {'x' * 100_000}\necho"))
    transport.close()
    assert len(host.commands) == 1
    logged = Path(environment["STUB_LOG"]).read_text()
    assert logged.count("driftscan driftscan-") == 1
    assert len(logged) < 500


@pytest.mark.parametrize("sudo", ["auto", "always"])
def test_a_password_is_fed_when_asked_for_and_nowhere_else(
    lab: Lab, stubs: Stubs, monkeypatch: pytest.MonkeyPatch, sudo: str
) -> None:
    monkeypatch.setenv("DRIFTSCAN_SUDO_PASSWORD", "secret")
    environment = stubs("password")
    host = lab.host(environment=environment)
    assert outcome(lab, host, sudo) == (True, b"input")
    assert "secret" not in Path(environment["STUB_LOG"]).read_text() + host.commands[0]


def test_the_password_is_asked_for_once_in_a_run(lab: Lab, stubs: Stubs, answers: Answers) -> None:
    prompt, asked = answers("secret")
    for _ in range(2):
        assert outcome(lab, lab.host(environment=stubs("password")), "auto", prompt) == (True, b"input")
    assert asked == ["sudo password of scanner:"]


def test_nobody_is_asked_where_no_password_is_needed(lab: Lab, stubs: Stubs, answers: Answers) -> None:
    prompt, asked = answers()
    assert outcome(lab, lab.host(environment=stubs("nopasswd")), "auto", prompt) == (True, b"input")
    assert asked == []


def test_a_wrong_password_is_asked_for_again(lab: Lab, stubs: Stubs, answers: Answers) -> None:
    prompt, asked = answers("wrong", "secret")
    assert outcome(lab, lab.host(environment=stubs("password")), "auto", prompt) == (True, b"input")
    assert len(asked) == 2


def test_no_answer_means_no_password(lab: Lab, stubs: Stubs, answers: Answers) -> None:
    prompt, asked = answers("")
    for _ in range(2):
        assert outcome(lab, lab.host(environment=stubs("password")), "auto", prompt) == (False, b"input")
    assert len(asked) == 1


@pytest.mark.parametrize("tries", ["1", "3"])
@pytest.mark.parametrize("sudo", ["auto", "always"])
def test_a_wrong_password_is_never_passed_over(
    lab: Lab, stubs: Stubs, monkeypatch: pytest.MonkeyPatch, sudo: str, tries: str
) -> None:
    monkeypatch.setenv("DRIFTSCAN_SUDO_PASSWORD", "hunter2")
    with pytest.raises(SudoError, match="refused the sudo password of scanner") as caught:
        outcome(lab, lab.host(environment=stubs("password", STUB_TRIES=tries)), sudo)
    assert "hunter2" not in caught.value.message + caught.value.hint


def test_wrong_passwords_to_the_end(lab: Lab, stubs: Stubs, answers: Answers) -> None:
    prompt, _ = answers("a", "b", "c", "d")
    with pytest.raises(SudoError, match="refused the sudo password"):
        outcome(lab, lab.host(environment=stubs("password")), "auto", prompt)


def test_an_account_without_the_right(lab: Lab, stubs: Stubs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTSCAN_SUDO_PASSWORD", "secret")
    host = lab.host(environment=stubs("stranger"))
    assert outcome(lab, host, "auto") == (False, b"input")
    with pytest.raises(SudoError, match="scanner is not in the sudoers file"):
        outcome(lab, host, "always")


@pytest.mark.parametrize(
    ("stub", "said", "hint"),
    [
        ("password", "sudo: a password is required", "DRIFTSCAN_SUDO_PASSWORD"),
        ("tty", "you must have a tty", "requiretty"),
        ("broken", "should be 0", "--sudo never"),
        ("missing", "sudo", "--sudo never"),
    ],
)
def test_always_says_what_the_host_said(lab: Lab, stubs: Stubs, stub: str, said: str, hint: str) -> None:
    with pytest.raises(SudoError) as caught:
        outcome(lab, lab.host(environment=stubs(stub)), "always")
    assert said in caught.value.message
    assert hint in caught.value.hint


def test_another_question_than_the_password(lab: Lab, stubs: Stubs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTSCAN_SUDO_PASSWORD", "secret")
    monkeypatch.setattr(ssh_elevate, "PROMPT_SECONDS", 0.3)
    with pytest.raises(SudoError, match="neither asked for a password in the usual way"):
        outcome(lab, lab.host(environment=stubs("otp")), "auto")


@pytest.mark.parametrize("status", [0, 1, 42, 126, 127])
def test_statuses_under_sudo_are_the_programs_own(lab: Lab, stubs: Stubs, status: int) -> None:
    transport = lab.connect(lab.host(environment=stubs("nopasswd")))
    assert output(transport.run(f"exit {status}"))[1].status == status
    transport.close()


@pytest.mark.parametrize("noise", ["Welcome!\n", "no newline", "driftscan-0 root\n", "x" * 50_000])
def test_what_start_up_files_print_does_not_matter(lab: Lab, tmp_path: Path, noise: str) -> None:
    (tmp_path / "noise").write_text(noise)
    shell = ("/bin/sh", "-c", f'cat {tmp_path}/noise; cat {tmp_path}/noise >&2; eval "$0"')
    transport = lab.connect(lab.host(shell=shell))
    assert output(transport.run("echo here"))[0] == b"here\n"
    transport.close()


@pytest.mark.parametrize(
    ("shell", "why"),
    [
        (("/bin/sh", "-c", "echo This account is currently not available.; exit 1"), "This account is currently not"),
        (("/bin/sh", "-c", "echo broken profile >&2; exit 3"), "status 3.*broken profile"),
        (("/bin/sh", "-c", "exit 0"), "status 0"),
        (("/bin/sh", "-c", "while :; do echo noise; done"), "prints without end"),
    ],
)
def test_a_login_shell_that_runs_nothing(lab: Lab, shell: tuple[str, ...], why: str) -> None:
    transport = lab.connect(lab.host(shell=shell))
    with pytest.raises(ProbeError, match=why):
        transport.run("echo")
    transport.close()


def test_a_login_shell_that_hangs(lab: Lab) -> None:
    transport = lab.hasty(lab.host(shell=("/bin/sh", "-c", "sleep 60")))
    with pytest.raises(DeadlineError):
        transport.run("echo")
    transport.close()


@pytest.mark.parametrize("script", ["x" * (MAX_SCRIPT + 1), "a\0b"])
def test_scripts_that_no_shell_would_take(lab: Lab, script: str) -> None:
    transport = lab.connect(lab.host())
    with pytest.raises(ProbeError):
        transport.run(script)
    transport.close()


@pytest.mark.parametrize("stub", ["old dd", "no fullblock"])
def test_any_dd_takes_the_program_whole(lab: Lab, stubs: Stubs, tmp_path: Path, stub: str) -> None:
    environment = stubs("nopasswd")
    path = tmp_path / "bin" / "dd"
    path.unlink()
    path.write_text(
        f'#!/bin/sh\ncase "$*" in *iflag*) echo "dd: {stub}: unknown operand" >&2; exit 1;; esac\n'
        f'exec {shutil.which("dd")} "$@"\n'
    )
    path.chmod(0o755)
    assert outcome(lab, lab.host(environment=environment), "auto") == (True, b"input")


@pytest.mark.parametrize("gzip", [True, False])
def test_the_program_goes_packed_where_gzip_unpacks_it(
    lab: Lab, stubs: Stubs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, gzip: bool
) -> None:
    environment = stubs("nopasswd")
    if gzip:
        (tmp_path / "bin" / "gzip").symlink_to(shutil.which("gzip") or "")
    sizes: list[int] = []
    write = SshChannel.write

    def counted(channel: SshChannel, data: bytes) -> None:
        sizes.append(len(data))
        write(channel, data)

    monkeypatch.setattr(SshChannel, "write", counted)
    script = "#" + "x" * 300_000 + f"\n{SCRIPT}"
    assert outcome(lab, lab.host(environment=environment), "auto", script=script) == (True, b"input")
    assert (sizes[0] < 2000) == gzip
    assert sizes[1:] == [5]


@pytest.mark.parametrize("broken", ["dd", "gzip"])
def test_a_program_that_could_not_be_taken_is_said(lab: Lab, stubs: Stubs, tmp_path: Path, broken: str) -> None:
    environment = stubs("nopasswd")
    path = tmp_path / "bin" / broken
    path.unlink(missing_ok=True)
    path.write_text("#!/bin/sh\nexit 127\n")
    path.chmod(0o755)
    transport = lab.connect(lab.host(environment=environment))
    try:
        channel = transport.run(SCRIPT)
        data, ended = output(channel)
        assert (data, ended.status) == (b"", 93)
        assert b"no program arrived" in ended.stderr
        assert str(tmp_path / "bin").encode() in ended.stderr
    finally:
        transport.close()


def test_an_empty_path_is_filled(lab: Lab) -> None:
    transport = lab.connect(lab.host(environment={"PATH": ""}), sudo="never")
    try:
        channel = transport.run('printf %s "$PATH"; cat </dev/null; exit 7')
        data, ended = output(channel)
        assert (data, ended.status, ended.stderr) == (b"/usr/sbin:/usr/bin:/sbin:/bin", 7, b"")
    finally:
        transport.close()


SHELLS = [path for name in ("dash", "bash", "zsh", "fish", "tcsh", "ksh", "mksh") if (path := shutil.which(name))]
BUSYBOX = shutil.which("busybox")


@pytest.mark.parametrize("shell", [(path,) for path in SHELLS] + ([(BUSYBOX, "sh")] if BUSYBOX else []), ids=" ".join)
def test_every_login_shell_reads_the_command_alike(shell: tuple[str, ...], home: Path) -> None:
    marker = "driftscan-" + "0" * 32
    program = framed('echo "$0:$1"; cat; exit 1', ("a b",), packed=True)
    told = subprocess.run(
        [*shell, "-c", ssh_elevate.command(marker, "never")],
        input=program + b"rest",
        capture_output=True,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
    )
    how = b"root" if os.geteuid() == 0 else b"user"
    assert told.stdout == f"{marker} ".encode() + how + b" gzip -dc\ndriftscan:a b\nrest"
    assert told.returncode == 241


def test_the_command_has_nothing_that_any_shell_treats_apart() -> None:
    text = ssh_elevate.command("driftscan-" + "0" * 32, "always")
    assert not set("\n\\!") & set(text)
    assert text.count("'") == 4
    assert len(text) < 2000
