"""The probe's answers, cut at any byte: gaps, never an invented or vanished resource."""

import os
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.capture.live import open_rootfs
from driftscan.capture.probe import frames
from driftscan.capture.probe.frames import Decoder, Splitter
from driftscan.capture.probe.render import requests
from driftscan.capture.probe.words import unescape
from driftscan.errors import ProbeError, UnavailableError
from driftscan.model.source import (
    Capture,
    Captures,
    Command,
    Fate,
    File,
    Glob,
    LoadedFile,
    Processes,
    Source,
    Status,
    Tree,
)
from driftscan.stored import Spool

NONCE = "0123456789abcdef0123456789abcdef"
SOURCES: tuple[Source, ...] = (File("/a"), Glob(("/d/*",)), Command(("true",)), Processes(), Tree())
WALK = b"f 0644\0/a\n" + NONCE.encode() + b"\0\0\0" + b"\n" + NONCE.encode()[:-1] + b"! \0/b\0\0\0"
"""Records of a walk, with names that begin like a mark and are none."""
MARK = b"\n" + NONCE.encode() + b" "


def frame(words: bytes, data: bytes = b"") -> bytes:
    return MARK + words + b"\n" + data


STREAM = b"".join(
    (
        b"Welcome to this machine!\n",
        frame(b"begin 0", b"line\n\nnot " + NONCE.encode()[:10] + b" a mark"),
        frame(b"end 0 ok - -"),
        frame(b"begin 1"),
        frame(b"member ok 33188 0 0 /d/x - -", b"one"),
        frame(b"member forbidden 33188 0 0 /d/\\0012 =\\0040 -"),
        frame(b"end 1 ok - -"),
        frame(b"begin 2", b"out"),
        frame(b"end 2 ok 3 tail"),
        frame(b"begin 3"),
        frame(b"process 1 0 0 init /sbin/init 0 17,4 - 99 1"),
        frame(b"process 2 0 0 x /x 0 - - 99 1 truncated 1", b"deleted - /a\\0040b 0\nequal " + b"a" * 64 + b" /c 7"),
        frame(b"end 3 ok - -"),
        frame(b"begin 4", WALK),
        frame(b"end 4 ok - -"),
        frame(b"round"),
    )
)


def decode(stream: bytes, *cuts: int) -> Decoder:
    decoder, splitter = Decoder(SOURCES), Splitter(NONCE)
    for start, end in pairwise((0, *sorted(cuts), len(stream))):
        for piece in splitter.feed(stream[start:end]):
            decoder.take(piece)
    return decoder


def test_a_whole_stream_is_decoded() -> None:
    decoder = decode(STREAM)
    assert decoder.done
    first, second, third, fourth, fifth = decoder.captures()
    assert first.status is Status.OK
    assert first.data == b"line\n\nnot 0123456789 a mark"
    assert [(member.path, member.status, member.link, member.data) for member in second.members] == [
        (b"/d/\n", Status.FORBIDDEN, b" ", b""),
        (b"/d/x", Status.OK, None, b"one"),
    ]
    assert third.status is Status.FAILED, "exit code 3 is not among those that are success"
    assert third.exit_code == 3
    assert fourth.processes[0].sockets == {4, 17}
    assert fourth.processes[0].looked is Status.UNSUPPORTED, "an older probe does not look at what is loaded"
    second_process = fourth.processes[1]
    assert (second_process.looked, second_process.apart) == (Status.TRUNCATED, True)
    assert second_process.loaded == (LoadedFile(b"/a b", Fate.DELETED), LoadedFile(b"/c", Fate.EQUAL, "a" * 64, 7))
    assert fifth.data == b"", "what may be large lies elsewhere"
    assert content(fifth) == WALK


def content(capture: Capture) -> bytes:
    return capture.content.read(0, capture.content.size)


@given(st.lists(st.integers(0, len(STREAM)), max_size=30))
def test_how_the_stream_is_chopped_does_not_matter(cuts: list[int]) -> None:
    assert decode(STREAM, *cuts).captures() == decode(STREAM).captures()
    assert decode(STREAM, *cuts).done


def test_a_stream_that_comes_byte_by_byte_is_decoded() -> None:
    assert decode(STREAM, *range(len(STREAM))).captures() == decode(STREAM).captures()


@given(st.binary(max_size=200), st.lists(st.integers(0, 400), max_size=9))
def test_noise_after_a_round_is_no_part_of_it(noise: bytes, cuts: list[int]) -> None:
    """What a host sends unasked belongs to nothing, however it comes."""
    stream = frame(b"hello 2 0 a b c d") + noise.replace(MARK, b"") + frame(b"round") + noise.replace(MARK, b"")
    splitter = Splitter(NONCE)
    edges = pairwise((0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)))
    found = [piece for start, end in edges for piece in splitter.feed(stream[start:end])]
    assert [piece.words[0] for piece in found if piece.words] == [b"hello", b"round"]
    assert all(piece.ends for piece in found)


def test_no_more_is_held_than_one_read() -> None:
    """A frame of any size is handed on as it comes."""
    splitter = Splitter(NONCE)
    data = os.urandom(1 << 16)
    assert not list(splitter.feed(frame(b"begin 4")[:20]))
    for _ in range(3):
        assert all(len(piece.data) <= len(data) + len(MARK) for piece in splitter.feed(frame(b"begin 4")[20:] + data))
        assert len(splitter._rest) < len(MARK)


