"""Sizes, ages, networks and ports: operators whose argument people write with a unit, a prefix or a range."""

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeAlias

from driftscan.model.amount import bytes_of, seconds_of
from driftscan.model.resource import Value
from driftscan.model.times import SECOND
from driftscan.policy.arguments import ArgumentError, several
from driftscan.policy.conditions import Row, Test
from driftscan.policy.truth import Truth

_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")
_PORTS = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")
_LAST_PORT = 65535
_OUTSIDE = ("192.0.2.1", "198.51.100.1", "2001:db8::1")
"""Addresses of documentation (RFC 5737, RFC 3849): hardly ever within what a policy asks for."""


def number(value: Value) -> int | None:
    """A number, or a decimal text of at most 18 digits as one; None for all else."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    if isinstance(value, int):
        return value
    return int(value) if _NUMBER.fullmatch(value) else None


def size(argument: Any) -> int:
    """A number of bytes, from a number or a text such as `10 MiB`."""
    if type(argument) is int:
        return argument
    try:
        return bytes_of(argument if isinstance(argument, str) else "")
    except ValueError:
        raise ArgumentError("must be a number of bytes, such as 4096, 10 MiB or 2 GB") from None


def near_sizes(argument: Any) -> Iterator[Value]:
    """The numbers around it."""
    return iter((size(argument) - 1, size(argument), size(argument) + 1))


def age(holds: Callable[[int, int], bool]) -> Callable[[Any], Test]:
    """A test of how long a time lies back when the host is judged, in nanoseconds (less than 0: it is yet to come),
    against the argument. Not known where either time is not known."""

    def build(argument: Any) -> Test:
        try:
            bound = seconds_of(argument if isinstance(argument, str) else "") * SECOND
        except ValueError:
            raise ArgumentError("must be a length of time, such as 90 days, 12 hours or 2 weeks") from None

        def test(value: Value, row: Row) -> Truth:
            if value is None or value == "":
                return False
            then = _instant(value)
            return holds(row.now - then, bound) if then is not None and row.now else None

        return test

    return build


def _instant(value: Value) -> int | None:
    """Nanoseconds since 1970 of an RFC 3339 time; of a date its beginning; UTC unless it says otherwise."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if found is None:
        return None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()) * SECOND


def near_times(argument: Any) -> Iterator[Value]:
    """Long ago, and long from now."""
    return iter(("1970-01-01T00:00:00Z", "9000-01-01T00:00:00Z"))


def cidr(argument: Any) -> Test:
    """A test whether an address, or a whole network, lies within one of the argument's networks. Not known of a name;
    a path is no address."""
    networks = [_network(item) for item in several(argument)]
    if {each.version for each in networks if not each.prefixlen} == {4, 6}:
        raise ArgumentError("has every address in it, which asks for nothing")

    def test(value: Value, row: Row) -> Truth:
        if not isinstance(value, str) or value.startswith(("/", "@")) or not value:
            return False
        found = _address(value)
        return None if found is None else any(_within(found, network) for network in networks)

    return test


def _network(item: Any) -> _Network:
    try:
        return ipaddress.ip_network(item if isinstance(item, str) else "")
    except ValueError as error:
        if str(error).endswith("has host bits set"):
            raise ArgumentError(f"has bits behind the prefix: write {ipaddress.ip_network(item, False)}") from None
        raise ArgumentError(f"has '{item}', which is no network, such as 10.0.0.0/8 or 2001:db8::/32") from None


def _address(text: str) -> _Network | None:
    """An address (in brackets, with a zone, an IPv4 address within IPv6) or a network; None: it is neither."""
    bare, slash, prefix = text.removeprefix("[").removesuffix("]").partition("/")
    try:
        found = ipaddress.ip_network(bare.partition("%")[0] + slash + prefix, strict=False)
    except ValueError:
        return None
    inner = found.network_address.ipv4_mapped if isinstance(found, ipaddress.IPv6Network) else None
    return ipaddress.ip_network((inner, found.prefixlen - 96), False) if inner and found.prefixlen >= 96 else found


def _within(found: _Network, network: _Network) -> bool:
    if isinstance(found, ipaddress.IPv4Network):
        return isinstance(network, ipaddress.IPv4Network) and found.subnet_of(network)
    return isinstance(network, ipaddress.IPv6Network) and found.subnet_of(network)


def near_networks(argument: Any) -> Iterator[Value]:
    """An address of each network, and some that are hardly in any."""
    yield from (str(_network(item).network_address) for item in several(argument))
    yield from _OUTSIDE


def ports(argument: Any) -> Test:
    """A test whether a port, as a number or a decimal text, lies within one of the ranges."""
    ranges = [_range(item) for item in several(argument)]
    if len(set().union(*ranges)) >= _LAST_PORT:
        raise ArgumentError("has every port in it, which asks for nothing")

    def test(value: Value, row: Row) -> Truth:
        if value is None:
            return False
        found = number(value)
        return None if found is None else any(found in each for each in ranges)

    return test


def _range(item: Any) -> range:
    """`22` or `8000-8999`, both ends within."""
    found = _PORTS.fullmatch(str(item)) if type(item) in (int, str) else None
    if found is None:
        raise ArgumentError(f"has '{item}', which is no port or range of ports, such as 22 or 8000-8999")
    first, last = int(found[1]), int(found[2] or found[1])
    if not first <= last <= _LAST_PORT:
        raise ArgumentError(f"has '{item}': a range goes from the lower port to the higher, up to {_LAST_PORT}")
    return range(first, last + 1)


def near_ports(argument: Any) -> Iterable[Value]:
    """The ends of each range, and what lies beside them."""
    for each in map(_range, several(argument)):
        for port in (each.start, each.stop - 1, each.start - 1, each.stop):
            yield from (port, str(port))
