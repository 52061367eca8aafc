"""Routes: /proc/net/route (the main table of IPv4) and /proc/net/ipv6_route.

Formats: fib_route_seq_show in net/ipv4/fib_trie.c, rt6_info_route in net/ipv6/ip6_fib.c of the kernel. Left out is what
the kernel adds by itself for each address: local and multicast routes, the null entry, cached ones.
"""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from driftscan.collectors._addresses import ROUTE, hexadecimal, ipv4_network, stable_name
from driftscan.collectors._base import Collector, gap
from driftscan.collectors._text import key, number
from driftscan.errors import ParseError
from driftscan.model.resource import Attribute, Kind, Plane, Resource
from driftscan.model.source import Captures, File, Gap, Line, Status, fields

ROUTE6 = File("/proc/net/ipv6_route", max_bytes=16 << 20)

ROUTE_KIND = Kind(
    name="route",
    doc="A route. Several next hops of one destination are one route.",
    key="family/CIDR/interface/metric (`ipv4/0.0.0.0/0/eth0/100`)",
    attributes={
        "family": Attribute(str, "ipv4 or ipv6"),
        "destination": Attribute(str, "network in CIDR form"),
        "interface": Attribute(str, "name; `*`: none"),
        "metric": Attribute(int, "the lower is preferred"),
        "gateways": Attribute(tuple, "next hops; empty: the network is on the link"),
        "type": Attribute(str, "unicast, or reject (blackhole, unreachable, prohibit)"),
        "mtu": Attribute(int, "bytes set on the route; 0: the interface's"),
        "source": Attribute(str, "IPv6: packets from this network alone; empty: all"),
    },
    plane=Plane.RUNTIME,
)

_REJECT = 0x0200
_CACHE = 0x01000000
_LOCAL = 0x80000000
_ANYCAST = 0x00100000
_NULL_METRIC = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class _Route:
    family: str
    destination: str
    interface: str
    metric: int
    gateway: str
    reject: bool
    mtu: int = 0
    source: str = ""

    @property
    def key(self) -> str:
        return f"{self.family}/{self.destination}/{stable_name(self.interface)}/{self.metric}"


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """Each family can be a gap of its own."""
    routes: dict[str, list[_Route]] = {}
    for source, family, read in ((ROUTE, "ipv4", _ipv4), (ROUTE6, "ipv6", _ipv6)):
        if captures[source].status not in (Status.OK, Status.ABSENT):
            yield gap("routes", captures, source, f"{ROUTE_KIND.name}:{family}/*")
            continue
        for line in captures.lines(source):
            route = read(line)
            if route is not None:
                routes.setdefault(route.key, []).append(route)
    for name, same in sorted(routes.items()):
        yield _resource(name, same)


def _resource(name: str, same: list[_Route]) -> Resource:
    first = same[0]
    return Resource(
        ROUTE_KIND.name,
        name,
        {
            "family": first.family,
            "destination": first.destination,
            "interface": stable_name(first.interface),
            "metric": first.metric,
            "gateways": tuple(sorted({route.gateway for route in same} - {""})),
            "type": "reject" if first.reject else "unicast",
            "mtu": first.mtu,
            "source": first.source,
        },
    )


def _ipv4(line: Line) -> _Route | None:
    words = fields(line, 11, ROUTE)
    if words[0] == "Iface":
        return None
    network = ipv4_network(words[1], words[7], line.number)
    gateway = ipaddress.IPv4Address(hexadecimal(words[2], 8, ROUTE, line.number).to_bytes(4, "little"))
    metric, mtu = number(words[6]), number(words[8])
    if metric is None or mtu is None:
        raise ParseError(ROUTE, line.number, "metric or mtu is no number")
    flags = hexadecimal(words[3], 8, ROUTE, line.number)
    return _Route(
        "ipv4", str(network), words[0], metric, str(gateway) if int(gateway) else "", bool(flags & _REJECT), mtu
    )


def _ipv6(line: Line) -> _Route | None:
    words = fields(line, 10, ROUTE6)
    destination = _network(words[0], words[1], line.number)
    flags = hexadecimal(words[8], 8, ROUTE6, line.number)
    metric = hexadecimal(words[5], 8, ROUTE6, line.number)
    null = words[9] == "lo" and metric == _NULL_METRIC
    if null or flags & (_CACHE | _LOCAL | _ANYCAST) or destination.network_address.is_multicast:
        return None
    source = _network(words[2], words[3], line.number)
    gateway = ipaddress.IPv6Address(hexadecimal(words[4], 32, ROUTE6, line.number))
    return _Route(
        "ipv6",
        str(destination),
        words[9],
        metric,
        key(str(gateway)) if int(gateway) else "",
        bool(flags & _REJECT),
        source=str(source) if source.prefixlen else "",
    )


def _network(address: str, length: str, line: int) -> ipaddress.IPv6Network:
    bits = hexadecimal(length, 2, ROUTE6, line)
    if bits > 128:
        raise ParseError(ROUTE6, line, "no length of a prefix")
    return ipaddress.IPv6Network((hexadecimal(address, 32, ROUTE6, line), bits), strict=False)


collector = Collector(
    name="routes",
    version=1,
    doc="Routes of IPv4 (main table) and IPv6",
    kinds=(ROUTE_KIND,),
    sources=(ROUTE, ROUTE6),
    parse=parse,
    plane=Plane.RUNTIME,
)
