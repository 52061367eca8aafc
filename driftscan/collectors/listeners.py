"""Who takes connections and packets: TCP, UDP and Unix sockets, joined with their processes by the socket's inode.

Keys are made so that three boots of one image have the same ones:
* an address that belongs to an interface of the host, other than loopback, is written as that interface's name
  (`tcp/eth0:5432`, `udp/[eth0]:546`): the address is the host's own and observed, the binding is the image's;
* a port in the ephemeral range (net.ipv4.ip_local_port_range) is chance: the key is the process in its place,
  `udp/0.0.0.0:ephemeral/usr/sbin/rpc.statd`; several such sockets are one resource, their ports are observed;
* in the path of a Unix socket, UUIDs, runs of 12 hexadecimal digits, the numbers of processes that hold it, and what
  mkdtemp(3) drew in /tmp are written `*`; abstract names begin with `@`, as /proc shows them;
* Unix sockets of login sessions (below /run/user/UID, a forwarded agent's in /tmp/ssh-*) come and go with people and
  are not reported.

The process is the one that has held the socket longest: systemd for socket activation whether or not the service has
been started since, the master of forked workers. Where processes could not be seen the column is missing: no guess.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from driftscan.collectors import _addresses
from driftscan.collectors._accounts import PASSWD
from driftscan.collectors._base import Collector, gap
from driftscan.collectors._owners import names, user_column
from driftscan.collectors._sockets import TABLES, UNIX, Socket, internet, local
from driftscan.collectors._text import key, number, path_text
from driftscan.collectors.processes import PROCESSES, stable_unit
from driftscan.errors import ParseError
from driftscan.model.resource import Attribute, Kind, Plane, Resource, Value
from driftscan.model.source import Captures, File, Gap, ProcessRow, Status

PORT_RANGE = File("/proc/sys/net/ipv4/ip_local_port_range", max_bytes=4096)

LISTEN = Kind(
    name="listen",
    doc="A socket that takes connections (TCP, Unix) or packets from anyone (UDP).",
    key="`tcp/0.0.0.0:80`, `tcp/[::]:80`, `udp/eth0:68`, `udp/0.0.0.0:ephemeral/PROCESS`, `unix/PATH`, `unix/@NAME`",
    attributes={
        "protocol": Attribute(str, "tcp, udp, unix", words=("tcp", "udp", "unix")),
        "address": Attribute(str, "address, or the interface that has it; of a Unix socket its path"),
        "port": Attribute(int, "port; 0: ephemeral, or a Unix socket"),
        "process": Attribute(
            str, "executable of the process that has held it longest; empty: none, the kernel listens"
        ),
        "unit": Attribute(str, "that process's systemd unit; empty: none"),
        "user": Attribute(str, "who made the socket (TCP, UDP) or runs the process (Unix)"),
    },
    plane=Plane.RUNTIME,
    shape=r"[^/]+/.+",
)

_UNSEEN = "ephemeral/*"
"""In place of the process that a key needs and that could not be seen: such a socket is only told as hidden."""
_DEFAULT_RANGE = (32768, 60999)
_UNIQUE = re.compile(
    r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|(?<![0-9A-Za-z])[0-9a-f]{12,64}(?![0-9A-Za-z])", re.ASCII
)
_DRAWN = re.compile(r"(^@?/(?:var/)?tmp/(?:[^/]*[-._])?)[A-Za-z0-9]{6,12}(?=/|$)", re.ASCII)
_NUMBER = re.compile(r"(?<![0-9])[0-9]{1,10}(?![0-9])", re.ASCII)
_SESSION = re.compile(r"@?/run/user/[0-9]+/.*|/tmp/ssh-[^/]+/agent\.[0-9]+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Holder:
    """The process of a socket. `seen`: whether all processes were, so that none is a fact."""

    row: ProcessRow | None
    pids: tuple[int, ...]
    seen: bool


@dataclass(frozen=True, slots=True)
class _Found:
    """What sockets of one key have."""

    attributes: Mapping[str, Value]
    observed: Mapping[str, Value]


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """Each table can be a gap of its own."""
    holders, seen = _holders(captures)
    context = _Context(captures, holders, seen)
    found: dict[str, list[_Found]] = {}
    nameless: list[str] = []
    for source in (*TABLES, UNIX):
        if captures[source].status not in (Status.OK, Status.ABSENT):
            protocol = source.path.rpartition("/")[2].removesuffix("6")
            yield gap("listeners", captures, source, f"{LISTEN.name}:{protocol}/*")
            continue
        for socket in local(captures) if source is UNIX else internet(captures, source):
            described = context.describe(socket)
            if described is None:
                continue
            name_of, what = described
            if "process" not in what.attributes:
                nameless.append(name_of)
            if "process" in what.attributes or not name_of.endswith(_UNSEEN):
                found.setdefault(name_of, []).append(what)
    for name_of in sorted(found):
        yield _merged(name_of, found[name_of])
    if nameless:
        hides = tuple(sorted({f"{LISTEN.name}:{name_of}" for name_of in nameless}))
        reason = f"the processes of {len(nameless)} socket{'s' if len(nameless) > 1 else ''} could not be seen"
        yield Gap("listeners", Status.FORBIDDEN, reason, hides)


def _holders(captures: Captures) -> tuple[Mapping[int, list[ProcessRow]], bool]:
    """The processes of each socket, the longest-lived first, and whether all processes could be seen."""
    capture = captures[PROCESSES]
    holders: dict[int, list[ProcessRow]] = {}
    for row in sorted(capture.processes, key=lambda process: (process.started, process.pid)):
        for inode in row.sockets:
            holders.setdefault(inode, []).append(row)
    return holders, capture.status is Status.OK and all(row.visible for row in capture.processes)


class _Context:
    """What is needed to describe one socket: processes, users, own addresses, the ephemeral range."""

    def __init__(self, captures: Captures, holders: Mapping[int, list[ProcessRow]], seen: bool) -> None:
        self._holders = holders
        self._seen = seen
        self._owners = names(captures)
        self._interfaces = _addresses.by_address(captures)
        self._low, self._high = _range(captures)

    def describe(self, socket: Socket) -> tuple[str, _Found] | None:
        """Key and columns of a socket; None if it belongs to a session."""
        rows = self._holders.get(socket.inode, [])
        holder = _Holder(rows[0] if rows else None, tuple(sorted({row.pid for row in rows})), self._seen)
        if isinstance(socket.address, str):
            return self._unix(socket.address, socket, holder)
        address = str(socket.address)
        mapped = socket.address.ipv4_mapped if socket.address.version == 6 else None
        where = self._interfaces.get(str(mapped or address), address)
        shown = f"[{where}]" if socket.address.version == 6 else where
        ephemeral = self._low <= socket.port <= self._high
        attributes = self._columns(socket, holder) | {"address": where, "port": 0 if ephemeral else socket.port}
        observed = _evidence(holder)
        if where != address:
            observed["addresses"] = (address,)
        port = str(socket.port)
        if ephemeral:
            observed["ports"] = (socket.port,)
            port = f"ephemeral{attributes['process'] or '/'}" if "process" in attributes else _UNSEEN
        return f"{socket.protocol}/{shown}:{port}", _Found(attributes, observed)

    def _unix(self, path: str, socket: Socket, holder: _Holder) -> tuple[str, _Found] | None:
        if _SESSION.fullmatch(path):
            return None
        stable = key(_stable_path(path, holder.pids))
        attributes = self._columns(socket, holder) | {"address": stable, "port": 0}
        observed = _evidence(holder)
        if stable != key(path):
            observed["addresses"] = (key(path),)
        return f"unix/{stable}", _Found(attributes, observed)

    def _columns(self, socket: Socket, holder: _Holder) -> dict[str, Value]:
        columns: dict[str, Value] = {"protocol": socket.protocol}
        if socket.uid is not None:
            columns |= user_column(self._owners, socket.uid)
        if holder.row is not None:
            columns["process"] = path_text(holder.row.exe)
            columns["unit"] = stable_unit(holder.row.unit)
            columns = user_column(self._owners, holder.row.uid) | columns
        elif holder.seen:
            columns["process"] = columns["unit"] = ""
        return columns


def _evidence(holder: _Holder) -> dict[str, Value]:
    """Who holds it, and when the first of them began: hundredths of a second after the kernel's boot (proc(5))."""
    began: dict[str, Value] = {} if holder.row is None else {"started": (holder.row.started,)}
    return {"pids": holder.pids, **began}


