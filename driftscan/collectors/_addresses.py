"""Addresses of this host's interfaces: from `ip -o address`, or from /proc where there is no such program.

The listeners need them too: a socket bound to an address of the host is bound to an interface.
"""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from driftscan.collectors._text import key, number
from driftscan.errors import ParseError
from driftscan.model.source import Captures, Command, File, Line, Source, Status, fields

IP_ADDRESS = Command(("ip", "-o", "address", "show"), max_bytes=4 << 20, timeout=20)
"""iproute2 and busybox print the same; it asks the kernel for nothing that loads a module."""
IF_INET6 = File("/proc/net/if_inet6")
FIB_TRIE = File("/proc/net/fib_trie", max_bytes=16 << 20)
ROUTE = File("/proc/net/route", max_bytes=16 << 20)
SOURCES: tuple[Source, ...] = (IP_ADDRESS, IF_INET6, FIB_TRIE, ROUTE)

_VALUED = frozenset({"peer", "brd", "any", "scope", "metric", "proto"})
_MADE_UP = re.compile(r"(veth|cali|lxc|tap|tun|azv|eni|gke|lxdbr|vnet|nomad|podman_veth)[0-9a-f]{4,}", re.ASCII)
_HEX = re.compile(r"[0-9A-Fa-f]+", re.ASCII)
_IPV6_SCOPES = {0x00: "global", 0x10: "host", 0x20: "link", 0x40: "site", 0x80: "compat"}
_IFA_F_TEMPORARY = 0x01
_IFA_F_PERMANENT = 0x80


@dataclass(frozen=True, slots=True)
class Address:
    """One address of one interface. `scope`: global, link, host, site; empty: the source does not tell."""

    interface: str
    address: ipaddress.IPv4Address | ipaddress.IPv6Address
    prefix: int
    scope: str = ""
    peer: str = ""
    broadcast: str = ""
    dynamic: bool = False
    temporary: bool = False


def stable_name(interface: str) -> str:
    """The interface's name as a key; what container engines make up anew each time (`veth3f2a91c`) is `veth*`."""
    match = _MADE_UP.fullmatch(interface)
    return f"{match[1]}*" if match else key(interface)


def addresses(captures: Captures) -> Iterator[Address]:
    """All addresses. ParseError and UnavailableError as the readers of captures."""
    if captures.exists(IP_ADDRESS):
        for line in captures.lines(IP_ADDRESS):
            found = _of_ip(line)
            if found:
                yield found
        return
    yield from _ipv4_of_proc(captures)
    for line in captures.lines(IF_INET6):
        yield _of_if_inet6(line)


def by_address(captures: Captures) -> Mapping[str, str]:
    """Address -> key of its interface, loopback addresses left out; empty where nothing can be asked."""
    if any(captures[source].status not in (Status.OK, Status.ABSENT) for source in SOURCES):
        return {}
    found = {}
    for item in addresses(captures):
        if not item.address.is_loopback:
            found[str(item.address)] = stable_name(item.interface)
    return found


def _of_ip(line: Line) -> Address | None:
    """`2: eth0    inet 10.0.0.5/24 brd 10.0.0.255 scope global dynamic eth0\\       valid_lft ...`"""
    words = fields(line, 4, IP_ADDRESS)
    if words[2] not in {"inet", "inet6"}:
        return None
    values: dict[str, str] = {}
    flags: set[str] = set()
    rest = iter(words[4 : words.index("\\") if "\\" in words else None])
    for word in rest:
        if word in _VALUED:
            values[word] = next(rest, "")
        else:
            flags.add(word.rstrip("\\"))
    given, slash, length = (values["peer"] if "peer" in values else words[3]).partition("/")
    address = _address(words[3].partition("/")[0], IP_ADDRESS, line.number)
    prefix = number(length) if slash else address.max_prefixlen
    if prefix is None or prefix > address.max_prefixlen:
        raise ParseError(IP_ADDRESS, line.number, "no length of a prefix")
    return Address(
        words[1].partition("@")[0],
        address,
        prefix,
        values.get("scope", ""),
        str(_address(given, IP_ADDRESS, line.number)) if "peer" in values else "",
        str(_address(values["brd"], IP_ADDRESS, line.number)) if "brd" in values else "",
        "dynamic" in flags,
        "temporary" in flags,
    )


def _of_if_inet6(line: Line) -> Address:
    """Address, index, length, scope and flags in hexadecimal, and the interface (net/ipv6/addrconf.c)."""
    raw, _, length, scope, flags, interface = fields(line, 6, IF_INET6)[:6]
    bits = hexadecimal(flags, 8, IF_INET6, line.number)
    return Address(
        interface,
        ipaddress.IPv6Address(hexadecimal(raw, 32, IF_INET6, line.number)),
        min(hexadecimal(length, 2, IF_INET6, line.number), 128),
        _IPV6_SCOPES.get(hexadecimal(scope, 2, IF_INET6, line.number) & 0xF0, ""),
        dynamic=not bits & _IFA_F_PERMANENT,
        temporary=bool(bits & _IFA_F_TEMPORARY),
    )


def _ipv4_of_proc(captures: Captures) -> Iterator[Address]:
    """Local addresses of the routing trie; their interface and prefix are those of the narrowest route that
    needs no gateway. Loopback has no such route."""
    links = sorted(_connected(captures), key=lambda link: -link[0].prefixlen)
    last = ""
    seen = set()
    for line in captures.lines(FIB_TRIE):
        text = line.text.strip()
        if text.startswith("|-- "):
            last = text[4:]
        elif text == "/32 host LOCAL" and last not in seen:
            seen.add(last)
            address = _address(last, FIB_TRIE, line.number)
            network, interface = next(
                ((net, name) for net, name in links if address in net),
                (ipaddress.ip_network("127.0.0.0/8") if address.is_loopback else ipaddress.ip_network(address), "lo"),
            )
            yield Address(interface, address, network.prefixlen, "host" if address.is_loopback else "global")


def _connected(captures: Captures) -> Iterator[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, str]]:
    for line in captures.lines(ROUTE):
        words = fields(line, 8, ROUTE)
        if words[0] != "Iface" and words[2] == "00000000" and words[7] != "00000000":
            yield ipv4_network(words[1], words[7], line.number), words[0]


def ipv4_network(destination: str, mask: str, line: int) -> ipaddress.IPv4Network:
    """A network of /proc/net/route: two addresses, each as the number that its bytes are on the target, in hexadecimal
    (all of x86 and ARM is little-endian). ParseError if they are none."""
    address = hexadecimal(destination, 8, ROUTE, line).to_bytes(4, "little")
    return ipaddress.IPv4Network((address, hexadecimal(mask, 8, ROUTE, line).bit_count()), strict=False)


def _address(text: str, source: Source, line: int) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise ParseError(source, line, "no address") from None


def hexadecimal(text: str, digits: int, source: Source, line: int) -> int:
    """A number of at most so many hexadecimal digits, or ParseError."""
    if not 0 < len(text) <= digits or not _HEX.fullmatch(text):
        raise ParseError(source, line, "no hexadecimal number")
    return int(text, 16)
