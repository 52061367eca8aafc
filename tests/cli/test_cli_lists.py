"""`policy`, `inventory list`, `doctor`, `probe`: what is there, and what is wrong with it."""

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from driftscan.policy.load import shipped
from driftscan.scan import doctor
from driftscan.scan.options import ScanOptions
from driftscan.scan.targets import Target
from tests.cli.runner import run

INVENTORY = """\
defaults: {user: scanner}
groups:
  web: {labels: {role: web}, hosts: [web-1, web-2]}
hosts:
  web-1: {address: 10.0.0.11, port: 2222}
  web-2: {labels: {az: b}}
  db-1: {manifest: db.manifest}
"""


@pytest.fixture
def inventory(home: Path) -> str:
    """Three hosts."""
    (home / "fleet.yaml").write_text(INVENTORY)
    return "fleet.yaml"


def test_inventory_list(inventory: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = run(capsys, "inventory", "list", "-i", inventory)
    assert said.code == 0
    rows = {line.split()[0]: line.split() for line in said.out.splitlines()}
    assert rows["web-1"][1:4] == ["scanner@10.0.0.11:2222", "web", "role=web"]
    assert rows["web-2"][1:5] == ["scanner@web-2:22", "web", "az=b", "role=web"]
    assert rows["db-1"][4].endswith("/db.manifest")


def test_inventory_list_of_some_and_for_machines(inventory: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = run(capsys, "inventory", "list", "web", "-i", inventory, "--json")
    hosts = json.loads(said.out)
    assert [host["name"] for host in hosts] == ["web-1", "web-2"]
    assert hosts[0]["options"]["port"] == 2222
    assert hosts[1]["labels"] == {"az": "b", "role": "web"}
    limited = run(capsys, "inventory", "list", "-i", inventory, "-l", "db-*")
    assert "db-1" in limited.out
    assert "web-1" not in limited.out


def test_inventory_list_of_nothing(inventory: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "inventory", "list").code == 2
    said = run(capsys, "inventory", "list", "-i", inventory, "nobody")
    assert said.code == 2
    assert "nobody" in said.err


def test_a_bad_inventory_is_named_by_its_place(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "bad.yaml").write_text("hosts:\n  web-1: {adress: 10.0.0.1}\n")
    said = run(capsys, "inventory", "list", "-i", "bad.yaml")
    assert said.code == 2
    assert "bad.yaml:2:" in said.err


def test_policy_list_names_what_is_shipped(capsys: pytest.CaptureFixture[str]) -> None:
    said = run(capsys, "policy", "list")
    assert said.code == 0
    assert shipped()
    assert [name for name in shipped() if f"\n{name} " not in said.out] == []


def test_policy_show(capsys: pytest.CaptureFixture[str]) -> None:
    said = run(capsys, "policy", "show", "immutable-core")
    assert said.code == 0
    assert "why: " in said.out
    assert "(line " in said.out
    wrong = run(capsys, "policy", "show", "immutable-cor")
    assert wrong.code == 2
    assert "immutable-core" in wrong.err


def test_policy_lint_finds_nothing_in_what_is_shipped(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One by one, and all of them together."""
    said = run(capsys, "policy", "lint", *shipped())
    told = [line.partition(":")[0] for line in said.err.splitlines() if ": good, " in line]
    assert (said.code, told) == (0, list(shipped()))


def test_policy_lint_names_every_bad_file(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one.yaml", "two.yaml"):
        (home / name).write_text("policy: x\nrulez: []\n")
    said = run(capsys, "policy", "lint", "one.yaml", "immutable-core", "two.yaml")
    assert said.code == 2
    assert "one.yaml:2:1" in said.err
    assert "two.yaml:2:1" in said.err
    assert "immutable-core: good" in said.err
    assert run(capsys, "policy", "lint", "immutable-core").code == 0


def test_doctor_tells_what_is_not_ready(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def examine(target: Target, _options: ScanOptions) -> doctor.Doctor:
        seen.append(target.spec)
        ready = target.spec == "local"
        checks = (("connection", True, "reached x\x1b[31m", ""), ("rights", ready, "no root", "Use sudo."))
        return doctor.Doctor(target.name, ready, checks)

    monkeypatch.setattr(doctor, "examine", examine)
    assert run(capsys, "doctor").code == 0
    said = run(capsys, "doctor", "local", "ssh://web-9")
    assert said.code == 3
    assert seen == ["local", "local", "ssh://web-9"]
    assert "web-9: not ready" in said.out
    assert "  FAIL  rights         no root\n        Use sudo.\n" in said.out
    assert "\x1b" not in said.out


def test_probe_print_is_a_program_that_a_shell_reads(capsys: pytest.CaptureFixture[str]) -> None:
    said = run(capsys, "probe", "--print")
    assert said.code == 0
    subprocess.run(["sh", "-n"], input=said.out.encode(), check=True)


def test_probe_sudoers(capsys: pytest.CaptureFixture[str]) -> None:
    said = run(capsys, "probe", "--sudoers", "--streamed", "--user", "scanner")
    assert "\nscanner ALL=(root) NOPASSWD: /bin/sh\n" in said.out
    assert "ANYTHING as root" in said.out


def test_probe_as_a_file_and_its_rule(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The rule names the file, its content, and that it takes no arguments."""
    path = tmp_path / "driftscan-probe"
    path.write_text("an old one")
    assert run(capsys, "probe", "--write", str(path)).code == 0
    subprocess.run(["sh", "-n", str(path)], check=True)
    assert path.stat().st_mode & 0o7777 == 0o755
    said = run(capsys, "probe", "--sudoers", "--user", "scanner", "--probe", "/opt/probe")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert f'\nscanner ALL=(root) NOPASSWD: sha256:{digest} /opt/probe ""\n' in said.out
    assert "/bin/sh" not in said.out


@pytest.mark.parametrize(
    "words", [[], ["--print", "--sudoers"], ["--sudoers", "--user", "a ALL=ALL\nb"], ["--sudoers", "--user", "#1"]]
)
def test_probe_refuses(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    said = run(capsys, "probe", *words)
    assert (said.code, said.out) == (2, "")


POLICY = """policy: ours
version: 1
title: Ours
rules:
  - id: r
    title: T
    over: user
    key: [a, b]
    require: {uid: 0}
    missing: pass
    severity: high
    recommendation: rebake
    why: w
    tests:
      - {expect: pass, facts: {user: {a: {uid: 0}}}}
      - {expect: fail, AT_FAULTfacts: {user: {a: {uid: 1}, b: {uid: 1}}}}
"""


def test_policy_test(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = home / "ours.yaml"
    path.write_text(POLICY.replace("AT_FAULT", ""))
    assert run(capsys, "policy", "test", "ours.yaml").out == "1 rule, 2 cases: all good\n"
    said = run(capsys, "policy", "test", "ours.yaml", "--mutate")
    assert said.code == 1
    assert "  no case notices: key a\n  no case notices: key b\n" in said.out
    path.write_text(POLICY.replace("AT_FAULT", "at_fault: all, "))
    assert run(capsys, "policy", "test", "ours.yaml", "--mutate").code == 0


def test_policy_test_tells_what_failed_and_where(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "ours.yaml").write_text(
        POLICY.replace("AT_FAULT", "at_fault: [a, c], ").replace("a: {uid: 0}", "a: {uid: 2}")
    )
    said = run(capsys, "policy", "test", "ours.yaml")
    assert said.code == 1
    for line in (
        "ours.yaml:15: case expects pass, the rule says fail",
        "user a: uid is 2, expected 0",
        'given user a: {"uid": 2}',
        "missing finding: c is not at fault",
        "unexpected finding: b is at fault",
        "1 rule, 2 cases: 1 failed",
    ):
        assert line in said.out
    told = json.loads(run(capsys, "policy", "test", "ours.yaml", "--json").out)
    assert told["schema"] == "driftscan.policy-test/1"
    assert told["summary"] == {"rules": 1, "cases": 2, "readings": 0, "failed": 1}
    assert told["rules"][0]["cases"][1]["missing"] == ["c"]


def test_policy_test_of_a_rule_without_cases_and_of_a_bad_file(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "ours.yaml").write_text(POLICY.partition("    tests:")[0])
    said = run(capsys, "policy", "test", "ours.yaml")
    assert said.code == 1
    assert "no case expects fail: add one" in said.out
    assert "- {expect: fail, facts: {user: {a: {uid: ...}}}}" in said.out, (
        "its values are left out: they come from hosts"
    )
    assert "never fired" in said.out
    (home / "ours.yaml").write_text("policy: x\n")
    assert run(capsys, "policy", "test", "ours.yaml").code == 2


def test_policy_schema(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed = run(capsys, "policy", "schema")
    assert run(capsys, "policy", "schema", "-o", "policy.json").code == 0
    assert (home / "policy.json").read_text() == printed.out
    assert "columns-sshd_setting" in json.loads(printed.out)["$defs"]
    assert run(capsys, "policy", "schema", "-o", "nowhere/policy.json").code == 2
