"""Options: from the line, the environment and driftscan.yaml, in this order."""

import os
from pathlib import Path

import pytest

from driftscan.cli import _config
from driftscan.cli._command import Option, Settings
from driftscan.cli._commands import COMMANDS
from driftscan.cli._options import ALL
from driftscan.cli._run import _with_common, load
from driftscan.cli._settings import parse, resolve
from driftscan.errors import UsageError
from driftscan.model.finding import Action, Severity
from tests.cli.runner import run


def _settings(command: str, *argv: str) -> Settings:
    found = _with_common(load(command))
    typed = parse(found, argv)
    config = _config.read(ALL, typed.config, os.environ, str(Path.cwd()))
    return resolve(found, typed, os.environ, config)


def _refused(command: str, *argv: str) -> str:
    with pytest.raises(UsageError) as caught:
        _settings(command, *argv)
    return f"{caught.value.message}\n{caught.value.hint}"


def test_defaults() -> None:
    settings = _settings("scan")
    assert settings.fail_on is Severity.MEDIUM
    assert settings.format == "text"
    assert settings.target == settings.policy == settings.report == settings.inventory == settings.identity == ()
    assert settings.user is settings.port is settings.sudo is settings.timeout is None
    assert (settings.manifest, settings.limit, settings.zones, settings.workers, settings.verbose) == ("", "", "", 0, 0)
    assert settings.quiet is settings.debug is settings.accept_new_host_keys is False


def test_precedence(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "driftscan.yaml").write_text("port: 1\nuser: file\njump: file\n")
    assert (_settings("scan").port, _settings("scan").user) == (1, "file")
    monkeypatch.setenv("DRIFTSCAN_PORT", "2")
    monkeypatch.setenv("DRIFTSCAN_USER", "variable")
    assert (_settings("scan").port, _settings("scan").user) == (2, "variable")
    settings = _settings("scan", "--port", "3")
    assert (settings.port, settings.user, settings.jump) == (3, "variable", "file")


def test_an_empty_variable_is_none_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTSCAN_PORT", "")
    assert _settings("scan").port is None