def _range(captures: Captures) -> tuple[int, int]:
    if captures[PORT_RANGE].status is not Status.OK:
        return _DEFAULT_RANGE
    parts = [number(word) for word in captures.text(PORT_RANGE).split()]
    if len(parts) != 2 or parts[0] is None or parts[1] is None:
        raise ParseError(PORT_RANGE, 1, "not two numbers")
    return parts[0], parts[1]


def _stable_path(path: str, pids: tuple[int, ...]) -> str:
    own = {str(pid) for pid in pids if pid > 1}
    neutral = _DRAWN.sub(r"\1*", _UNIQUE.sub("*", path))
    return _NUMBER.sub(lambda match: "*" if match[0] in own else match[0], neutral)


def _merged(name_of: str, items: list[_Found]) -> Resource:
    """One resource of several sockets with one key: what they do not agree in is joined."""
    attributes: dict[str, Value] = {}
    observed: dict[str, Value] = {}
    for column in sorted({column for item in items for column in item.attributes}):
        values = sorted({str(item.attributes[column]) for item in items if column in item.attributes})
        attributes[column] = items[0].attributes[column] if column == "port" else ", ".join(values)
    for column in sorted({column for item in items for column in item.observed}):
        parts = {part for item in items for part in _tuple(item.observed.get(column))}
        observed[column] = tuple(sorted(parts, key=lambda part: (isinstance(part, str), str(part).rjust(20))))
    if len(items) > 1:
        observed["sockets"] = len(items)
    return Resource(LISTEN.name, name_of, attributes, observed)


def _tuple(item: Value) -> tuple[Value, ...]:
    return item if isinstance(item, tuple) else ()


collector = Collector(
    name="listeners",
    version=3,
    doc="Sockets that take connections or packets, with their processes",
    kinds=(LISTEN,),
    sources=(*TABLES, UNIX, PROCESSES, PORT_RANGE, PASSWD, *_addresses.SOURCES),
    parse=parse,
    plane=Plane.RUNTIME,
)
