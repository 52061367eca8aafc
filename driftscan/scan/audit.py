"""Which files a quick scan reads although their metadata has not moved: so that whoever forges metadata is caught.

Files are in BUCKETS buckets. A secret key puts those of each host in an order; each scan reads the next share of them,
round and round, so that every file is read once in any cycle of scans, and a bucket by chance besides, so that also
what was read just now may be read again at once. A host that watches for a whole cycle can learn the order, but not
stretch it; an order of its own for each cycle would hide it and let a file go unread for nearly two.
"""

import hashlib
import secrets
import struct
from collections.abc import Callable
from dataclasses import dataclass

from driftscan.model.digests import BUCKETS

CYCLE = 168
"""Scans in which every file is read: a week of hourly scans."""
DRAWN = 1
"""Buckets that are read by chance, besides."""


@dataclass(frozen=True, slots=True)
class Audit:
    """The buckets of one scan. `probability`: that of any one file to be read in it; within `cycle` scans it is 1."""

    buckets: tuple[int, ...]
    cycle: int
    probability: float


def audit(key: bytes, scans: int, cycle: int = CYCLE, draw: Callable[[int], int] = secrets.randbelow) -> Audit:
    """The buckets to read in the scan after `scans` others. `draw` gives a number below its argument."""
    position = scans % cycle
    weights = struct.unpack(f">{BUCKETS}Q", hashlib.shake_256(b"audit" + key).digest(8 * BUCKETS))
    order = sorted(range(BUCKETS), key=weights.__getitem__)
    share = order[position * BUCKETS // cycle : (position + 1) * BUCKETS // cycle]
    drawn = {draw(BUCKETS) for _ in range(DRAWN)}
    probability = 1 - (1 - 1 / cycle) * (1 - 1 / BUCKETS) ** DRAWN
    return Audit(tuple(sorted({*share, *drawn})), cycle, probability)
