"""The probe's answers, cut at any byte: gaps, never an invented or vanished resource."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.capture.live import open_rootfs
from driftscan.capture.probe.frames import Decoder, Splitter
from driftscan.capture.probe.render import requests
from driftscan.capture.probe.words import unescape
from driftscan.errors import ProbeError
from driftscan.model.source import Captures, Command, File, Glob, Processes, Source, Status

NONCE = "0123456789abcdef0123456789abcdef"
SOURCES: tuple[Source, ...] = (File("/a"), Glob(("/d/*",)), Command(("true",)), Processes())
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
        frame(b"end 3 ok - -"),
        frame(b"round"),
    )
)


def decode(stream: bytes, cut: int = 0) -> Decoder:
    decoder, splitter = Decoder(SOURCES), Splitter(NONCE)
    for part in (stream[:cut], stream[cut:]) if cut else (stream,):
        for piece in splitter.feed(part):
            decoder.take(piece)
    return decoder


def test_a_whole_stream_is_decoded() -> None:
    decoder = decode(STREAM)
    assert decoder.done
    first, second, third, fourth = decoder.captures()
    assert first.status is Status.OK
    assert first.data == b"line\n\nnot 0123456789 a mark"
    assert [(member.path, member.status, member.link, member.data) for member in second.members] == [
        (b"/d/\n", Status.FORBIDDEN, b" ", b""),
        (b"/d/x", Status.OK, None, b"one"),
    ]
    assert third.status is Status.FAILED, "exit code 3 is not among those that are success"
    assert third.exit_code == 3
    assert fourth.processes[0].sockets == {4, 17}


@given(st.integers(1, len(STREAM) - 1))
def test_how_the_stream_is_chopped_does_not_matter(cut: int) -> None:
    assert decode(STREAM, cut).captures() == decode(STREAM).captures()


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
    first, _, third, _ = decoder.captures()
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
    session = open_rootfs(str(tmp_path), time.monotonic() + 60)
    try:
        for _ in range(3):
            assert session.ask([File("/none")])[File("/none")].status is Status.ABSENT
    finally:
        session.close()