def test_a_line_without_end_is_refused() -> None:
    splitter = Splitter(NONCE)
    data = MARK + b"begin " + b"4" * (2 << 20)
    with pytest.raises(ProbeError, match="a line without end"):
        list(splitter.feed(data))


def test_what_a_host_may_answer_at_once_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """A walk lies on disk and does not count; the rest is dropped from the first answer on that is too much."""
    monkeypatch.setattr(frames, "MAX_HELD", 3 << 20)
    stream = b"".join(
        (
            frame(b"begin 4", WALK * 100_000),
            frame(b"end 4 ok - -"),
            frame(b"begin 0", b"x" * (1 << 20)),
            frame(b"end 0 ok - -"),
            frame(b"begin 1"),
            *(frame(b"member ok 33188 0 0 /d/%d - -" % number, b"y" * 1000) for number in range(3000)),
            frame(b"end 1 ok - -"),
            frame(b"begin 2", b"out"),
            frame(b"end 2 ok 0 -"),
            frame(b"round"),
        )
    )
    decoder = decode(stream, *range(0, len(stream), 1 << 16))
    assert decoder.done
    first, second, third, fourth, fifth = decoder.captures()
    assert first.data == b"x" * (1 << 20)
    for lost in (second, third):
        assert (lost.status, lost.members, lost.data) == (Status.TRUNCATED, (), b"")
        assert lost.detail == "the host answers more than 3 MiB at once"
    assert (fourth.status, fifth.status) == (Status.FAILED, Status.OK)
    assert fifth.content.size == len(WALK) * 100_000
    with pytest.raises(UnavailableError, match="more than 3 MiB"):
        Captures(decoder.captures()).members(Glob(("/d/*",)))


def test_a_walk_for_which_there_is_no_room_is_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    monkeypatch.setattr(Spool.__init__, "__defaults__", (0,))
    decoder = decode(STREAM)
    assert decoder.done
    *others, walk = decoder.captures()
    assert (walk.status, walk.stored, walk.data) == (Status.FAILED, None, b"")
    assert "cannot be put aside" in walk.detail
    assert "TMPDIR" in walk.detail
    assert [capture.status for capture in others] == [Status.OK, Status.OK, Status.FAILED, Status.OK]


@given(st.integers(0, len(STREAM) - 1))
def test_a_cut_at_any_byte_leaves_whole_captures_and_gaps(cut: int) -> None:
    whole = decode(STREAM).captures()
    partial = decode(STREAM[:cut])
    assert not partial.done
    for expected, found in zip(whole, partial.captures(), strict=True):
        assert found == expected or (found.status is Status.FAILED and not found.data and not found.members)


def test_what_is_as_expected_comes_as_its_number() -> None:
    decoder = Decoder(SOURCES, {SOURCES[0]: "ab" * 16, SOURCES[2]: "cd" * 16})
    for piece in Splitter(NONCE).feed(frame(b"same 0,2") + frame(b"round")):
        decoder.take(piece)
    first, _, third, *_ = decoder.captures()
    assert (first.same, first.status, first.digest) == (True, Status.OK, "ab" * 16)
    assert third.same
    with pytest.raises(AssertionError):
        Captures([first]).need(SOURCES[0])


@pytest.mark.parametrize("stream", [b"same 1", b"same 9", b"same x", b"same"])
def test_equal_to_what_nobody_expected_is_refused(stream: bytes) -> None:
    decoder = Decoder(SOURCES, {SOURCES[0]: "ab" * 16})
    first = next(Splitter(NONCE).feed(frame(stream) + frame(b"round")))
    with pytest.raises(ProbeError):
        decoder.take(first)


@given(st.binary(max_size=300))
def test_noise_is_no_answer(noise: bytes) -> None:
    assert all(capture.status is Status.FAILED for capture in decode(noise).captures())


@pytest.mark.parametrize(
    "stream",
    [
        frame(b"begin 9") + frame(b"round"),
        frame(b"begin x") + frame(b"round"),
        frame(b"member ok 1 0 0 /d/x - -") + frame(b"round"),
        frame(b"begin 0") + frame(b"end 1 ok - -") + frame(b"round"),
        frame(b"begin 0") + frame(b"end 0 splendid - -") + frame(b"round"),
        frame(b"begin 0") + frame(b"dance") + frame(b"round"),
        frame(b"begin 3") + frame(b"process 1 2") + frame(b"round"),
        frame(b"begin 0") + frame(b"end 0 ok " + b"9" * 5000 + b" -") + frame(b"round"),
    ],
)
def test_answers_outside_the_protocol_are_refused(stream: bytes) -> None:
    with pytest.raises(ProbeError):
        decode(stream)


@given(st.binary(max_size=40).filter(lambda raw: b"\n" not in raw and b"\0" not in raw and raw))
def test_words_survive_the_way_there_and_back(raw: bytes) -> None:
    path = "/" + raw.decode("latin-1")
    line = requests([File(path)]).split(b"\n")[0]
    assert b" " not in line.split(b" ", 5)[4]
    assert unescape(line.split(b" ")[4]) == path.encode()


def test_a_session_answers_several_rounds(tmp_path: object) -> None:
    session = open_rootfs(str(tmp_path), time.monotonic() + 600)
    try:
        for _ in range(3):
            assert session.ask([File("/none")])[File("/none")].status is Status.ABSENT
    finally:
        session.close()
