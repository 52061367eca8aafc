"""Which buckets are read again: all within a cycle, in an order that nobody knows without the key."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftscan.model.digests import BUCKETS
from driftscan.scan.audit import CYCLE, DRAWN, audit

KEYS = st.binary(min_size=32, max_size=32)
CYCLES = st.one_of(st.integers(1, 40), st.sampled_from([CYCLE, BUCKETS - 1, BUCKETS, BUCKETS + 1, 700]))


def share(key: bytes, scans: int, cycle: int) -> frozenset[int]:
    """What is read in turn: whatever is drawn by chance, this is read."""
    one, other = (frozenset(audit(key, scans, cycle, lambda below: number).buckets) for number in (0, 1))  # noqa: B023
    return one & other


@settings(max_examples=25)
@given(KEYS, CYCLES, st.integers(0, 2000))
def test_a_cycle_reads_each_bucket_once_whenever_it_begins(key: bytes, cycle: int, first: int) -> None:
    turns = [share(key, scans, cycle) for scans in range(first, first + cycle)]
    assert sum(map(len, turns)) == BUCKETS
    assert frozenset().union(*turns) == frozenset(range(BUCKETS))
    assert max(map(len, turns)) - min(map(len, turns)) <= 1, "each scan reads as much as the others"


def order(key: bytes) -> tuple[int, ...]:
    return tuple(bucket for scans in range(BUCKETS) for bucket in share(key, scans, BUCKETS))


def test_an_order_is_the_keys_own() -> None:
    """No order is another's, nor one that could be guessed; the same key gives the same."""
    keys = [bytes([number]) * 32 for number in range(8)]
    orders = [order(key) for key in keys]
    assert orders == [order(key) for key in keys]
    assert len({*orders, tuple(range(BUCKETS))}) == 9
    for one in orders:
        for other in orders:
            agree = sum(mine == theirs for mine, theirs in zip(one, other, strict=True))
            assert one is other or agree < 12, "of two shuffles, one place in common is to be expected"


@given(KEYS, CYCLES, st.integers(0, 2000), st.integers(0, BUCKETS - 1))
def test_what_is_drawn_is_read_besides(key: bytes, cycle: int, scans: int, number: int) -> None:
    asked: list[int] = []

    def draw(below: int) -> int:
        asked.append(below)
        return number

    found = audit(key, scans, cycle, draw).buckets
    assert asked == [BUCKETS] * DRAWN, "any bucket, those included that are read anyway"
    assert set(found) == share(key, scans, cycle) | {number}
    assert list(found) == sorted(set(found)), "the target wants them in ascending order"


def test_nobody_else_draws() -> None:
    """The draw is not the key's: who knows the key cannot tell it."""
    seen = {audit(b"k" * 32, 0, BUCKETS).buckets for _ in range(40)}
    assert len(seen) > 5


@pytest.mark.parametrize("cycle", [1, 2, 7, CYCLE, BUCKETS, 700])
def test_the_probability_that_is_told_is_the_counted_one(cycle: int) -> None:
    """Of all scans of a cycle and all draws, in how many one bucket is read: for each bucket the same share."""
    assert DRAWN == 1
    read = [0] * BUCKETS
    for scans in range(cycle):
        turn = share(b"k" * 32, scans, cycle)
        for bucket in range(BUCKETS):
            read[bucket] += BUCKETS if bucket in turn else 1  # of BUCKETS draws, one is of this bucket
    counted = {Fraction(count, cycle * BUCKETS) for count in read}
    assert len(counted) == 1
    assert audit(b"k" * 32, 3, cycle).probability == pytest.approx(float(counted.pop()), abs=1e-12)
    assert audit(b"k" * 32, 3, cycle).cycle == cycle
