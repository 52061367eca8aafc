"""Compressed streams by their first bytes. The one home of zstd: Python's own from 3.14 on, until then a library."""

import bz2
import gzip
import lzma
import sys
import zlib
from collections.abc import Callable
from io import BufferedReader
from typing import Protocol

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdError, ZstdFile
else:
    from backports.zstd import ZstdError, ZstdFile

__all__ = ["BROKEN", "ZstdError", "ZstdFile", "unfolded"]

BROKEN = (lzma.LZMAError, ZstdError, zlib.error, EOFError, OSError)
"""What a stream raises that is not what its first bytes say, or ends too soon."""


class Readable(Protocol):
    """A stream, as far as it is read from its beginning to its end."""

    def read(self, size: int = -1, /) -> bytes:
        """Bytes; none at the end."""


_MAGIC: tuple[tuple[bytes, Callable[[BufferedReader], Readable]], ...] = (
    (b"\x1f\x8b", lambda raw: gzip.GzipFile(fileobj=raw)),
    (b"\xfd7zXZ\x00", lzma.LZMAFile),
    (b"BZh", bz2.BZ2File),
    (b"\x28\xb5\x2f\xfd", ZstdFile),
)


def unfolded(stream: BufferedReader) -> Readable:
    """What a stream that can be rewound holds: gzip, xz, bzip2, zstd, or itself. Reading may raise one of `BROKEN`."""
    start = stream.read(8)
    stream.seek(0)
    unfold = next((unfold for magic, unfold in _MAGIC if start.startswith(magic)), None)
    return unfold(stream) if unfold else stream
