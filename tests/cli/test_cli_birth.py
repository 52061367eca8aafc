"""`driftscan birth` where no host is needed to know the answer."""

from pathlib import Path

import pytest

from driftscan.cli.birth import _text, exit_code
from driftscan.errors import UnreachableError
from driftscan.model.birth import Birth, BirthRecord, Ground
from driftscan.scan.delivery import Delivery, Outcome
from driftscan.scan.targets import Target
from tests.cli.runner import run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("local",), "there is no manifest of its image"),
        (("local", "-m", "nowhere.manifest"), "nowhere.manifest: no such file"),
        (("rootfs:/",), "a birth is of a running host"),
        (("local", "--accept", "F-1"), "--accept and --reason belong together"),
        (("local", "--reason", "x"), "--accept and --reason belong together"),
    ],
)
def test_wrong_input_is_told_before_anything_is_looked_at(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = run(capsys, "birth", *arguments, "--store", str(tmp_path / "store"))
    assert done.code == 2
    assert message in done.err
    assert not (tmp_path / "store" / "driftscan.sqlite3").exists()


def delivery(name: str, *doubts: str, outcome: Outcome = Outcome.RECORDED) -> Delivery:
    record = BirthRecord(kind="user", key="deploy", line=b"{}", ground=Ground.DECLARED, why="users: deploy")
    birth = Birth(machine={}, manifest="m", taken_at="2026-11-26T08:00:00Z", records=(record,), doubts=doubts)
    return Delivery(target=Target("ssh", name, f"ssh://{name}"), outcome=outcome, birth=birth)


FAILURE = UnreachableError("lost", "Look.")
LOST = Delivery(target=Target("ssh", "x", "ssh://x"), outcome=Outcome.FAILED, error=FAILURE)


def test_hosts_of_which_the_same_is_to_be_said_stand_together() -> None:
    names = [f"web-{number}" for number in range(12)]
    told = list(_text([*map(delivery, names), delivery("db-1", "late"), LOST], quiet=False, verbose=False))
    assert told == [
        f"{', '.join(names[:10])} and 2 more: recorded",
        "    1 declared by user data: 1 user",
        "db-1: recorded",
        "    1 declared by user data: 1 user",
        "    in doubt: late",
        "x: not recorded: lost",
        "    Look.",
    ]


def test_quiet_says_only_what_somebody_should_look_at() -> None:
    told = [delivery("a"), delivery("b", outcome=Outcome.KNOWN), delivery("c", "late"), LOST]
    assert [line for line in _text(told, quiet=True, verbose=False) if not line.startswith(" ")] == [
        "c: recorded",
        "x: not recorded: lost",
    ]
    assert exit_code(told) == 1
    assert exit_code([told[0], LOST]) == 3
    assert exit_code(told[:2]) == 0
