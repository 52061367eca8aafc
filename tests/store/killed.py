"""Scanners that are killed while they store: what was said to be stored is there, whole, and nothing is half there.

    python -m tests.store.killed KILLS [DATABASE_URL [SECONDS]]

kills so many of them, each within SECONDS of its beginning (a hundred: about a minute), and says what it found; the
status is 1 if anything was lost."""

import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from driftscan.errors import DriftscanError
from driftscan.model.place import Place
from driftscan.model.result import ScanResult
from driftscan.store import Store
from tests.store.scans import host, scan

HOSTS = 20
MOST_SECONDS = 0.6


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many scanners were killed, how many of them had stored scans before, how many scans are stored, and how
    many of these nobody was told of: their scanner was killed between its commit and its word."""

    kills: int
    amid: int
    stored: int
    untold: int


def made(number: int) -> ScanResult:
    """A scan of twenty hosts. Each has three findings, one of which is there in every other scan."""
    findings = ["F-a", "F-b", *(["F-c"] if number % 2 else [])]
    at = f"2026-{1 + number // 40000:02}-{1 + number // 1440 % 28:02}T{number // 60 % 24:02}:{number % 60:02}:00Z"
    result = scan(0, *(host(f"web-{index}", *findings) for index in range(HOSTS)))
    return ScanResult(id=f"scan-{number}", started_at=at, finished_at=at, mode="full", hosts=result.hosts)


def report_of(number: int) -> bytes:
    """Its report."""
    return b"report of %d " % number * 5000


def kill(place: Place, kills: int, seed: int, seconds: float = MOST_SECONDS) -> Outcome:
    """Kill so many, one after the other, and check what is stored after each. AssertionError says what was lost."""
    chance = random.Random(seed)
    amid = 0
    told: set[int] = set()
    stored: set[int] = set()
    for _ in range(kills):
        new = _one(place, max(stored, default=-1) + 1, chance.uniform(0, seconds))
        amid += bool(new)
        told |= new
        stored = check(place, told)
    return Outcome(kills, amid, len(stored), len(stored - told))


def _one(place: Place, first: int, seconds: float) -> set[int]:
    """Let a scanner store scans for a while and kill it; the numbers of those that it said were stored."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        _store_on(place, first, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        assert told.readline() == b"begun\n"
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return {int(line) for line in told if line.endswith(b"\n")}


def _store_on(place: Place, first: int, writing: int) -> None:
    try:
        store = Store(place)
        os.write(writing, b"begun\n")
        for number in range(first, first + 10_000):
            store.save(made(number), report_of(number))
            os.write(writing, b"%d\n" % number)
    finally:
        os._exit(1)


def check(place: Place, told: set[int]) -> set[int]:
    """The numbers of the scans that are stored. AssertionError if one that was told is not, or one is not whole."""
    if not place.database:
        with closing(sqlite3.connect(place.directory / "driftscan.sqlite3")) as file:
            assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert file.execute("PRAGMA foreign_key_check").fetchall() == []
    store = Store(place)
    scans = {int(row.id.removeprefix("scan-")): row for row in store.scans(100_000)}
    assert told <= scans.keys(), f"lost: {sorted(told - scans.keys())}"
    if not scans:
        return set()
    for number in sorted(scans)[-5:]:
        assert len(store.hosts(f"scan-{number}")) == HOSTS
        assert store.report(scans[number]) == report_of(number)
    newest = max(scans)
    for name, there in (("F-a", True), ("F-c", newest % 2 == 1)):
        rows = store.find_finding(name)
        assert {row.resolved_at is None for row in rows} <= {there}
        assert len(rows) == (HOSTS if there or newest else 0)
        assert not there or {row.last_seen for row in rows} == {scans[newest].started_at}
    return set(scans)


def main(words: list[str]) -> int:
    """The command."""
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder), words[1] if len(words) > 1 else "")
        try:
            seconds = float(words[2]) if len(words) > 2 else MOST_SECONDS
            found = kill(place, int(words[0]), random.randrange(1 << 30), seconds)
        except (AssertionError, DriftscanError) as error:
            print(f"lost or damaged: {error}")
            return 1
    print(
        f"{found.kills} killed, {found.amid} of them after commits;"
        f" {found.stored} scans stored, {found.untold} of them untold; nothing lost"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
