"""ssh_config: what `ssh -G` says, what the stand-in parser says, and what is refused."""

import getpass
import shutil
from pathlib import Path

import pytest

from driftscan.errors import UnreachableError
from driftscan.model.host import ConnectOptions
from driftscan.transports import _process
from driftscan.transports.ssh_config import Endpoint, resolve, resolve_jump, split_jump

HAS_SSH = shutil.which("ssh") is not None


@pytest.fixture(params=["ssh -G", "parser"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to read a configuration."""
    if request.param == "parser":
        monkeypatch.setattr(shutil, "which", lambda _: None)
    elif not HAS_SSH:
        pytest.skip("ssh is not installed")
    return str(request.param)


def config(tmp_path: Path, text: str) -> str:
    path = tmp_path / "ssh_config"
    path.write_text(text)
    return str(path)


def test_without_a_configuration_the_options_alone_count(home: Path) -> None:
    endpoint = resolve("web-1", ConnectOptions())
    assert endpoint == Endpoint(
        address="web-1",
        port=22,
        user=getpass.getuser(),
        known_hosts=(
            f"{home}/.ssh/known_hosts",
            f"{home}/.ssh/known_hosts2",
            "/etc/ssh/ssh_known_hosts",
            "/etc/ssh/ssh_known_hosts2",
        ),
    )


def test_settings_of_a_configuration(tmp_path: Path, reader: str) -> None:
    (tmp_path / "key").touch()
    path = config(
        tmp_path,
        f"Host web-*\n HostName %h.example.com\n User deploy\n Port 2222\n IdentityFile {tmp_path}/key\n"
        f" IdentityFile {tmp_path}/none\n IdentitiesOnly yes\n IdentityAgent {tmp_path}/agent\n"
        f" ProxyJump warden@gate:2200\n UserKnownHostsFile {tmp_path}/a {tmp_path}/b\n GlobalKnownHostsFile none\n"
        " HostKeyAlias web\nHost *\n User nobody\n",
    )
    assert resolve("web-1", ConnectOptions(ssh_config=path)) == Endpoint(
        address="web-1.example.com",
        port=2222,
        user="deploy",
        identity=(f"{tmp_path}/key",),
        identities_only=True,
        agent=f"{tmp_path}/agent",
        known_hosts=(f"{tmp_path}/a", f"{tmp_path}/b"),
        key_alias="web",
        jump="warden@gate:2200",
    )
    assert resolve("db-1", ConnectOptions(ssh_config=path)).user == "nobody"


def test_options_win(tmp_path: Path, reader: str) -> None:
    path = config(tmp_path, "Host *\n User deploy\n Port 2222\n ProxyJump gate\n UserKnownHostsFile /a\n")
    options = ConnectOptions(
        ssh_config=path, user="root", port=2022, identity=("/k",), known_hosts=("/b",), jump="other"
    )
    endpoint = resolve("web-1", options)
    assert (endpoint.user, endpoint.port, endpoint.identity) == ("root", 2022, ("/k",))
    assert (endpoint.known_hosts, endpoint.jump, endpoint.identities_only) == (("/b",), "other", True)


def test_the_users_own_configuration_counts_where_ssh_finds_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    (home / ".ssh" / "config").write_text("Host web-1\n HostName 10.0.0.1\n")
    assert resolve("web-1", ConnectOptions()).address == "10.0.0.1"


def test_ssh_config_may_be_named_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="does not exist"):
        resolve("web-1", ConnectOptions(ssh_config=str(tmp_path / "none")))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ProxyCommand nc %h %p\n", "ProxyCommand, which is not supported"),
        ("ProxyJump one,two\n", "several jump hosts"),
    ],
)
def test_what_is_not_supported_is_refused(tmp_path: Path, reader: str, text: str, why: str) -> None:
    with pytest.raises(UnreachableError, match=why):
        resolve("web-1", ConnectOptions(ssh_config=config(tmp_path, "Host *\n " + text)))


@pytest.mark.skipif(not HAS_SSH, reason="ssh is not installed")
def test_a_configuration_that_ssh_refuses(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="could not be evaluated"):
        resolve("web-1", ConnectOptions(ssh_config=config(tmp_path, "Bogus yes\n")))


@pytest.mark.skipif(not HAS_SSH, reason="ssh is not installed")
def test_includes_and_matches_are_followed_by_ssh(tmp_path: Path) -> None:
    (tmp_path / "more").write_text("User included\n")
    text = f"Match exec true\n Port 2222\nMatch all\nInclude {tmp_path}/more\n"
    endpoint = resolve("web-1", ConnectOptions(ssh_config=config(tmp_path, text)))
    assert (endpoint.user, endpoint.port) == ("included", 2222)


@pytest.mark.parametrize(
    "line",
    ["Include /x", "include=/x", "Match exec true", "Match host a localnetwork 10/8", "Match final", "Match tagged x"],
)
def test_without_ssh_what_the_parser_gets_wrong_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    path = config(tmp_path, f"# a comment\n{line}\n")
    with pytest.raises(UnreachableError, match=f"^{path}:2: ") as caught:
        resolve("web-1", ConnectOptions(ssh_config=path))
    assert "Install the OpenSSH client" in caught.value.hint


@pytest.mark.parametrize("port", ["0", "65536", "x", "1" * 5000])
def test_a_port_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(UnreachableError, match="as its port"):
        resolve("web-1", ConnectOptions(ssh_config=config(tmp_path, f"Port {port}\n")))


def test_an_address_is_no_option(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="is not a host name"):
        resolve("-oProxyCommand=x", ConnectOptions(ssh_config=config(tmp_path, "")))


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("gate", ("", "gate", 0)),
        ("warden@gate:2200", ("warden", "gate", 2200)),
        ("ssh://warden@gate:2200/", ("warden", "gate", 2200)),
        ("[2001:db8::1]:22", ("", "2001:db8::1", 22)),
        ("w@[fe80::1%eth0]", ("w", "fe80::1%eth0", 0)),
    ],
)
def test_the_parts_of_a_jump_host(spec: str, parts: tuple[str, str, int]) -> None:
    assert split_jump(spec) == parts


def test_a_jump_host_is_reached_directly(tmp_path: Path, reader: str) -> None:
    path = config(tmp_path, "Host gate\n User warden\n Port 2200\nHost far\n ProxyJump gate\nHost *\n ProxyJump gate\n")
    options = ConnectOptions(ssh_config=path, user="root", port=2022)
    endpoint = resolve_jump("gate", options)
    assert (endpoint.user, endpoint.port, endpoint.jump) == ("warden", 2200, "")
    assert resolve_jump("me@gate:99", options).user == "me"
    with pytest.raises(UnreachableError, match="it is itself behind gate"):
        resolve_jump("far", options)


def test_tools_that_fail_or_hang_have_a_status() -> None:
    assert _process.run_tool(["sh", "-c", "echo out; echo err >&2; exit 3"], 600) == (3, b"out\n")
    assert _process.run_tool(["/no/such/program"], 600)[0] == 127
    assert _process.run_tool(["sleep", "60"], 0.05)[0] == 124
