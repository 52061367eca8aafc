"""The scanner's side of a comparison with a target: it tells what it expects, in digests, and asks about the rest.
What comes back is the same table of files as if the target had told everything, but for what zones accept.

The target's side is `capture/probe/comparison.py`. Whatever a target answers is checked for its form alone: one that
lies can say that all is well over any protocol.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from driftscan.capture.base import Session
from driftscan.compare.reference import Group, Reference
from driftscan.errors import UnavailableError
from driftscan.model.digests import (
    DIGEST,
    PARTS,
    WIDE,
    pack,
    part_digests,
    part_of,
    record_digest,
    root_digest,
)
from driftscan.model.names import decode_name
from driftscan.model.snapshot import FileCoverage
from driftscan.model.source import Status, Step

COUNTS = ("seen", "hashed", "stat_only", "unreadable", "raced", "over_limit", "excluded", "appeared")
"""As `capture/probe/comparison.py` has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a target is asked. `quick`: to read what moved since `states`, and what is audited; else to read all."""

    reference: Reference
    rules: bytes
    """Of the walk: `render.rules_section`."""
    salt: bytes
    whole: bool = False
    """Tell everything that differs in a zone, too: somebody wants to know files as they are."""
    states: bytes | None = None
    """The digests of metadata at the last scan."""
    quick: bool = False
    audited: tuple[int, ...] = ()
    """Buckets, in ascending order."""
    keep: bool = True
    """Whether the digests of metadata are wanted for the next scan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What a target answered: the records that it told (as of a walk), the keys of the reference that it has not, and
    counts. `appeared` and `changed` are what zones accept and the target did not tell: how many files came, and which
    differ."""

    told: bytes
    missing: tuple[str, ...]
    changed: tuple[str, ...]
    appeared: int
    coverage: FileCoverage
    states: bytes | None
    moved: int
    """Buckets whose metadata is not as it was."""


def compare(session: Session, question: Question) -> Compared:
    """Ask, and follow up where target and reference differ. UnavailableError if the target could not answer, or not in
    the protocol; HostError if it is lost."""
    try:
        return _Conversation(session, question).run()
    except (ValueError, KeyError, IndexError, struct.error) as error:
        raise UnavailableError("the comparison", Status.FAILED, "the target answered outside the protocol") from error


class _Conversation:
    """One comparison: what was told so far, and what is not there."""

    def __init__(self, session: Session, question: Question) -> None:
        self._session = session
        self._question = question
        self._told: list[bytes] = []
        self._missing: list[str] = []

    def run(self) -> Compared:
        question, reference = self._question, self._question.reference
        known = reference.known(question.salt)
        answer = self._step(
            "walk",
            {
                "mode": b"quick" if question.quick else b"full",
                "whole": b"1" if question.whole else b"0",
                "salt": question.salt,
                "rules": question.rules,
                "known": known.rows,
                "audit": _numbers("H", question.audited),
            },
        )
        counts = _counts(answer)
        self._missing += _flagged(known.keys, answer["missing"])
        changed = _flagged(known.keys, answer["changed"])
        different, states, moved, more = self._buckets(answer)
        if different:
            self._records(reference.groups(different), different)
        return Compared(
            told=b"".join(self._told),
            missing=tuple(self._missing),
            changed=tuple(changed),
            appeared=counts["appeared"],
            coverage=_coverage(counts, more),
            states=states,
            moved=moved,
        )

    def _buckets(self, answer: Mapping[str, bytes]) -> tuple[Sequence[int], bytes | None, int, Mapping[str, int]]:
        """The buckets that differ, the digests of metadata as they are now, how many of those moved, and counts of what
        was read in addition."""
        question, reference = self._question, self._question.reference
        before = question.states
        still = before is not None and root_digest(_pieces(before, DIGEST)) == answer["states"]
        nothing = dict.fromkeys(COUNTS, 0)
        if question.quick and before is not None:
            content = dict(zip(question.audited, _pieces(answer["sealed"], DIGEST), strict=True))
            states, moved = dict(enumerate(_pieces(before, DIGEST))), 0
            more = {} if still else self._step("moved", {"states": before})
            for row in _pieces(more.get("moved", b""), 2 + 2 * DIGEST):
                bucket, states[bucket], content[bucket] = struct.unpack(f">H{DIGEST}s{DIGEST}s", row)
                moved += 1
            differ = sorted(bucket for bucket, own in content.items() if own != reference.buckets[bucket])
            return differ, b"".join(states.values()), moved, _counts(more) if more else nothing
        different: Sequence[int] = ()
        if answer["sealed"] != reference.root:
            different = _read("H", self._step("buckets", {"sealed": b"".join(reference.buckets)})["different"])
        if question.keep and not still:
            return different, self._step("states", {})["states"], 0, nothing
        return different, before if still else None, 0, nothing

    def _records(self, groups: Sequence[Group], different: Sequence[int]) -> None:
        """Find out which records of the buckets that differ do so."""
        rows = b"".join(group.row for group in groups)
        answer = self._step("groups", {"buckets": _numbers("H", different), "expected": rows})
        lines: dict[int, dict[str, bytes]] = {}
        for index in _read("I", answer["unmatched"]):
            lines.setdefault(groups[index].number, {}).update(self._question.reference.lines(groups[index]))
        masks = self._parts({number: each for number, each in lines.items() if len(each) > WIDE})
        keys: list[str] = []
        expected: list[bytes] = []
        for number, each in lines.items():
            mask = masks.get(number, -1)
            chosen = [key for key in each if mask >> part_of(decode_name(key)) & 1]
            expected.append(struct.pack(">II", number, len(chosen)))
            expected += [record_digest(each[key]) for key in chosen]
            keys += chosen
        answer = self._step("records", {"expected": b"".join(expected)})
        self._missing += [keys[index] for index in _read("I", answer["missing"])]

    def _parts(self, wide: Mapping[int, Mapping[str, bytes]]) -> Mapping[int, int]:
        """Of directories with many entries, which parts differ, as bits."""
        if not wide:
            return {}
        rows = [
            struct.pack(">I", number) + b"".join(part_digests({decode_name(key): line for key, line in each.items()}))
            for number, each in wide.items()
        ]
        answer = self._step("parts", {"expected": b"".join(rows)})
        return dict(struct.unpack(">IQ", row) for row in _pieces(answer["masks"], 4 + PARTS // 8))

    def _step(self, name: str, sections: Mapping[str, bytes]) -> Mapping[str, bytes]:
        step = Step(name, pack(dict(sections)))
        capture = self._session.ask([step])[step]
        if capture.status is not Status.OK:
            raise UnavailableError(step, capture.status, capture.detail)
        self._told.append(capture.data)
        return capture.sections


def _coverage(counts: Mapping[str, int], more: Mapping[str, int]) -> FileCoverage:
    """What was read in addition had been counted as not read."""
    again = sum(more[name] for name in ("hashed", "unreadable", "raced", "over_limit"))
    return FileCoverage(
        seen=counts["seen"],
        hashed=counts["hashed"] + more["hashed"],
        stat_only=counts["stat_only"] - again,
        unreadable=counts["unreadable"] + more["unreadable"],
        excluded=counts["excluded"],
        raced=counts["raced"] + more["raced"],
        over_limit=counts["over_limit"] + more["over_limit"],
    )


def _counts(sections: Mapping[str, bytes]) -> dict[str, int]:
    return dict(zip(COUNTS, struct.unpack(f">{len(COUNTS)}Q", sections["counts"]), strict=True))


def _flagged(keys: Sequence[str], raw: bytes) -> list[str]:
    """The keys whose bits are set, the first the lowest of the first byte."""
    value = int.from_bytes(raw, "little")
    if value >> len(keys):
        raise ValueError("more flags than files")
    return [key for index, key in enumerate(keys) if value >> index & 1]


def _numbers(form: str, numbers: Sequence[int]) -> bytes:
    return struct.pack(f">{len(numbers)}{form}", *numbers)


def _read(form: str, raw: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{len(raw) // struct.calcsize(form)}{form}", raw)


def _pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]
