"""What has no end, or nearly none: directories with very many entries, a file that grows while it is read."""

import os
import tracemalloc
from pathlib import Path

import pytest

from driftscan.capture.probe import walk
from driftscan.capture.probe.comparison import Expected, Sealed
from driftscan.capture.probe.listing import Output
from driftscan.capture.probe.manners import Pace
from driftscan.capture.probe.rules import Rules
from driftscan.capture.probe.walk import Walker

SECTIONS = {"mode": b"full", "whole": b"0", "salt": b"", "audit": b"", "known": b""}


def test_a_directory_is_listed_once_for_all_that_went(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "spool").mkdir()
    names = [str(number) for number in range(500)]
    monkeypatch.setattr(walk, "names_of", lambda handle: ([], [(name, True) for name in names]))
    listed: list[str] = []

    def listdir(place: str) -> list[str]:
        listed.append(place)
        return ["7"]

    monkeypatch.setattr(os, "listdir", listdir)
    walker = Walker(str(tmp_path), Rules([]), "sha256", {}, Pace(0, 0))
    assert len(list(walker.directory("/spool"))) == 1
    assert walker.skipped == [("/spool/7", "raced")]
    assert listed == [f"{tmp_path}/spool"]


@pytest.mark.parametrize("deep", [True, False])
def test_a_large_directory_takes_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, deep: bool) -> None:
    """A worker may have 512 MiB, and a directory a million entries."""
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool/a").symlink_to("x")
    monkeypatch.setattr(walk, "names_of", lambda handle: ([], [("a", False)] * 10_000))
    walker = Walker(str(tmp_path), Rules([]), "sha256", {}, Pace(0, 0))
    output = Output(lambda data: None)
    job = Sealed(walker, output, Expected(SECTIONS), lambda number: deep)
    tracemalloc.start()
    try:
        job.directory("/spool")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        output.close()
    assert job.counts["seen"] == 10_001
    assert peak < 10_000 * 600


def test_a_directory_that_memory_does_not_hold_is_a_gap_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("spool", "etc"):
        (tmp_path / name).mkdir()
    told: list[bytes] = []
    walker = Walker(str(tmp_path), Rules([]), "sha256", {}, Pace(0, 0))
    output = Output(told.append)
    job = Sealed(walker, output, Expected(SECTIONS), lambda number: True)

    def exhausted(handle: int) -> tuple[list[str], list[tuple[str, bool]]]:
        raise MemoryError

    try:
        with monkeypatch.context() as patch:
            patch.setattr(walk, "names_of", exhausted)
            job.directory("/spool")
        job.directory("/etc")
        job.report()
    finally:
        output.close()
    assert b"".join(told) == b"X failed\0/spool\0\0\0"
    assert len(job.groups) == 1


def test_a_file_that_grows_faster_than_it_is_read_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "log").write_bytes(b"x" * (walk.BUFFER + 1))
    walker = Walker(str(tmp_path), Rules([]), "sha256", {}, Pace(0, 0))
    reads: list[int] = []

    def read(handle: int, device: int, offset: int) -> int:
        reads.append(offset)
        assert offset <= 2 * walk.GROWTH, "read without end"
        return walk.BUFFER

    monkeypatch.setattr(walker.reader, "read", read)
    assert [entry[3] for entry in walker.directory("") if entry[0] == "/log"] == ["!raced"]
    assert len(reads) < 3 * walk.GROWTH // walk.BUFFER
