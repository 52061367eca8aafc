"""Network interfaces and their addresses: from `ip`, or from /sys and /proc where there is no such program.

`ip` comes first because /sys/class/net can show the interfaces of another network namespace (in a container whose
/sys was mounted outside), and because /proc does not tell which interface an IPv4 address belongs to. What carrier and
neighbours do (operational state, `tentative`, `deprecated`) is observed; what somebody set is compared.
"""

import ipaddress
import re
from collections.abc import Iterator
from itertools import pairwise

from driftscan.collectors._addresses import SOURCES, Address, addresses, hexadecimal, stable_name
from driftscan.collectors._base import Collector, gap
from driftscan.collectors._text import key, number, path_text, value
from driftscan.errors import ParseError
from driftscan.model.resource import Attribute, Kind, Plane, Resource, Value
from driftscan.model.source import Captures, Command, Gap, Glob, Status, fields

IP_LINK = Command(("ip", "-o", "link", "show"), max_bytes=8 << 20, timeout=20)
SYS_NET = Glob(
    tuple(f"/sys/class/net/*/{name}" for name in ("address", "mtu", "flags", "type", "operstate", "master")),
    max_bytes=4096,
    unless="ip",
)

INTERFACE = Kind(
    name="interface",
    doc="A network interface. Interfaces that container engines name at random are one, `veth*`, and only its"
    " presence is compared.",
    key="name",
    attributes={
        "mac": Attribute(str, "hardware address; empty: it has none"),
        "mtu": Attribute(int, "bytes"),
        "type": Attribute(str, "ether, loopback, none ... or the number of ARPHRD"),
        "flags": Attribute(tuple, "what is set on it: UP, PROMISC, ALLMULTI, NOARP, MASTER, SLAVE ..."),
        "master": Attribute(str, "bridge or bond that it belongs to"),
    },
    plane=Plane.RUNTIME,
)
ADDRESS = Kind(
    name="address",
    doc="An address of an interface. Temporary IPv6 addresses (RFC 8981), which change by themselves, are one,"
    " keyed by their network.",
    key="interface/CIDR",
    attributes={
        "interface": Attribute(str, "name"),
        "address": Attribute(str, "address; of temporary ones the network"),
        "prefix": Attribute(int, "bits"),
        "broadcast": Attribute(str, "broadcast address"),
        "point_to_point": Attribute(str, "the other end's address"),
        "scope": Attribute(str, "global, link, host, site"),
        "dynamic": Attribute(bool, "it has a lifetime: from DHCP or router advertisements"),
        "temporary": Attribute(bool, "RFC 8981"),
    },
    plane=Plane.RUNTIME,
)

_SET_FLAGS = {
    0x1: "UP", 0x2: "BROADCAST", 0x8: "LOOPBACK", 0x10: "POINTOPOINT", 0x80: "NOARP", 0x100: "PROMISC",
    0x200: "ALLMULTI", 0x400: "MASTER", 0x800: "SLAVE", 0x1000: "MULTICAST",
}  # fmt: skip
"""Of include/uapi/linux/if.h those that are set by somebody, not by the carrier."""
_TYPES = {1: "ether", 32: "infiniband", 512: "ppp", 768: "ipip", 772: "loopback", 776: "sit", 778: "gre", 65534: "none"}
_LINK = re.compile(r"link/(\S+)(?: ([0-9a-f:.]+))?", re.ASCII)


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """Interfaces first, then addresses; each of the two can be a gap of its own."""
    source = IP_LINK if captures[IP_LINK].status is not Status.ABSENT else SYS_NET
    if captures[source].status in (Status.OK, Status.ABSENT):
        yield from _merged(_of_ip(captures) if source is IP_LINK else _of_sys(captures))
    else:
        yield gap("network_interfaces", captures, source, INTERFACE.name)
    for needed in SOURCES:
        if captures[needed].status not in (Status.OK, Status.ABSENT):
            yield gap("network_interfaces", captures, needed, ADDRESS.name)
            return
    yield from _addresses(captures)


