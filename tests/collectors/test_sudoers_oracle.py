"""The sudoers collector says what sudo's own cvtsudoers said to the same file (recorded in the case)."""

import json
from collections import Counter
from typing import Any

from driftscan.collectors.sudoers import collector
from driftscan.model.resource import Resource
from tests.collectors.casefiles import CASES, Case

CASE = Case(CASES / "sudoers" / "grammar")
_PREFIX = {"username": "", "usergroup": "%", "useralias": "", "userid": "#", "netgroup": "+", "usergid": "%#"}


def _rows(kind: str) -> list[Resource]:
    items = collector.parse(CASE.captures(collector.sources))
    return [item for item in items if isinstance(item, Resource) and item.attributes["type"] == kind]


def _oracle() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CASE.folder / "captures" / "cvtsudoers.json").read_text(encoding="utf-8"))
    return found


def _user(entry: dict[str, Any]) -> str:
    (kind, name), *_ = ((kind, name) for kind, name in entry.items() if kind in _PREFIX)
    return f'"{name}"' if " " in str(name) else f"{_PREFIX[kind]}{name}"


def test_users_and_passwords_are_those_of_sudo() -> None:
    expected: Counter[tuple[str, ...]] = Counter()
    without: set[tuple[str, ...]] = set()
    for spec in _oracle()["User_Specs"]:
        users = tuple(sorted(_user(entry) for entry in spec["User_List"]))
        options = [option for part in spec["Cmnd_Specs"] for option in part.get("Options", ())]
        expected[users] += 1
        if {"authenticate": False} in options:
            without.add(users)
    found = _rows("user_spec")
    rows = [tuple(str(user) for user in row.attributes["users"] or ()) for row in found]  # type: ignore[union-attr]
    assert set(rows) == set(expected)
    assert {users for users, row in zip(rows, found, strict=True) if row.attributes["nopasswd"]} == without


def test_who_may_run_everything_is_what_sudo_says() -> None:
    expected = {
        tuple(sorted(_user(entry) for entry in spec["User_List"]))
        for spec in _oracle()["User_Specs"]
        for part in spec["Cmnd_Specs"]
        if any(command.get("command") == "ALL" and not command.get("negated") for command in part["Commands"])
    }
    everything = [row.attributes["users"] for row in _rows("user_spec") if row.attributes["all_commands"]]
    assert set(everything) == expected


def test_aliases_are_those_of_sudo() -> None:
    names = {"User_Aliases": "User_Alias", "Runas_Aliases": "Runas_Alias", "Host_Aliases": "Host_Alias",
             "Command_Aliases": "Cmnd_Alias"}  # fmt: skip
    oracle = _oracle()
    expected = {f"{word} {name}" for group, word in names.items() for name in oracle[group]}
    assert {row.attributes["header"] for row in _rows("alias")} == expected


def test_settings_are_those_of_sudo() -> None:
    expected = sum(len(entry["Options"]) for entry in _oracle()["Defaults"])
    assert len(_rows("defaults")) == expected
