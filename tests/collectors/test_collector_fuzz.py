"""No collector lets anything but its two errors out, whatever a target answers: random bytes, damaged recordings, and
input made to be slow (a parser that is not linear would make this file hang)."""

import stat
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from driftscan.collectors._base import Collector
from driftscan.errors import ParseError, UnavailableError
from driftscan.model.resource import Resource
from driftscan.model.source import Capture, Captures, Command, File, Gap, Glob, Member, Source, Status
from driftscan.plugins import discover
from tests.collectors.casefiles import all_cases
from tests.collectors.test_collector_cases import check_declared

COLLECTORS = discover("driftscan.collectors", "collector", Collector)
STATIC = sorted(name for name, collector in COLLECTORS.items() if collector.sources)
CASES = {name: [case for case in all_cases() if case.collector == name] for name in STATIC}
QUIET = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))

# what the formats give a meaning to, so that random input gets past the first check
WORDS = (
    *(
        b"\n",
        b":",
        b"=",
        b",",
        b'"',
        b"'",
        b"\\",
        b"#",
        b" ",
        b"\t",
        b"\x00",
        b"\xff",
        b"\xed\xa0\x80",
        b"\xe2\x80\xae",
    ),
    *(b"%", b"*", b"[", b"]", b"(", b")", b"!", b"{", b"}", b"/", b"..", b"~", b"0", b"-1", b"9" * 26, b"<x>", b"AAAA"),
    *(
        b"root",
        b"ALL",
        b"NOPASSWD",
        b"Defaults",
        b"@include ",
        b"Include ",
        b"Match ",
        b"User_Alias A=",
        b"ssh-ed25519 ",
    ),
    *(b"Package: x\n", b"Version: 1\n", b"Status: install ok installed\n", b"P:x\n", b"V:1\n", b"Name: x\n"),
)
BYTES = st.one_of(st.binary(max_size=200), st.lists(st.sampled_from(WORDS), max_size=60).map(b"".join))
STATUS = st.sampled_from([Status.OK] * 6 + list(Status))


def run(collector: Collector, captures: Captures) -> None:
    resources: list[Resource] = []
    gaps: list[Gap] = []
    try:
        for item in collector.parse(captures):
            if isinstance(item, Gap):
                gaps.append(item)
            else:
                resources.append(item)
    except (ParseError, UnavailableError):
        pass
    check_declared(collector, resources, gaps)


@st.composite
def members(draw: st.DrawFn, source: Glob) -> tuple[Member, ...]:
    found: dict[bytes, Member] = {}
    for pattern in draw(st.lists(st.sampled_from(source.patterns), max_size=4)):
        names = st.sampled_from([b"a", b"10-x.conf", b"odd\xff\n", b"-", b"x" * 40])
        path = b"".join(draw(names) if char in "*?" else char.encode() for char in pattern.replace("**", "*"))
        mode = draw(st.sampled_from([stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755, stat.S_IFLNK | 0o777, 0]))
        data = draw(BYTES) if source.content else b""
        found[path] = Member(path, draw(STATUS), data, draw(st.sampled_from([None, None, b"../x"])), mode)
    return tuple(found[path] for path in sorted(found))


@st.composite
def captures_of(draw: st.DrawFn, sources: tuple[Source, ...]) -> Captures:
    found: list[Capture] = []
    for source in sources:
        if isinstance(source, Glob):
            found.append(Capture(source, draw(STATUS), members=draw(members(source))))
        else:
            found.append(Capture(source, draw(STATUS), draw(BYTES)))
    return Captures(found)


@pytest.mark.parametrize("name", STATIC)
def test_random_answers(name: str) -> None:
    collector = COLLECTORS[name]

    @QUIET
    @given(captures_of(collector.sources))
    def check(captures: Captures) -> None:
        run(collector, captures)

    check()


def _damage(data: bytes, at: int, word: bytes, how: str) -> bytes:
    place = at % (len(data) + 1)
    match how:
        case "insert":
            return data[:place] + word + data[place:]
        case "cut":
            return data[:place]
        case "remove":
            return data[:place] + data[place + 1 :]
        case _:
            return data[:place] + word + data[place + len(word) :]


def _change(captures: Captures, change: Callable[[bytes], bytes]) -> Captures:
    return Captures(
        [
            replace(
                capture,
                data=change(capture.data),
                members=tuple(replace(member, data=change(member.data)) for member in capture.members),
            )
            for capture in captures.values()
        ]
    )


@pytest.mark.parametrize("name", STATIC)
def test_damaged_recordings(name: str) -> None:
    collector = COLLECTORS[name]
    assert CASES[name], "no recording to damage"

    @QUIET
    @given(
        st.sampled_from(CASES[name]),
        st.lists(st.tuples(st.integers(0, 1 << 16), st.sampled_from(WORDS)), min_size=1, max_size=5),
        st.sampled_from(["insert", "cut", "remove", "overwrite"]),
    )
    def check(case: object, places: list[tuple[int, bytes]], how: str) -> None:
        captures = next(item for item in CASES[name] if item is case).captures(collector.sources)
        for at, word in places:
            captures = _change(captures, lambda data, at=at, word=word: _damage(data, at, word, how))  # type: ignore[misc]
        run(collector, captures)

    check()


SLOW = (
    b'"\\', b"\\\n", b"(", b"CWD=", b"a,", b"[", b"*a", b"Include x\n", b"@include x\n", b"::::::\n", b" \t", b"#",
    b"'\"", b"\xff", b"a=b ", b"x\n\n", b"\\\"", b"{\"a\":", b"[[", b"!", b"Package: x\n\n", b"Match a b\n", b"%%",
    b"-",
)  # fmt: skip


@pytest.mark.parametrize("name", STATIC)
def test_no_input_is_slow(name: str) -> None:
    for unit in SLOW:
        _parse(COLLECTORS[name], unit * ((64 << 10) // len(unit)))


def _parse(collector: Collector, data: bytes) -> None:
    found: list[Capture] = []
    for source in collector.sources:
        if isinstance(source, Glob):
            path = source.patterns[0].replace("**", "d").replace("*", "x").encode()
            found.append(Capture(source, Status.OK, members=(Member(path, Status.OK, data, mode=stat.S_IFREG),)))
        elif isinstance(source, File | Command):
            found.append(Capture(source, Status.OK, data))
        else:
            found.append(Capture(source, Status.ABSENT))
    run(collector, Captures(found))
