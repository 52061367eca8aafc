"""Telling what differs gives the same table of files as telling everything: every exchange, on real trees."""

import os
import random
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from driftscan.capture.live import ProbeSession, open_rootfs
from driftscan.capture.probe import render
from driftscan.collectors import files
from driftscan.compare.diff import Diff, diff
from driftscan.compare.reference import Reference
from driftscan.compare.zoning import tolerance
from driftscan.model.digests import BUCKETS, directory_number
from driftscan.model.matching import Matcher
from driftscan.model.patched import Patched
from driftscan.model.records import Records
from driftscan.model.snapshot import Resources
from driftscan.model.source import Capture, Status, Tree
from driftscan.model.zone import Zone, ZoneClass
from driftscan.scan import exchange
from driftscan.scan.exchange import Compared, Question
from driftscan.zones import walk_rules
from tests.compare import building

NAMES = [
    b"plain",
    b"new\nline",
    b"bad\xff",
    b"back\\slash",
    "\u00e9\U0001f600".encode(),
    b'quo"te',
    b" ",
    b"-",
    b"\x7f",
]
SALT = b"s" * 16
TICK = 0.02
"""Seconds in which any kernel's clock for inodes moves on."""


# What has just changed counts as moved until it is two seconds old; here everything has.
PATIENT = render.script().replace("RACY = 2000000000", "RACY = 0")
# A target on which the time of the last change of an inode can be forged, as by writing to the disk beneath.
FORGED = PATIENT.replace("status.st_ctime_ns & MOST", "0")
assert FORGED != PATIENT != render.script()


@contextmanager
def session(root: Path, program: str = PATIENT) -> Iterator[ProbeSession]:
    opened = open_rootfs(str(root), time.monotonic() + 600, program=program)
    try:
        yield opened
    finally:
        opened.close()


def listed(opened: ProbeSession, zones: tuple[Zone, ...] = ()) -> Records:
    source = files.tree(walk_rules(zones))
    return files.table(opened.ask([source])[source]).records


def asked(
    opened: ProbeSession,
    base: Records,
    zones: tuple[Zone, ...] = (),
    *,
    whole: bool = True,
    states: bytes | None = None,
    quick: bool = False,
    audited: tuple[int, ...] = (),
) -> Compared:
    matcher = Matcher(zones)
    question = Question(
        reference=Reference(base, lambda key: matcher.zone_of("file", key)),
        rules=render.rules_section(walk_rules(zones, tolerate=tolerance)),
        salt=SALT,
        whole=whole,
        states=states,
        quick=quick,
        audited=audited,
    )
    return exchange.compare(opened, question)


def table(base: Records, found: Compared) -> Records:
    told = files.table(Capture(Tree(), Status.OK, found.told)).records
    return Patched(base, found.missing, told)


def same(one: Records, other: Records) -> bool:
    return (tuple(one.keys), tuple(one.lines)) == (tuple(other.keys), tuple(other.lines))


def grow(root: Path, seed: int, entries: int) -> None:
    """A tree of files, directories, links and special files with all sorts of names."""
    chosen = random.Random(seed)
    folders = [os.fsencode(root)]
    for number in range(entries):
        path = chosen.choice(folders) + b"/" + chosen.choice(NAMES) + str(number).encode()
        what = chosen.random()
        if what < 0.2:
            os.mkdir(path)
            folders.append(path)
        elif what < 0.3:
            os.symlink(chosen.choice(NAMES), path)
        elif what < 0.33:
            os.mkfifo(path)
        else:
            with open(path, "wb") as stream:
                stream.write(chosen.randbytes(chosen.choice([0, 1, 1000, 300_000 if what > 0.98 else 10])))
            os.chmod(path, chosen.choice([0o644, 0o755, 0o4755, 0o600]))


def paths(root: Path) -> list[bytes]:
    found = []
    for folder, below, names in os.walk(os.fsencode(root)):
        found += [folder + b"/" + name for name in sorted(below) + sorted(names)]
    return sorted(found)


