"""The help: complete, true, and with examples first."""

import importlib
import pkgutil
import re
import shlex
from pathlib import Path

import pytest

from driftscan import cli
from driftscan.cli import _options
from driftscan.cli._command import Command
from driftscan.cli._commands import COMMANDS
from driftscan.cli._help import command_help
from driftscan.cli._run import _find, _with_common, load
from driftscan.cli._settings import parse
from tests.cli.runner import REPOSITORY, run

NOT_YET = {"plan", "replace", "worker"}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_top_level_repeats_each_commands_summary(name: str) -> None:
    assert load(name).summary == COMMANDS[name]


def test_every_module_is_a_command_and_every_command_has_a_module() -> None:
    modules = {info.name for info in pkgutil.iter_modules(cli.__path__) if not info.name.startswith("_")} - {"main"}
    exported: set[str] = set()
    for module in modules:
        commands: tuple[Command, ...] = importlib.import_module(f"driftscan.cli.{module}").commands
        exported |= {command.name for command in commands}
    assert exported == set(COMMANDS)


def test_what_does_not_work_yet_is_not_offered(capsys: pytest.CaptureFixture[str]) -> None:
    top = run(capsys, "--help")
    for name in NOT_YET:
        assert not re.search(rf"^  {name} ", top.out, re.MULTILINE)
        assert run(capsys, name).code == 2


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_come_first_and_name_the_command(name: str) -> None:
    command = load(name)
    head, _, examples = command_help(command, 100).partition("\n\n")
    assert " ".join(head.split()) == f"driftscan {name}: {command.summary}"
    assert examples.startswith("  driftscan ")
    assert any(f"driftscan {name}" in typed for typed, _ in command.examples)


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_help_keeps_to_the_width(name: str, width: int) -> None:
    for line in command_help(load(name), width).splitlines():
        assert len(line) <= max(width, 60) or line.startswith("  driftscan ")


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_means_the_same_everywhere(name: str) -> None:
    known = {option.name: option for option in _options.ALL}
    for option in load(name).options:
        same = known[option.name]
        assert (option.short, option.many, option.path, option.parse, option.dest) == (
            same.short, same.many, same.path, same.parse, same.dest,
        )  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_are_understood(name: str) -> None:
    """Each example of a driftscan command is one that the parser takes."""
    for typed, _ in load(name).examples:
        words = shlex.split(typed.partition(" | ")[0])[1:]
        other, rest = _find(words)
        parse(_with_common(load(other)), rest)


@pytest.mark.parametrize("words", [["--help"], ["-h"], [], ["help"]])
def test_top_level_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    said = run(capsys, *words)
    assert said.code == 0
    assert not said.err
    assert all(f"  {name} " in said.out for name in COMMANDS)


@pytest.mark.parametrize("words", [["scan", "--help"], ["scan", "-h"], ["help", "scan"]])
def test_command_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, *words).out == command_help(load("scan"), 100)


@pytest.mark.parametrize("words", [["policy"], ["policy", "--help"], ["help", "policy"]])
def test_help_of_a_group(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    said = run(capsys, *words)
    assert said.code == 0
    assert "driftscan policy lint" in said.out


def _blocks(path: Path) -> list[tuple[str, str]]:
    """(command, what it prints) of each help that a page shows between its markers."""
    pattern = re.compile(r"<!-- output of: driftscan (.*?) -->\n```\w*\n(.*?)```", re.DOTALL)
    return pattern.findall(path.read_text("utf-8"))


PAGES = [REPOSITORY / "README.md", REPOSITORY / "docs" / "cli.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_help_shown_in_the_docs_is_true(page: Path, capsys: pytest.CaptureFixture[str], update_expected: bool) -> None:
    blocks = _blocks(page)
    assert blocks
    for words, shown in blocks:
        said = run(capsys, *words.split()).out
        if update_expected:
            page.write_text(page.read_text("utf-8").replace(shown, said), "utf-8")
        assert said in page.read_text("utf-8"), words


def test_every_command_and_option_is_in_the_docs() -> None:
    text = (REPOSITORY / "docs" / "cli.md").read_text("utf-8")
    assert [name for name in COMMANDS if f"driftscan {name}" not in text] == []
    assert [option.name for option in _options.ALL if f"--{option.name}" not in text] == []
