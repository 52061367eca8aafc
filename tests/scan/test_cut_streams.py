"""What a target answers, cut off at any byte: an error or a gap, never another table of files, never a clean host."""

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftscan.capture import live
from driftscan.capture.live import ProbeSession
from driftscan.compare.reference import Reference
from driftscan.errors import DeadlineError, HostError, UnavailableError
from driftscan.manifests.files import write_manifest
from driftscan.model.digests import pack, unpack
from driftscan.model.drift import Change
from driftscan.model.finding import Verdict
from driftscan.model.records import Records
from driftscan.model.result import HostResult
from driftscan.model.snapshot import CollectorStatus, ImageRef
from driftscan.model.zone import Zone, ZoneClass
from driftscan.scan import exchange, fleet
from driftscan.scan.bake import bake
from driftscan.scan.exchange import Compared, Question
from driftscan.scan.options import ScanOptions
from driftscan.scan.progress import Silent
from driftscan.scan.targets import resolve
from driftscan.transports.base import Ended, Login
from driftscan.transports.local import LocalChannel, LocalTransport
from tests.scan.test_exchange import PATIENT, grow, listed

NONCE = 32
"""Hexadecimal digits."""


@dataclass
class Tape:
    """What a target answered, and to which nonce."""

    nonce: bytes = b""
    answers: bytes = b""

    @property
    def edges(self) -> list[int]:
        """Where its frames begin and where their data do, and the bytes beside."""
        found, start = {0, len(self.answers)}, 0
        mark = b"\n" + self.nonce + b" "
        while (start := self.answers.find(mark, start)) >= 0:
            line = self.answers.index(b"\n", start + 1)
            found |= {start - 1, start, start + 1, line - 1, line, line + 1}
            start = line
        return sorted(cut for cut in found if 0 <= cut <= len(self.answers))


class Taping(LocalTransport):
    """This machine; what the probe says is taped."""

    def __init__(self, tape: Tape) -> None:
        super().__init__()
        object.__setattr__(self, "tape", tape)

    def run(self, script: str, arguments: tuple[str, ...] = ()) -> LocalChannel:
        channel = super().run(script, arguments)
        write, read = channel.write, channel.read

        def written(data: bytes) -> None:
            if data.startswith(b"start "):
                self.tape.nonce = data.split(b" ")[1]
            write(data)

        def taped(deadline: float) -> bytes:
            data = read(deadline)
            self.tape.answers += data
            return data

        channel.write, channel.read = written, taped  # type: ignore[method-assign]
        return channel

    tape: Tape


@dataclass
class Played:
    """A target that says what is on a tape up to some byte, whatever it is asked; then it is gone, or silent."""

    tape: Tape
    upto: int
    silent: bool = False
    elevated: bool = True
    login: Login = Login()
    left: bytes = field(default=b"", init=False)

    def run(self, script: str, arguments: tuple[str, ...] = ()) -> "Played":
        return self

    def run_file(self, path: str) -> "tuple[Played, str]":
        raise NotImplementedError

    def write(self, data: bytes) -> None:
        if data.startswith(b"start "):
            self.left = self.tape.answers[: self.upto].replace(self.tape.nonce, data.split(b" ")[1])

    def read(self, deadline: float) -> bytes:
        if not self.left and self.silent:
            raise DeadlineError("the probe did not answer in time")
        data, self.left = self.left[:4096], self.left[4096:]
        return data

    def end_input(self) -> None:
        """It has none."""

    def ended(self, deadline: float) -> Ended:
        return Ended(None, b"")

    def close(self) -> None:
        """Nothing runs."""


ZONES = (
    Zone(pattern="/free/**", zone=ZoneClass.FREE, reason="x"),
    Zone(pattern="/own/*", zone=ZoneClass.IDENTITY, reason="x"),
)


@dataclass
class Talk:
    """One comparison that was had: the question, the tape, and what came of it."""

    base: Records
    question: Question
    tape: Tape
    whole: Compared

    def again(self, transport: Played) -> Compared | None:
        """What comes of it over another transport; None: it is told that nothing does."""
        try:
            session = ProbeSession(transport, "/nowhere", time.monotonic() + 600)
            return exchange.compare(session, self.question)
        except (HostError, UnavailableError):
            return None