@pytest.mark.parametrize("option", ALL, ids=lambda option: option.name)
def test_every_option_has_its_variable_and_its_key(option: Option, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In each command that has it: the environment and the file give what the line gives."""
    if option.name == "config":
        return
    text = {
        **dict.fromkeys(("port", "timeout", "workers", "max-cpu", "max-read", "cycle", "days", "wait"), "7"),
        **dict.fromkeys(("keep-days", "keep-scans"), "7"),
        "since": "7d",
        "fail-on": "high",
        "probe": "/x",
    }.get(option.name, "x")
    text = option.choices[-1] if option.choices else text
    names = [name for name in COMMANDS if option.name in {one.name for one in load(name).options}]
    command = names[0] if names else "verify"
    words = ["x"] * sum(argument.least or not argument.many for argument in load(command).arguments)
    if option.metavar:
        line = _settings(command, *words, f"--{option.name}", text)
    else:
        text = "1" if option.counts else "true"
        line = _settings(command, *words, f"--{option.name}")
    monkeypatch.setenv(option.variable, text)
    assert getattr(_settings(command, *words), option.dest) == getattr(line, option.dest)
    monkeypatch.delenv(option.variable)
    (home / "driftscan.yaml").write_text(f"{option.name}: {text}\n")
    wanted = getattr(line, option.dest)
    got = getattr(_settings(command, *words), option.dest)
    if option.path:
        names_of = [got] if isinstance(got, str) else list(got)
        assert all(name in {"x", str(home / "x")} for name in names_of)
    else:
        assert got == wanted


def test_a_list_in_the_environment_is_quoted_as_in_a_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTSCAN_INVENTORY", "a.yaml 'b c.yaml'")
    assert _settings("scan").inventory == ("a.yaml", "b c.yaml")
    monkeypatch.setenv("DRIFTSCAN_INVENTORY", "'a")
    assert "DRIFTSCAN_INVENTORY" in _refused("scan")


@pytest.mark.parametrize(("text", "wanted"), [("1", True), ("yes", True), ("TRUE", True), ("0", False), ("off", False)])
def test_switches_in_the_environment(text: str, wanted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTSCAN_QUIET", text)
    assert _settings("scan").quiet is wanted


def test_a_switch_that_is_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTSCAN_QUIET", "maybe")
    assert "DRIFTSCAN_QUIET: 'maybe'" in _refused("scan")


def test_verbosity(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _settings("scan", "-vv").verbose == 2
    monkeypatch.setenv("DRIFTSCAN_VERBOSE", "2")
    assert _settings("scan").verbose == 2
    monkeypatch.setenv("DRIFTSCAN_VERBOSE", "true")
    assert _settings("scan").verbose == 1


def test_lists_and_words_between_options() -> None:
    settings = _settings("scan", "a", "-m", "x", "b", "-i", "one", "-i", "two", "c")
    assert settings.target == ("a", "b", "c")
    assert settings.inventory == ("one", "two")


@pytest.mark.parametrize(
    ("word", "level"), [("info", Severity.INFO), ("critical", Severity.CRITICAL), ("rotate", Action.ROTATE)]
)
def test_fail_on(word: str, level: Severity | Action) -> None:
    assert _settings("scan", "--fail-on", word).fail_on is level


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--port", "0"], "--port: '0' is not a number from 1 to 65535"),
        (["--port", "65536"], "--port"),
        (["--port", "٣"], "--port"),
        (["--port", "9" * 5000], "--port"),
        (["--timeout", "-1"], "--timeout"),
        (["--workers", "1.5"], "--workers"),
        (["--sudo", "perhaps"], "--sudo: 'perhaps' is not one of auto, always, never"),
        (["--color", "red"], "--color"),
        (["--fail-on", "none"], "--fail-on"),
        (["--fail-on", "HIGH"], "--fail-on"),
        (["--fail-no", "high"], "Did you mean --fail-on?"),
        (["--policies=x"], "unexpected '--policies=x'"),
        (["--port"], "--port"),
        (["--user", "a", "--\x1b[31m"], "\\x1b[31m"),
    ],
)
def test_a_bad_command_line(argv: list[str], says: str) -> None:
    told = _refused("scan", *argv)
    assert says in told
    assert "\x1b" not in told


def test_a_missing_argument() -> None:
    assert "FINDING is missing" in _refused("explain")
    assert "POLICY is missing" in _refused("policy lint")
    assert "NEW is missing" in _refused("diff", "local")


def test_too_many_arguments() -> None:
    assert "unexpected 'b'" in _refused("verify", "a", "b")


def test_the_file_is_found_upward_and_its_paths_are_its_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "driftscan.yaml").write_text(
        "inventory: [fleet.yaml, /abs.yaml, 'ec2:?region=x']\n"
        "manifest: s3://bucket/m\npolicy: [immutable-core, own.yaml]\n"
    )
    below = home / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    settings = _settings("scan")
    assert settings.inventory == (f"{home}/fleet.yaml", "/abs.yaml", "ec2:?region=x")
    assert settings.manifest == "s3://bucket/m"
    assert settings.policy == ("immutable-core", f"{home}/own.yaml")


def test_one_value_will_do_for_a_list(home: Path) -> None:
    (home / "driftscan.yaml").write_text("inventory: fleet.yaml\n")
    assert _settings("scan").inventory == ("fleet.yaml",)


def test_the_users_file_gives_what_the_nearer_one_does_not(home: Path) -> None:
    folder = home / ".config" / "driftscan"
    folder.mkdir(parents=True)
    (folder / "driftscan.yaml").write_text("user: mine\nport: 22\n")
    (home / "driftscan.yaml").write_text("user: near\n")
    assert (_settings("scan").user, _settings("scan").port) == ("near", 22)


def test_a_named_file_is_the_only_one(home: Path) -> None:
    (home / "driftscan.yaml").write_text("port: 1\n")
    (home / "other.yaml").write_text("user: other\n")
    settings = _settings("scan", "--config", str(home / "other.yaml"))
    assert (settings.user, settings.port) == ("other", None)


def test_an_empty_file_says_nothing(home: Path) -> None:
    (home / "driftscan.yaml").write_text("# nothing yet\n")
    assert _settings("scan").port is None


def test_a_file_that_everybody_may_write_is_not_obeyed(home: Path) -> None:
    path = home / "driftscan.yaml"
    path.write_text("user: eve\n")
    path.chmod(0o666)
    assert "--config" in _refused("scan")
    assert _settings("scan", "--config", str(path)).user == "eve"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("fail_on: high\n", "driftscan.yaml:1:1: unknown key 'fail_on'"),
        ("user: a\nsudoo: always\n", "driftscan.yaml:2:1: unknown key 'sudoo' in config file; did you mean 'sudo'?"),
        ("sudo: perhaps\n", "driftscan.yaml:1:7"),
        ("port: [1]\n", "driftscan.yaml:1:7"),
        ("port: 99999\n", "driftscan.yaml:1:7: port: '99999'"),
        ("quiet: 'yes'\n", "driftscan.yaml:1:8"),
        ("- a\n", "driftscan.yaml:1:1"),
        ("user: a\nuser: b\n", "driftscan.yaml:2:1"),
        ("user: [\n", "driftscan.yaml:"),
    ],
)
def test_a_bad_file_is_refused_with_its_place(
    content: str, says: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "driftscan.yaml").write_text(content)
    said = run(capsys, "scan", "local")
    assert said.code == 2
    assert says in said.err
    assert "Traceback" not in said.err
