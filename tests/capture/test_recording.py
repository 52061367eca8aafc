"""Captures kept in a file answer the same questions alike; a damaged file is refused."""

import stat
import time
from pathlib import Path

import pytest

from driftscan.capture.base import TargetFacts
from driftscan.capture.live import open_rootfs
from driftscan.capture.recording import Recorder, Replay
from driftscan.errors import UsageError
from driftscan.model.lines import pieces
from driftscan.model.source import (
    Capture,
    Captures,
    Command,
    Fate,
    File,
    Glob,
    LoadedFile,
    Processes,
    ProcessRow,
    Source,
    Status,
    Tree,
    WalkRule,
)
from driftscan.stored import Spool, Stored

SOURCES: tuple[Source, ...] = (
    File("/etc/a"),
    File("/none"),
    Glob(("/etc/*",)),
    Command(("true",)),
    Processes(),
    Tree(),
)


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/a").write_bytes(b"\x00\xff content\n")
    (root / "etc/link").symlink_to("a")
    recorder = Recorder()
    session = open_rootfs(str(root), time.monotonic() + 600, recorder)
    session.ask(SOURCES)
    session.close()
    path = tmp_path / "x.capture"
    recorder.write(str(path), session.facts, "web-1")
    return path


def test_a_replay_answers_as_the_target_did(recorded: Path, tmp_path: Path) -> None:
    session = open_rootfs(str(tmp_path / "root"), time.monotonic() + 600)
    live = session.ask(SOURCES)
    session.close()
    replay = Replay(str(recorded))
    assert replay.host == "web-1"
    assert replay.facts == session.facts
    again = replay.ask(SOURCES)
    assert [again[source] for source in SOURCES] == [live[source] for source in SOURCES]
    replay.close()


def test_what_processes_have_loaded_is_kept(tmp_path: Path) -> None:
    loaded = (LoadedFile(b"/usr/lib/\xff.so", Fate.REPLACED, "a" * 64, 7), LoadedFile(b"/memfd:x", Fate.MEMORY))
    row = ProcessRow(
        pid=1, ppid=0, uid=0, name=b"x", exe=b"/x", deleted=False, sockets=frozenset(), unit=b"", started=1,
        looked=Status.OK, apart=True, loaded=loaded,
    )  # fmt: skip
    recorder = Recorder()
    recorder([Processes()], Captures([Capture(Processes(), Status.OK, processes=(row,))]))
    path = tmp_path / "x.capture"
    recorder.write(str(path), TargetFacts(True, True, "web-1"), "web-1")
    replay = Replay(str(path))
    assert replay.ask([Processes()])[Processes()].processes == (row,)
    replay.close()


def test_a_large_walk_is_written_and_replayed_from_disk(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Spool.__init__, "__defaults__", (10,))
    spool = Spool("a walk")
    parts = [b"%d\0" % number * 1000 for number in range(3000)]
    for part in parts:
        spool.write(part)
    recorder = Recorder()
    walk = Capture(Tree(), Status.OK, stored=spool.buffer())
    recorder((Tree(), File("/a")), Captures([walk, Capture(File("/a"), Status.OK, b"x")]))
    recorder.write(str(tmp_path / "y.capture"), Replay(str(recorded)).facts, "web-1")
    again = Replay(str(tmp_path / "y.capture")).ask((Tree(), File("/a")))
    found = again[Tree()]
    assert isinstance(found.stored, Stored)
    assert (found.data, again[File("/a")].data) == (b"", b"x")
    assert b"".join(pieces(found.stored)) == b"".join(parts)


def test_zones_make_no_other_question_of_a_walk(recorded: Path) -> None:
    replay = Replay(str(recorded))
    source = Tree(rules=(WalkRule("/proc/**", "prune"),))
    assert next(iter(replay.ask([source]).values())).status is Status.OK


def test_what_was_not_asked_then_is_a_gap_now(recorded: Path) -> None:
    assert Replay(str(recorded)).ask([File("/other")])[File("/other")].status is Status.UNSUPPORTED


def test_an_answer_that_was_not_sent_again_stays_as_it_was(tmp_path: Path) -> None:
    """A target that is told what it said before says no more than that it says it still."""
    (tmp_path / "a").write_bytes(b"content")
    recorder = Recorder()
    session = open_rootfs(str(tmp_path), time.monotonic() + 600, recorder)
    first = session.ask([File("/a")])[File("/a")]
    assert session.ask([File("/a")], {File("/a"): first.digest})[File("/a")].same
    session.close()
    recorder.write(str(tmp_path / "x.capture"), session.facts, "web-1")
    replayed = Replay(str(tmp_path / "x.capture")).ask([File("/a")])[File("/a")]
    assert (replayed.status, replayed.data) == (Status.OK, b"content")


def test_what_was_never_sent_is_a_gap(tmp_path: Path) -> None:
    """Who replays it does not know what was expected then."""
    recorder = Recorder()
    source = File("/a")
    recorder((source,), Captures([Capture(source, Status.OK, digest="ab" * 16, same=True)]))
    facts = TargetFacts(live=True, privileged=True, hostname="h")
    recorder.write(str(tmp_path / "x.capture"), facts, "web-1")
    assert Replay(str(tmp_path / "x.capture")).ask([source])[source].status is Status.UNSUPPORTED


def test_only_its_owner_may_read_it(recorded: Path) -> None:
    assert stat.S_IMODE(recorded.stat().st_mode) == 0o600


@pytest.mark.parametrize("cut", [0, 1, 100, -200, -30, -1])
def test_a_damaged_recording_is_refused(recorded: Path, cut: int) -> None:
    recorded.write_bytes(recorded.read_bytes()[:cut])
    with pytest.raises(UsageError, match="not a recording"):
        Replay(str(recorded))


def test_a_changed_byte_is_refused_or_changes_nothing(recorded: Path) -> None:
    data = recorded.read_bytes()
    whole = Replay(str(recorded)).ask(SOURCES)
    for offset in range(0, len(data), 37):
        recorded.write_bytes(data[:offset] + bytes([data[offset] ^ 0xFF]) + data[offset + 1 :])
        try:
            found = Replay(str(recorded)).ask(SOURCES)
        except UsageError:
            continue
        assert [found[source] for source in SOURCES] == [whole[source] for source in SOURCES]