def talk(root: Path, *, quick: bool) -> Talk:
    """Compare a tree that has changed; some directory of it is wide."""
    grow(root, 3, 40)
    (root / "quiet").mkdir()
    (root / "quiet/file").write_bytes(b"1")
    session = ProbeSession(LocalTransport(), str(root), time.monotonic() + 600, program=PATIENT)
    base = listed(session)
    reference = Reference(base, lambda key: None)
    question = Question(reference=reference, rules=b"", salt=b"s" * 16)
    states = exchange.compare(session, question).states
    session.close()
    question = Question(reference=reference, rules=b"", salt=b"s" * 16, states=states if quick else None, quick=quick)
    (root / "added").write_bytes(b"x")
    (root / "quiet/file").unlink()
    tape = Tape()
    session = ProbeSession(Taping(tape), str(root), time.monotonic() + 600, program=PATIENT)
    whole = exchange.compare(session, question)
    session.close()
    return Talk(base, question, tape, whole)


@pytest.fixture(scope="module", params=["full", "quick"])
def had(request: pytest.FixtureRequest) -> Iterator[Talk]:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(exchange, "WIDE", 2)
        yield talk(Path(folder), quick=request.param == "quick")


def test_the_whole_tape_gives_what_was_found(had: Talk) -> None:
    assert had.again(Played(had.tape, len(had.tape.answers))) == had.whole
    assert had.whole.missing == ("/quiet/file",)
    assert b"/added\0" in had.whole.told
    steps = {"walk", "buckets", "groups", "parts", "records"} | (set() if had.question.quick else {"states"})
    assert had.tape.answers.count(b" begin ") == len(steps)


@pytest.mark.parametrize("silent", [False, True])
def test_a_comparison_that_is_cut_off_gives_nothing(had: Talk, silent: bool) -> None:
    """At each edge of a frame, and each byte of short answers: but for the very end, when all has been said."""
    short = len(had.tape.answers) < 2000
    last = had.tape.answers.rindex(b"\n" + had.tape.nonce + b" ") + 1 + NONCE
    for cut in range(len(had.tape.answers)) if short else had.tape.edges:
        found = had.again(Played(had.tape, cut, silent))
        assert found == (had.whole if cut > last else None), cut


@given(st.data(), st.booleans())
def test_a_comparison_that_is_cut_off_anywhere_gives_nothing(had: Talk, data: st.DataObject, silent: bool) -> None:
    cut = data.draw(st.integers(0, len(had.tape.answers) - NONCE - len("\n round\n")))
    assert had.again(Played(had.tape, cut, silent)) is None


@given(st.data())
def test_what_was_flipped_on_the_way_gives_nothing(had: Talk, data: st.DataObject) -> None:
    """In what is packed; records have no seal of their own."""
    answers = had.tape.answers
    places = [start for start in range(len(answers)) if answers.startswith(b" sections\n", start)]
    start = data.draw(st.sampled_from(places)) + len(b" sections\n")
    place = data.draw(st.integers(start, answers.index(b"\n" + had.tape.nonce, start) - 1))
    flipped = bytes([answers[place] ^ data.draw(st.integers(1, 255))])
    tape = Tape(had.tape.nonce, answers[:place] + flipped + answers[place + 1 :])
    assert had.again(Played(tape, len(answers))) in (None, had.whole)


@given(st.dictionaries(st.text("abc", min_size=1), st.binary(max_size=80), max_size=4), st.data())
def test_packed_sections_come_whole_or_not_at_all(sections: dict[str, bytes], data: st.DataObject) -> None:
    packed = pack(sections)
    assert unpack(packed, 1 << 20) == sections
    cut = data.draw(st.integers(0, len(packed) - 1))
    for damaged in (packed[:cut], packed + b"\0"):
        with pytest.raises(ValueError):
            unpack(damaged, 1 << 20)
    place, mask = data.draw(st.integers(0, len(packed) - 1)), data.draw(st.integers(1, 255))
    flipped = packed[:place] + bytes([packed[place] ^ mask]) + packed[place + 1 :]
    with suppress(ValueError):
        assert unpack(flipped, 1 << 20) == sections, "bits that mean nothing may be others"
    size = sum(5 + len(name) + len(value) for name, value in sections.items())
    if size > 1:
        with pytest.raises(ValueError, match="too large"):
            unpack(packed, size - 1)


IMAGE = {
    "etc/os-release": "ID=debian\nIMAGE_ID=web\nIMAGE_VERSION=7\n",
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\n",
    "etc/group": "root:x:0:\n",
    "etc/motd": "hello\n",
    "var/lib/dpkg/status": "Package: a\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n\n",
    "var/lib/dpkg/info/a.list": "/.\n/usr\n/usr/bin\n/usr/bin/a\n",
    "usr/bin/a": "binary",
}


