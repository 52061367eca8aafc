"""Births of hosts (`model.birth.Birth`) as text."""

import hashlib
import json
import zlib
from typing import Any

from driftscan.model.birth import Birth, BirthRecord, Ground
from driftscan.model.codec import canonical

MOST = 1 << 28


def encode(birth: Birth) -> tuple[bytes, str]:
    """The text, deflated, and its seal."""
    text = canonical(
        {
            "machine": dict(birth.machine),
            "manifest": birth.manifest,
            "taken_at": birth.taken_at,
            "settled_at": birth.settled_at,
            "user_data": birth.user_data,
            "records": [_row(record) for record in birth.records],
            "coverage": [[name, version, list(kinds)] for name, version, kinds in birth.coverage],
            "sources": dict(birth.sources),
            "undeclared": list(birth.undeclared),
            "doubts": list(birth.doubts),
        }
    )
    return zlib.compress(text), _seal(text)


def decode(deflated: bytes, seal: str) -> Birth:
    """The birth. ValueError, TypeError, LookupError or zlib.error for what is not as it was kept."""
    inflate = zlib.decompressobj()
    text = inflate.decompress(deflated, MOST)
    if not inflate.eof or _seal(text) != seal:
        raise ValueError("it is not what was kept")
    found: dict[str, Any] = json.loads(text)
    return Birth(
        machine=found["machine"],
        manifest=found["manifest"],
        taken_at=found["taken_at"],
        settled_at=found["settled_at"],
        user_data=found["user_data"],
        records=tuple(_record(*row) for row in found["records"]),
        coverage=tuple((name, version, tuple(kinds)) for name, version, kinds in found["coverage"]),
        sources=found["sources"],
        undeclared=tuple(found["undeclared"]),
        doubts=tuple(found["doubts"]),
        digest=f"sha256:{seal}",
    )


def _row(record: BirthRecord) -> list[str | None]:
    line = None if record.line is None else record.line.decode()
    return [record.kind, record.key, line, record.ground.value, record.why]


def _record(kind: str, key: str, line: str | None, ground: str, why: str) -> BirthRecord:
    kept = None if line is None else line.encode()
    return BirthRecord(kind=kind, key=key, line=kept, ground=Ground(ground), why=why)


def _seal(text: bytes) -> str:
    """SQLite does not notice a flipped bit, by which something would be accepted that nobody saw."""
    return hashlib.sha256(text).hexdigest()
