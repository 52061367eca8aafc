"""Layers unpacked: as tars on the scanner's disk, in files without a name (`driftscan.stored`), checked against the
digests of the blob and of the tar in it. A layer that is not compressed is read where it lies."""

import gzip
import io
import os
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from driftscan.capture.image.blobs import Region, new_digest
from driftscan.capture.image.headers import TarError
from driftscan.capture.image.layout import Layer
from driftscan.capture.image.tree import Tree
from driftscan.compressed import ZstdError, ZstdFile
from driftscan.errors import DriftscanError, IncompleteError
from driftscan.model.lines import Buffer
from driftscan.stored import Spool

MAX_UNPACKED = 64 << 30
"""Bytes of all layers unpacked."""
RESERVE = 256 << 20
"""Bytes of disk that are left free, whatever a layer unpacks to."""
_PIECE = 1 << 20
_BROKEN = (zlib.error, ZstdError, EOFError, OSError)


class _Read(io.RawIOBase):
    """A blob as a stream that takes its digest."""

    def __init__(self, descriptor: int, layer: Layer) -> None:
        self._descriptor = descriptor
        self._at, self._end = layer.place.start, layer.place.start + layer.place.size
        self.digest = new_digest(layer.digest or layer.diff_id)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        """See io.RawIOBase."""
        data = os.pread(self._descriptor, min(len(buffer), self._end - self._at), self._at)
        self._at += len(data)
        self.digest.update(data)
        buffer[: len(data)] = data
        return len(data)


class Unpacker:
    """Unpacks the layers of one image; `limit` is what all of them may take together."""

    def __init__(self, limit: int = MAX_UNPACKED, reserve: int = RESERVE) -> None:
        """Nothing yet."""
        self._left = limit
        self._limit = limit
        self._reserve = reserve

    def tree(self, layers: tuple[Layer, ...]) -> Tree:
        """The file system that layers make. IncompleteError where one is not what its digests say, is damaged, or is
        larger than what is read; it names the layer."""
        tree = Tree()
        for number, layer in enumerate(layers, 1):
            name = f"layer {number} of {len(layers)} ({(layer.digest or layer.diff_id)[:19]})"
            with _explained(name):
                tree.add(self.unpacked(layer, name), layer.diff_id)
        tree.finish()
        return tree

    def unpacked(self, layer: Layer, name: str) -> Buffer:
        """The tar of a layer."""
        descriptor = os.open(layer.place.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        raw = _Read(descriptor, layer)
        content = new_digest(layer.diff_id)
        spool = Spool(name) if layer.compression else None
        for data in _pieces(raw, layer.compression):
            self._take(len(data), spool)
            content.update(data)
            if spool is not None:
                spool.write(data)
        while raw.read(_PIECE):
            pass  # what follows the compressed stream is of the blob, too
        for what, found, stated in (("blob", raw.digest, layer.digest), ("tar", content, layer.diff_id)):
            if stated and found.hexdigest() != stated.partition(":")[2]:
                raise TarError(f"its {what} is not that of its digest {stated}")
        if spool is None:
            return Region(name, descriptor, layer.place.start, layer.place.size)
        os.close(descriptor)
        return spool.buffer()

    def _take(self, size: int, spool: Spool | None) -> None:
        """Count what was unpacked; not what lies there already."""
        self._left -= size
        if self._left < 0:
            raise TarError(f"the image unpacks to more than {self._limit >> 20:,} MiB")
        if spool is not None and spool.size % (64 << 20) < size:
            place = tempfile.gettempdir()
            status = os.statvfs(place)
            if status.f_bavail * status.f_frsize < self._reserve:
                hint = "Make room there, or name another directory in TMPDIR."
                raise IncompleteError(f"there is no room in {place} to unpack it", hint)


def _pieces(raw: _Read, compression: str) -> Iterator[bytes]:
    if not compression:
        source: io.IOBase = raw
    else:
        buffered = io.BufferedReader(raw, _PIECE)
        source = gzip.GzipFile(fileobj=buffered) if compression == "gzip" else ZstdFile(buffered)
    while data := source.read(_PIECE):
        yield data


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Errors that name the layer."""
    try:
        yield
    except TarError as error:
        raise IncompleteError(f"{name}: {error}") from error
    except DriftscanError as error:
        raise IncompleteError(f"{name}: {error.message}", error.hint) from error
    except _BROKEN as error:
        raise IncompleteError(f"{name}: cannot be unpacked: {error}") from error