def build(root: Path) -> Path:
    for name, text in IMAGE.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def change(root: Path) -> None:
    (root / "etc/motd").write_text("owned\n")
    (root / "etc/passwd").write_text(IMAGE["etc/passwd"] + "eve:x:0:0::/root:/bin/bash\n")
    (root / "var/lib/dpkg/status").write_text("")
    (root / "usr/bin/b").write_text("foreign")
    (root / "usr/bin/b").chmod(0o755)


@dataclass
class Scan:
    """One scan of a host that was had: where it and its manifest lie, the tape, and the result."""

    root: Path
    manifest: Path
    tape: Tape
    whole: HostResult

    def again(self, upto: int, *, silent: bool) -> HostResult:
        return scanned(self.root, self.manifest, Played(self.tape, upto, silent))


def scanned(root: Path, manifest: Path, transport: Played | Taping) -> HostResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live, "LocalTransport", lambda elevated: transport)
        options = ScanOptions(manifest=str(manifest))
        (result,) = fleet.scan(resolve([f"rootfs:{root}"], ()), options, Silent(), threading.Event()).hosts
    return result


@pytest.fixture(scope="module", params=["as the image", "changed"])
def scan(request: pytest.FixtureRequest) -> Iterator[Scan]:
    with tempfile.TemporaryDirectory() as folder:
        root, manifest = build(Path(folder) / "host"), Path(folder) / "web.manifest"
        baked = bake(
            resolve([f"rootfs:{root}"], ()), image=ImageRef(), zones="", options=ScanOptions(), progress=Silent()
        )
        write_manifest(baked.manifest, manifest)
        if request.param == "changed":
            change(root)
        tape = Tape()
        whole = scanned(root, manifest, Taping(tape))
        assert whole.verdict is (Verdict.FINDINGS if request.param == "changed" else Verdict.CLEAN)
        yield Scan(root, manifest, tape, whole)


def told(result: HostResult) -> set[tuple[str, str, str]]:
    """What is known to differ."""
    every = (item for judged in result.mutations for item in judged.mutation.differences)
    return {(item.kind, item.key, item.change) for item in every if item.change is not Change.UNKNOWN}


def honest(found: HostResult, whole: HostResult) -> bool:
    """Whether a scan that was cut off says nothing that is not so, and says that it was."""
    if found.verdict is Verdict.UNREACHABLE:
        return bool(found.errors) and not found.mutations
    if told(found) == told(whole) and found.verdict is whole.verdict:
        return found.coverage == whole.coverage
    gaps = {coverage.status for coverage in found.coverage} & {CollectorStatus.FAILED, CollectorStatus.PARTIAL}
    return told(found) <= told(whole) and bool(gaps) and found.verdict is not Verdict.CLEAN


def last_needed(tape: Tape) -> int:
    """Where the last answer that says something ends: what follows is the word that the round is over."""
    return tape.answers.rindex(b"\n" + tape.nonce + b" round\n") + 1 + NONCE


@pytest.mark.parametrize("silent", [False, True])
def test_a_scan_that_is_cut_off_is_never_whole(scan: Scan, silent: bool) -> None:
    """At frames of the last rounds, where all of the files have been told; at every other of them it falls silent."""
    walked = scan.tape.answers.rindex(b" sections\n")
    for cut in (edge for edge in scan.tape.edges[4 * silent :: 8] if walked < edge <= last_needed(scan.tape)):
        found = scan.again(cut, silent=silent)
        assert honest(found, scan.whole), cut
        assert found.verdict is not Verdict.CLEAN, cut


@settings(max_examples=25)
@given(st.data(), st.booleans())
def test_a_scan_that_is_cut_off_anywhere_invents_nothing(scan: Scan, data: st.DataObject, silent: bool) -> None:
    found = scan.again(data.draw(st.integers(0, last_needed(scan.tape))), silent=silent)
    assert honest(found, scan.whole)
    assert found.verdict is not Verdict.CLEAN


def test_a_scan_of_the_whole_tape_is_as_it_was(scan: Scan) -> None:
    found = scan.again(len(scan.tape.answers), silent=False)
    assert (found.verdict, told(found), found.coverage) == (scan.whole.verdict, told(scan.whole), scan.whole.coverage)
