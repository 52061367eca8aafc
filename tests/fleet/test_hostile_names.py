"""File names chosen by an attacker: every output shows them harmless and told apart."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.fleet.bed.host import Host
from tests.fleet.driver import Driftscan, Outcome, differences

DIRECTORY = b"/usr/local/share/hostile"
_BIDIRECTIONAL = {chr(n) for n in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
FORGED = "clean-1: clean, nothing to do"
# The name on disk, and the key by which the contract writes it.
NAMES = {
    b"line\n" + FORGED.encode(): "line\n" + FORGED,
    b"line\\n" + FORGED.encode(): "line\\\\n" + FORGED,
    b"\x1b[2J\x1b[31mred\x1b]0;title\x07": "\x1b[2J\x1b[31mred\x1b]0;title\x07",
    b"byte-\xff": "byte-\\xff",
    b"byte-\\xff": "byte-\\\\xff",
    b"byte-\xfe": "byte-\\xfe",
    b"<script>alert(1)<!--": "<script>alert(1)<!--",
    b"<img src=x onerror=alert(2)>": "<img src=x onerror=alert(2)>",
    b"| `pipe` [link](javascript:alert)": "| `pipe` [link](javascript:alert)",
    "right\u202eto-left".encode(): "right\u202eto-left",
    b"return\rcarriage": "return\rcarriage",
    b"\xc2\x9bcsi": "\x9bcsi",
    b" leading and trailing ": " leading and trailing ",
    b"-rf": "-rf",
    b"$(reboot)`reboot`;reboot": "$(reboot)`reboot`;reboot",
}  # fmt: skip


@pytest.fixture(scope="module")
def hostile(fleet: dict[str, Host]) -> Host:
    """Names are made from outside: no shell could carry them."""
    host = fleet["crooked"]
    directory = os.fsencode(host.root) + DIRECTORY
    os.makedirs(directory, exist_ok=True)
    for name in NAMES:
        with open(directory + b"/" + name, "wb") as file:
            file.write(name)
    return host


@pytest.fixture(scope="module")
def outcome(driftscan: Driftscan, hostile: Host, scan_options: tuple[str, ...]) -> Outcome:
    outcome = driftscan.scan(hostile.name, *scan_options)
    assert outcome.code == 1, outcome.explain()
    return outcome


def test_json_tells_them_apart(outcome: Outcome) -> None:
    found = differences(outcome.host("crooked"))
    within = DIRECTORY.decode() + "/"
    keys = {d["key"].removeprefix(within) for d in found if d["kind"] == "file" and d["key"].startswith(within)}
    assert keys == set(NAMES.values())


def test_json_is_plain_text(outcome: Outcome) -> None:
    """JSON escapes control characters, so even `cat` of a report is safe."""
    assert not _controls(outcome.stdout)


@pytest.mark.parametrize("form", ["text", "markdown", "jsonl"])
def test_every_other_output_is_harmless(
    driftscan: Driftscan, hostile: Host, scan_options: tuple[str, ...], form: str
) -> None:
    said = driftscan.run("scan", hostile.name, *scan_options, "-o", form)
    assert said.code == 1, said.stderr
    for text in (said.stdout, said.stderr):
        assert not _controls(text), sorted(_controls(text))
        assert FORGED not in text.splitlines()
    if form == "markdown":
        assert "<script" not in said.stdout
        assert "<img" not in said.stdout


def test_report_files_are_harmless(
    driftscan: Driftscan, hostile: Host, scan_options: tuple[str, ...], tmp_path: Path
) -> None:
    forms = ("text", "markdown", "json", "jsonl")
    reports = [f"--report={form}:{tmp_path / form}" for form in forms]
    assert driftscan.run("scan", hostile.name, *scan_options, *reports).code == 1
    for form in forms:
        assert not _controls((tmp_path / form).read_bytes().decode()), form


def _controls(text: str) -> set[str]:
    """Characters that move a terminal's cursor, change its colours or turn its text round."""
    return {c for c in text if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160 or c in _BIDIRECTIONAL}
