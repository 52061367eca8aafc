"""The rpm query is only run where a database is: rpm would create one where there is none."""

import subprocess
from pathlib import Path

import pytest

from driftscan.collectors.packages_rpm import DATABASE, QUERY

STUB = """#!/bin/sh
printf '%s\\n' "$*" >> "$CALLS"
exit "$CODE"
"""


def _run(tmp_path: Path, code: int) -> tuple[int, list[str]]:
    (tmp_path / "bin").mkdir()
    stub = tmp_path / "bin" / "rpm"
    stub.write_text(STUB, encoding="utf-8")
    stub.chmod(0o755)
    calls = tmp_path / "calls"
    calls.touch()
    ended = subprocess.run(
        [*QUERY.argv, QUERY.rooted, str(tmp_path / "root")],
        env={"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "CALLS": str(calls), "CODE": str(code)},
        check=False,
    )
    return ended.returncode, calls.read_text(encoding="utf-8").splitlines()


def test_without_a_database_rpm_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "root" / "var/lib/rpm").mkdir(parents=True)
    (tmp_path / "root" / "var/lib/rpm/Packages").touch()
    assert _run(tmp_path, 0) == (0, [])


@pytest.mark.parametrize("path", DATABASE.patterns)
@pytest.mark.parametrize("code", [0, 1])
def test_each_database_is_asked_once_with_the_root(tmp_path: Path, path: str, code: int) -> None:
    file = tmp_path / "root" / path.removeprefix("/")
    file.parent.mkdir(parents=True)
    file.write_bytes(b"x")
    status, calls = _run(tmp_path, code)
    assert status == code
    assert len(calls) == 1
    assert calls[0].startswith(f"--root {tmp_path}/root --dbpath {Path(path).parent} -qa --queryformat %{{NAME}}")


def test_the_query_is_tab_separated_and_ends_each_row() -> None:
    script = QUERY.argv[2]
    assert r"%{NAME}\t%{EPOCH}\t" in script
    assert r"%{INSTALLTIME}\n'" in script
