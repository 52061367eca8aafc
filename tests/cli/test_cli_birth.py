"""`driftscan birth` where no host is needed to know the answer."""

from pathlib import Path

import pytest

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
