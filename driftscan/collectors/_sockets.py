"""Listening sockets of the kernel's tables in /proc/net (proc(5)).

tcp and udp: `sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode ...`; an address is the
hexadecimal number that its bytes are on the target (32 bits at a time), the port is plain hexadecimal.
unix: `Num RefCount Protocol Flags Type St Inode Path`.
"""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass

from driftscan.collectors._addresses import hexadecimal
from driftscan.collectors._text import number
from driftscan.errors import ParseError
from driftscan.model.source import Captures, File, Line, fields

TABLES = tuple(File(f"/proc/net/{name}", max_bytes=64 << 20) for name in ("tcp", "tcp6", "udp", "udp6"))
UNIX = File("/proc/net/unix", max_bytes=64 << 20)

_LISTEN = {"tcp": 0x0A, "udp": 0x07}
"""TCP_LISTEN; of UDP what is not connected (TCP_CLOSE), which takes packets from anyone."""
_ACCEPTS = 0x10000
"""__SO_ACCEPTCON in the flags of a Unix socket."""
_UNIX_LINE = re.compile(
    r"[0-9a-f]+: [0-9A-F]+ [0-9A-F]+ ([0-9A-F]{8}) ([0-9A-F]{4}) [0-9A-F]+ +([0-9]{1,18})(?: (.*))?", re.DOTALL
)
_MAX_LINE = 1024
"""Longer than a line with a path of 108 bytes, the kernel's limit, can be."""


@dataclass(frozen=True, slots=True)
class Socket:
    """A socket that takes connections or packets. `address`: of a Unix socket its path; `uid`: of its maker, not told
    for Unix sockets."""

    protocol: str
    address: ipaddress.IPv4Address | ipaddress.IPv6Address | str
    port: int
    inode: int
    uid: int | None


def internet(captures: Captures, source: File) -> Iterator[Socket]:
    """The sockets of one of TABLES. ParseError for what is no such table."""
    name = source.path.rpartition("/")[2]
    protocol = name.removesuffix("6")
    for line in captures.lines(source):
        if line.number == 1:
            continue
        words = fields(line, 10, source)
        if hexadecimal(words[3], 2, source, line.number) != _LISTEN[protocol]:
            continue
        raw, _, port = words[1].partition(":")
        uid, inode = number(words[7]), number(words[9])
        if uid is None or inode is None:
            raise ParseError(source, line.number, "uid or inode is no number")
        address = _address(raw, source, line.number)
        yield Socket(protocol, address, hexadecimal(port, 4, source, line.number), inode, uid)


def local(captures: Captures) -> Iterator[Socket]:
    """Unix sockets that accept connections and have a name. Names may hold blanks and newlines: then the rest of the
    name looks like a line of its own, and is told from one by its form."""
    for line in _whole_lines(captures):
        match = _UNIX_LINE.fullmatch(line.text)
        if match is None:
            raise ParseError(UNIX, line.number, "no line of a Unix socket")
        if match[4] and int(match[1], 16) & _ACCEPTS:
            yield Socket("unix", match[4], 0, int(match[3]), None)


def _whole_lines(captures: Captures) -> Iterator[Line]:
    held: Line | None = None
    for line in captures.lines(UNIX):
        if line.number == 1:
            continue
        if _UNIX_LINE.fullmatch(line.text):
            if held:
                yield held
            held = line
        elif held and len(held.text) < _MAX_LINE:
            held = Line(held.number, f"{held.text}\n{line.text}")
        else:
            raise ParseError(UNIX, line.number, "no line of a Unix socket")
    if held:
        yield held


def _address(raw: str, source: File, line: int) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    if len(raw) == 8:
        return ipaddress.IPv4Address(hexadecimal(raw, 8, source, line).to_bytes(4, "little"))
    if len(raw) != 32:
        raise ParseError(source, line, "no address")
    words = (hexadecimal(raw[start : start + 8], 8, source, line) for start in range(0, 32, 8))
    return ipaddress.IPv6Address(b"".join(word.to_bytes(4, "little") for word in words))
