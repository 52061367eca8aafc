"""What is known of an answer is used again only where all that its collectors read is the same: told by digests."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.capture.base import TargetFacts
from driftscan.collectors._base import Collector
from driftscan.model.manifest import Manifest
from driftscan.model.resource import Kind, Plane, Resource
from driftscan.model.snapshot import CollectorStatus, Resources
from driftscan.model.source import Capture, Captures, File, Gap, Source, Status
from driftscan.scan import facts
from driftscan.scan.facts import Facts, Memory, digests_of, name_of
from driftscan.scan.parsing import Parsed, parse
from tests.compare.building import manifest

ONE, TWO, THREE, FOUR = (File(f"/{name}") for name in ("one", "two", "three", "four"))
EVERY = (ONE, TWO, THREE, FOUR)
Answers = Mapping[Source, bytes | Status]
ran: Counter[str] = Counter()
"""How often each parser ran."""


def collector(name: str, kind: str, sources: tuple[Source, ...], plane: Plane = Plane.IMAGE) -> Collector:
    """One that tells what each of its sources says; an empty one is a gap."""

    def told(captures: Captures) -> Iterator[Resource | Gap]:
        ran[name] += 1
        for source in sources:
            text = captures.text(source)
            if text == "":
                yield Gap(name, Status.FAILED, f"{source} is empty", (kind,))
            yield Resource(kind, f"{name}{source}", {"text": text})

    return Collector(
        name=name, version=1, doc="", kinds=(Kind(kind, "", "", {}),), sources=sources, parse=told, plane=plane
    )


COLLECTORS = {
    each.name: each
    for each in (
        collector("alpha", "a", (ONE, TWO)),
        collector("beta", "a", (THREE,)),  # of the same kind as alpha: they are one unit
        collector("gamma", "g", (THREE, FOUR)),
        collector("delta", "g", (FOUR,), Plane.RUNTIME),  # and so is this one, of a running target, with gamma
    )
}


@pytest.fixture(autouse=True, scope="module")
def few_collectors() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(facts, "collectors", lambda: COLLECTORS)
        patch.setattr(facts, "units", facts.units.__wrapped__)
        patch.setattr(facts, "_every_source", facts._every_source.__wrapped__)
        yield


@dataclass
class Host:
    """A target that gives these answers. One that does not converse sends everything."""

    answers: Answers
    live: bool = True
    converses: bool = True
    sent: list[Source] = field(default_factory=list)

    @property
    def facts(self) -> TargetFacts:
        return TargetFacts(live=self.live, privileged=True, hostname="h")

    def ask(self, sources: Sequence[Source], known: Mapping[Source, str] | None = None) -> Captures:
        known = known if known and self.converses else {}
        return Captures([self._answer(source, known.get(source)) for source in sources])

    def close(self) -> None:
        """Nothing runs."""

    def _answer(self, source: Source, known: str | None) -> Capture:
        found = self.answers[source]
        digest = hashlib.sha256(repr(found).encode()).hexdigest()[:32]
        if known == digest:
            return Capture(source, Status.OK, digest=digest, same=True)
        self.sent.append(source)
        if found in (Status.TIMED_OUT, Status.FAILED):  # as what was cut off: nobody can tell its digest
            return Capture(source, found)
        if isinstance(found, Status):
            return Capture(source, found, digest=digest)
        return Capture(source, Status.OK, found, digest=digest)


def everything(host: Host) -> Parsed:
    """All answers parsed, and nothing known."""
    captures = Host(host.answers, host.live, converses=False).ask(EVERY)
    ordered = [COLLECTORS[name] for name in sorted(COLLECTORS)]
    return parse(ordered, captures, live=host.live)


def baked(host: Host) -> Manifest:
    """The manifest of a host."""
    found = everything(host)
    captures = Host(host.answers, host.live).ask(EVERY)
    return replace(
        manifest(),
        resources=Resources(dict(found.resources)),
        coverage=found.coverage,
        source_digests=digests_of(captures),
        live=host.live,
    )


ANSWERS = st.fixed_dictionaries(
    {
        source: st.sampled_from([b"x", b"y", b"", Status.ABSENT, Status.FORBIDDEN, Status.TIMED_OUT, Status.FAILED])
        for source in EVERY
    }
)
HOSTS = st.builds(Host, ANSWERS, st.sampled_from([True, True, False]), st.sampled_from([True, True, False]))


@given(st.none() | HOSTS, st.lists(HOSTS, min_size=1, max_size=6))
def test_what_is_known_changes_no_result(reference: Host | None, hosts: list[Host]) -> None:
    """One host after the other of a run, with a manifest or none: as if each answer was sent and parsed."""
    memory, image = Memory(), baked(reference) if reference else None
    for host in hosts:
        found, expected = Facts(host, memory, image).ask(), everything(host)
        assert dict(found.resources) == dict(expected.resources)
        assert found.coverage == expected.coverage
        for kind in found.same:
            assert image is not None
            own = {rid: item for rid, item in expected.resources.items() if rid[0] == kind}
            assert own == image.resources.by_kind.get(kind, {})


SAID: Answers = {ONE: b"1", TWO: b"2", THREE: b"3", FOUR: b"4"}


def asked(memory: Memory, answers: Answers, image: Manifest | None = None) -> tuple[Host, dict[str, int]]:
    """The host, and which parsers ran for it."""
    ran.clear()
    host = Host(answers)
    Facts(host, memory, image).ask()
    return host, dict(ran)


def test_the_same_answers_are_parsed_once() -> None:
    memory = Memory()
    assert asked(memory, SAID)[1] == {"alpha": 1, "beta": 1, "delta": 1, "gamma": 1}
    assert asked(memory, SAID)[1] == {}


def test_what_does_not_run_is_not_taken_for_what_does() -> None:
    """Its answers may be the same; what only a running target has is not asked of it."""
    memory = Memory()
    for host in (Host(SAID), Host(SAID, live=False)):
        found = Facts(host, memory).ask()
        assert found.coverage == everything(host).coverage
        assert dict(found.resources) == dict(everything(host).resources)


@pytest.mark.parametrize(
    ("source", "parsers"),
    [
        (ONE, {"alpha", "beta"}),
        (TWO, {"alpha", "beta"}),
        (THREE, {"alpha", "beta", "gamma", "delta"}),
        (FOUR, {"gamma", "delta"}),
    ],
)
def test_one_answer_that_differs_is_parsed_anew_with_all_beside_it(source: Source, parsers: set[str]) -> None:
    memory = Memory()
    asked(memory, SAID)
    assert asked(memory, {**SAID, source: b"other"})[1].keys() == parsers


def test_what_is_as_in_the_manifest_is_neither_sent_nor_parsed() -> None:
    host, parsers = asked(Memory(), SAID, baked(Host(SAID)))
    assert (host.sent, parsers) == ([], {})


def test_what_was_not_sent_is_fetched_where_another_answer_beside_it_differs() -> None:
    image, memory, answers = baked(Host(SAID)), Memory(), {**SAID, ONE: b"other"}
    first, parsers = asked(memory, answers, image)
    assert first.sent == [ONE, TWO, THREE]
    assert parsers.keys() == {"alpha", "beta"}
    second, parsers = asked(memory, {**SAID, ONE: b"another"}, image)
    assert second.sent == [ONE], "what the first one sent is known"
    assert parsers.keys() == {"alpha", "beta"}
    third, parsers = asked(memory, answers, image)
    assert (third.sent, parsers) == ([ONE], {})


def test_an_answer_to_another_question_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files with the same content have the same digest, and stay two files."""
    memory = Memory()
    capture = Capture(ONE, Status.OK, b"x", digest="d")
    memory.keep([capture])
    assert memory.answer(ONE, "d") == capture
    assert memory.answer(TWO, "d") is None
    assert memory.answer(ONE, "e") is None
    monkeypatch.setattr(facts, "MOST_ANSWERS", 5)
    memory.keep([Capture(TWO, Status.OK, b"y" * 5, digest="e")])
    assert memory.answer(ONE, "d") is None, "the oldest go first"
    assert memory.answer(TWO, "e") is not None


def test_no_more_is_kept_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "MOST_PARSED", 2)
    memory, nothing = Memory(), Parsed({}, ())
    for name in "abc":
        memory.learn((name,), nothing)
    assert [memory.parsed((name,)) for name in "abc"] == [None, nothing, nothing]


@pytest.mark.parametrize("change", ["version", "failed", "gone", "other digest"])
def test_a_manifest_that_speaks_of_something_else_is_not_taken(change: str) -> None:
    image = baked(Host(SAID))
    gamma = next(each for each in image.coverage if each.name == "gamma")
    others = tuple(each for each in image.coverage if each.name != "gamma")
    now = {
        "version": (*others, replace(gamma, version=2)),
        "failed": (*others, replace(gamma, status=CollectorStatus.FAILED)),
        "gone": others,
        "other digest": image.coverage,
    }[change]
    digests = dict(image.source_digests)
    if change == "other digest":
        digests[name_of(FOUR)] = "0" * 32
    parsers = asked(Memory(), SAID, replace(image, coverage=now, source_digests=digests))[1]
    assert parsers.keys() == {"gamma", "delta"}
