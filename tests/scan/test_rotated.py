"""Logs with what logrotate made of them: the program that a target runs, run here."""

import gzip
import subprocess
from pathlib import Path

from driftscan.model.source import Command, File, Redact
from driftscan.scan import histories, logs, rotated
from driftscan.scan.rotated import older, text


def run(source: Command) -> str:
    done = subprocess.run(source.argv, capture_output=True, check=False, timeout=600)
    assert done.returncode in source.ok
    assert done.stderr == b""
    return done.stdout.decode()


def test_the_oldest_first_compressed_or_not(tmp_path: Path) -> None:
    log = tmp_path / "history.log"
    log.write_text("four\n")
    (tmp_path / "history.log.1").write_text("three\n")
    (tmp_path / "history.log.2.gz").write_bytes(gzip.compress(b"two\n"))
    (tmp_path / "history.log.10.gz").write_bytes(gzip.compress(b"one\n"))
    (tmp_path / "history.log.3.gz").write_bytes(b"damaged")
    assert run(text([*older(str(log), 1, 12), str(log)])).split() == ["one", "two", "three", "four"]
    assert run(text(older(str(log), 2, 12))).split() == ["one", "two"]
    assert run(text([str(tmp_path / "history.log.[12]*")])).split() == ["three", "one", "two"]
    assert run(text(older(str(tmp_path / "none"), 1, 12))) == ""


def test_only_the_lines_that_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "auth.log.1").write_text(
        "h sudo: x\nh sshd[1]: Failed password for y\nh sshd[1]: Accepted z\nh other: x\n"
    )
    found = run(text([f"{tmp_path}/auth.log.1"], " (sudo|sshd)([[][0-9]+[]])?: ", "Failed password"))
    assert found.split("\n") == ["h sudo: x", "h sshd[1]: Accepted z", ""]


def test_what_grows_without_end_is_cut(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "auth.log.2.gz", "wb", compresslevel=1) as file:
        for _ in range(100):
            file.write(b"bomb\n" * (1 << 20))
    (tmp_path / "auth.log.1").write_text("the end\n")
    found = run(text(older(f"{tmp_path}/auth.log", 1, 2)))
    assert len(found) == rotated.MOST
    assert found.endswith("\nthe end\n\n")


def test_no_line_of_a_log_leaves_with_its_secrets() -> None:
    asked = [*histories.SOURCES, *logs.FILES.values(), logs.OLDER, logs.JOURNAL]
    assert {source.redact for source in asked if isinstance(source, Command | File)} == {Redact.SECRETS}


def test_rotated_logs_of_logins_are_asked_for_what_is_older_than_the_others() -> None:
    now = 1_800_000_000 * 10**9
    hour = 3600 * 10**9
    assert logs.OLDER not in logs.sources(now - hour, now)
    assert logs.OLDER in logs.sources(now - 30 * hour, now)