def alter(path: bytes, how: str, chosen: random.Random) -> None:
    """One change of one path; what cannot be changed so is removed."""
    status = os.lstat(path)
    if how == "mode" and not stat.S_ISLNK(status.st_mode):
        os.chmod(path, stat.S_IMODE(status.st_mode) ^ 0o001)
    elif how == "add":
        place = path if stat.S_ISDIR(status.st_mode) else os.path.dirname(path)
        with open(place + b"/added-" + chosen.choice(NAMES), "wb") as stream:
            stream.write(b"new")
    elif how == "content" and stat.S_ISREG(status.st_mode):
        with open(path, "ab") as stream:
            stream.write(b"!")
    elif how == "type" and stat.S_ISREG(status.st_mode):
        os.unlink(path)
        os.mkdir(path)
    elif stat.S_ISDIR(status.st_mode):
        shutil.rmtree(path)
    else:
        os.unlink(path)


CHANGES = ("mode", "add", "content", "type", "remove")


def test_an_unchanged_tree_is_told_in_no_record(tmp_path: Path) -> None:
    grow(tmp_path, 1, 200)
    with session(tmp_path) as opened:
        base = listed(opened)
        found = asked(opened, base)
    assert (found.told, found.missing, found.changed, found.appeared) == (b"", (), (), 0)
    assert found.coverage.seen == len(base)


@pytest.mark.parametrize("how", CHANGES)
def test_one_path_after_the_other_changes(tmp_path: Path, how: str) -> None:
    grow(tmp_path, 2, 16)
    chosen = random.Random(how)
    with session(tmp_path) as opened:
        base = listed(opened)
        states = asked(opened, base).states
        time.sleep(TICK)
        for path in paths(tmp_path):
            if os.path.lexists(path):
                alter(path, how, chosen)
                expected = listed(opened)
                assert same(table(base, asked(opened, base)), expected)
                assert same(table(base, asked(opened, base, states=states, quick=True)), expected)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10**6), st.lists(st.tuples(st.sampled_from(CHANGES), st.integers(0, 10**6)), max_size=30))
