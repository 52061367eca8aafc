"""The records of a table as digests need them: sealed ones by directory, and which are zoned. Working it out takes
longer than anything else in a scan of one host, so it can be kept (`pack`) beside the manifest that it is of."""

import struct
import sys
from array import array
from collections.abc import Callable
from dataclasses import dataclass

from driftscan.model.digests import DIGEST, group_digest, pack, unpack
from driftscan.model.names import decode_name, encode_name
from driftscan.model.records import Records

FORMAT = b"driftscan.grouping/1"
MOST = 1 << 30
_DIRECTORY = b'"type":"directory"'
"""Quotes within a JSON string are escaped, so nothing but the column itself looks like this."""


def place_of(key: str, line: bytes) -> str:
    """The directory in whose group a sealed record is: its own, if it is one."""
    if _DIRECTORY in line:
        return "" if key == "/" else key
    return key.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class Grouping:
    """`directories`, with the digest of each one's group and the numbers of its records in the table; and the numbers
    of zoned records. Records of zones that are not compared are in neither."""

    directories: tuple[str, ...]
    digests: bytes
    members: tuple["array[int]", ...]
    zoned: "array[int]"

    def pack(self) -> bytes:
        """As bytes, for `unpack`."""
        counts = array("I", map(len, self.members))
        every = array("I", (index for each in self.members for index in each))
        return pack(
            {
                "format": FORMAT,
                "order": sys.byteorder.encode(),
                "directories": b"\0".join(map(decode_name, self.directories)),
                "digests": self.digests,
                "counts": counts.tobytes(),
                "members": every.tobytes(),
                "zoned": self.zoned.tobytes(),
            }
        )

    @classmethod
    def unpack(cls, data: bytes, size: int) -> "Grouping":
        """What `pack` made of a table of `size` records. ValueError for anything else."""
        try:
            sections = unpack(data, MOST)
            if (sections["format"], sections["order"]) != (FORMAT, sys.byteorder.encode()):
                raise ValueError("of another format")
            counts, every, zoned = (_numbers(sections[name]) for name in ("counts", "members", "zoned"))
            directories = tuple(map(encode_name, sections["directories"].split(b"\0"))) if counts else ()
        except (KeyError, struct.error) as error:
            raise ValueError("not a grouping") from error
        members, start = [], 0
        for count in counts:
            members.append(every[start : start + count])
            start += count
        whole = start == len(every) and len(counts) == len(directories) == len(sections["digests"]) // DIGEST
        if not whole or max((*every, *zoned), default=0) >= max(size, 1):
            raise ValueError("of another table")
        return cls(directories, sections["digests"], tuple(members), zoned)


def group(records: Records, kind_of: Callable[[str], bool | None]) -> Grouping:
    """The grouping of a table. `kind_of` a key: whether it is sealed; None: it is not compared."""
    members: dict[str, array[int]] = {}
    zoned = array("I")
    for index, (key, line, _) in enumerate(records.rows()):
        sealed = kind_of(key)
        if sealed:
            members.setdefault(place_of(key, line), array("I")).append(index)
        elif sealed is not None:
            zoned.append(index)
    lines = records.lines
    digests = (group_digest(b"\n".join(sorted(lines[index] for index in each))) for each in members.values())
    return Grouping(tuple(members), b"".join(digests), tuple(members.values()), zoned)


def _numbers(raw: bytes) -> "array[int]":
    numbers = array("I")
    numbers.frombytes(raw)
    return numbers