def _merged(interfaces: Iterator[tuple[str, dict[str, Value], dict[str, Value]]]) -> Iterator[Resource]:
    made_up: dict[str, list[str]] = {}
    for name, attributes, observed in interfaces:
        stable = stable_name(name)
        if stable == key(name):
            yield Resource(INTERFACE.name, stable, attributes, observed)
        else:
            made_up.setdefault(stable, []).append(key(name))
    for stable, names in sorted(made_up.items()):
        yield Resource(INTERFACE.name, stable, {}, {"names": tuple(sorted(names))})


def _of_ip(captures: Captures) -> Iterator[tuple[str, dict[str, Value], dict[str, Value]]]:
    """`2: eth0@if3: <BROADCAST,UP> mtu 1500 qdisc ... state UP ... \\    link/ether 02:... brd ff:...`"""
    for line in captures.lines(IP_LINK):
        words = fields(line, 5, IP_LINK)
        values = dict(pairwise(words[3:]))
        link = _LINK.search(line.text)
        mtu = number(values.get("mtu", ""))
        if mtu is None or link is None or not words[2].startswith("<"):
            raise ParseError(IP_LINK, line.number, "no flags, mtu or link type")
        flags = set(words[2].strip("<>").split(","))
        attributes: dict[str, Value] = {
            "mac": value(link[2] or ""),
            "mtu": mtu,
            "type": value(link[1]),
            "flags": tuple(sorted(flags & set(_SET_FLAGS.values()))),
            "master": value(values.get("master", "")),
        }
        yield words[1].rstrip(":").partition("@")[0], attributes, {"state": value(values.get("state", ""))}


def _of_sys(captures: Captures) -> Iterator[tuple[str, dict[str, Value], dict[str, Value]]]:
    texts: dict[str, dict[str, str]] = {}
    for member in captures.members(SYS_NET):
        name, _, column = member.path.decode("utf-8", "surrogateescape").removeprefix("/sys/class/net/").rpartition("/")
        target = path_text(member.link.rpartition(b"/")[2]) if member.link else ""
        texts.setdefault(name, {})[column] = target or member.data.decode("utf-8", "surrogateescape").strip()
    for name, columns in sorted(texts.items()):
        mtu, kind = number(columns.get("mtu", "")), number(columns.get("type", ""))
        if mtu is None or kind is None:
            raise ParseError(SYS_NET, 0, "an interface without mtu or type")
        flags = hexadecimal(columns.get("flags", "").removeprefix("0x"), 8, SYS_NET, 0)
        attributes: dict[str, Value] = {
            "mac": value(columns.get("address", "")),
            "mtu": mtu,
            "type": _TYPES.get(kind, str(kind)),
            "flags": tuple(sorted(word for bit, word in _SET_FLAGS.items() if flags & bit)),
            "master": value(columns.get("master", "")),
        }
        yield name, attributes, {"state": value(columns.get("operstate", "")).upper()}


def _addresses(captures: Captures) -> Iterator[Resource]:
    found: dict[str, list[Address]] = {}
    for item in addresses(captures):
        if item.address.is_link_local and stable_name(item.interface) != key(item.interface):
            continue  # made from a hardware address that the engine drew
        found.setdefault(f"{stable_name(item.interface)}/{key(_shown(item))}/{item.prefix}", []).append(item)
    for name, same in sorted(found.items()):
        yield _address(name, same[0], tuple(sorted({key(str(item.address)) for item in same})))


def _shown(item: Address) -> str:
    """The address, or the network of a temporary one."""
    if item.temporary:
        return str(ipaddress.IPv6Interface((int(item.address), item.prefix)).network.network_address)
    return str(item.address)


def _address(name: str, item: Address, seen: tuple[str, ...]) -> Resource:
    attributes: dict[str, Value] = {
        "interface": stable_name(item.interface),
        "address": key(_shown(item)),
        "prefix": item.prefix,
        "broadcast": key(item.broadcast),
        "point_to_point": key(item.peer),
        "scope": value(item.scope),
        "dynamic": item.dynamic,
        "temporary": item.temporary,
    }
    return Resource(ADDRESS.name, name, attributes, {"addresses": seen} if item.temporary else {})


collector = Collector(
    name="network_interfaces",
    version=1,
    doc="Network interfaces and their addresses",
    kinds=(INTERFACE, ADDRESS),
    sources=(IP_LINK, SYS_NET, *SOURCES),
    parse=parse,
    plane=Plane.RUNTIME,
)