def test_many_changes_at_once(seed: int, changes: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder, session(Path(folder)) as opened:
        grow(Path(folder), seed, 60)
        base = listed(opened)
        states = asked(opened, base).states
        time.sleep(TICK)
        for how, number in changes:
            there = paths(Path(folder))
            if there:
                alter(there[number % len(there)], how, random.Random(number))
        expected = listed(opened)
        assert same(table(base, asked(opened, base)), expected)
        quick = asked(opened, base, states=states, quick=True)
        assert same(table(base, quick), expected)
        # The next scan knows this one, and has nothing to tell.
        again = asked(opened, table(base, quick), states=quick.states, quick=True)
        assert (again.told, again.missing) == (b"", ())


def test_a_quick_scan_reads_what_moved_and_nothing_else(tmp_path: Path) -> None:
    grow(tmp_path, 5, 300)
    with session(tmp_path) as opened:
        base = listed(opened)
        first = asked(opened, base)
        time.sleep(TICK)
        still = asked(opened, base, states=first.states, quick=True)
        assert (still.moved, still.coverage.hashed, still.told, still.states) == (0, 0, b"", first.states)
        assert still.coverage.stat_only == first.coverage.hashed
        victim = next(path for path in paths(tmp_path) if stat.S_ISREG(os.lstat(path).st_mode))
        alter(victim, "content", random.Random(0))
        found = asked(opened, base, states=first.states, quick=True)
        assert found.moved == 1
        assert 0 < found.coverage.hashed < first.coverage.hashed / 2
        assert found.told.count(b"\0") == 4


def test_forged_metadata_is_seen_by_who_reads(tmp_path: Path) -> None:
    """Content that changes while size, times and the rest stay: full scans and audits find it, others cannot."""
    (tmp_path / "bin").mkdir()
    victim = tmp_path / "bin/login"
    victim.write_bytes(b"honest")
    bucket = directory_number(b"/bin") % BUCKETS
    with session(tmp_path, FORGED) as opened:
        base = listed(opened)
        states = asked(opened, base).states
        times = victim.stat()
        victim.write_bytes(b"forged")
        os.utime(victim, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert asked(opened, base, states=states, quick=True).told == b""
        others = tuple(number for number in range(BUCKETS) if number != bucket)
        assert asked(opened, base, states=states, quick=True, audited=others).told == b""
        for found in (
            asked(opened, base, states=states, quick=True, audited=(bucket,)),
            asked(opened, base, states=states),
        ):
            assert same(table(base, found), listed(opened))


def test_a_wide_directory_tells_one_change(tmp_path: Path) -> None:
    (tmp_path / "wide").mkdir()
    for number in range(3000):
        (tmp_path / "wide" / f"file-{number}").write_bytes(b"%d" % number)
    with session(tmp_path) as opened:
        base = listed(opened)
        (tmp_path / "wide/file-7").write_bytes(b"other")
        (tmp_path / "wide/file-8").unlink()
        found = asked(opened, base)
        assert same(table(base, found), listed(opened))
    assert found.missing == ("/wide/file-7", "/wide/file-8")
    assert found.told.count(b"/wide/") == 1


def test_what_cannot_be_read_is_told_every_time(tmp_path: Path) -> None:
    """A gap must not be lost because the reference has the same one."""
    os.truncate(os.open(tmp_path / "hole", os.O_CREAT | os.O_WRONLY), 1 << 40)
    with session(tmp_path) as opened:
        base = listed(opened)
        assert b" !limit " in asked(opened, base).told
        assert asked(opened, base).coverage.over_limit == 1


ZONES = (
    Zone(pattern="/free/**", zone=ZoneClass.FREE, reason="x"),
    Zone(pattern="/free/programs/**", zone=ZoneClass.FREE, reason="x", executables=True),
    Zone(pattern="/free/sealed/**", zone=ZoneClass.SEALED, reason="x"),
    Zone(pattern="/log/**", zone=ZoneClass.ROTATING_LOG, reason="x"),
    Zone(pattern="/grows/**", zone=ZoneClass.APPEND_ONLY, reason="x"),
    Zone(pattern="/own/*", zone=ZoneClass.IDENTITY, reason="x", may_appear=True),
    Zone(pattern="/rows/*", zone=ZoneClass.DERIVED, reason="x"),
    Zone(pattern="/secret/*", zone=ZoneClass.SECRET, reason="x", may_vanish=True),
    Zone(pattern="/once/**", zone=ZoneClass.BOOT_ONCE, reason="x"),
    Zone(pattern="/owner/*", zone=ZoneClass.FREE, reason="x", attributes=("uid", "mode")),
    Zone(pattern="/away/**", zone=ZoneClass.EXTERNAL, reason="x"),
)
PLACES = ("free", "free/programs", "free/sealed", "log", "grows", "own", "rows", "secret", "once", "owner", "away", "x")


def settle(root: Path, seed: int) -> None:
    for place in PLACES:
        (root / place).mkdir(parents=True, exist_ok=True)
        grow(root / place, seed, 8)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10**6), st.lists(st.tuples(st.sampled_from(CHANGES), st.integers(0, 10**6)), max_size=40))
def test_zones_hide_only_what_they_accept(seed: int, changes: list[tuple[str, int]]) -> None:
    """What is not told changes no finding, and is counted."""
    with tempfile.TemporaryDirectory() as folder, session(Path(folder)) as opened:
        settle(Path(folder), seed)
        manifest = replace(building.manifest(zones=ZONES), resources=Resources({}, listed(opened, ZONES)))
        for how, number in changes:
            there = paths(Path(folder))
            alter(there[number % len(there)], how, random.Random(number))
        rules = walk_rules(ZONES, manifest, tolerance)
        source = files.tree(rules)
        everything = files.table(opened.ask([source])[source]).records
        matcher = Matcher(ZONES)
        reference = Reference(manifest.resources.files, lambda key: matcher.zone_of("file", key))
        found = exchange.compare(opened, Question(reference=reference, rules=render.rules_section(rules), salt=SALT))
        empty, told_files = building.snapshot(), table(manifest.resources.files, found)
        whole = diff(manifest, replace(empty, resources=Resources({}, everything)), ZONES)
        told = diff(manifest, replace(empty, resources=Resources({}, told_files)), ZONES)
    assert refused(told) == refused(whole)
    assert told.raw + found.appeared + len(found.changed) == whole.raw
    assert not {item.key for item in told.differences if item.allowed} & set(found.changed)


def refused(found: Diff) -> list[tuple[str, str, object, str]]:
    return [(item.key, item.change, item.attributes, item.why) for item in found.differences if not item.allowed]
