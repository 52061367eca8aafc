"""Resolvers, from /etc/resolv.conf (resolv.conf(5)).

It is a runtime fact: what stands there in an image is the builder's network, and a running host rewrites it.
"""

import ipaddress
from collections.abc import Iterator

from driftscan.collectors._base import Collector
from driftscan.collectors._text import key
from driftscan.model.resource import Attribute, Kind, Plane, Resource
from driftscan.model.source import Captures, File, Gap

RESOLV = File("/etc/resolv.conf")

_TYPES = ("nameserver", "search", "sortlist", "options")

DNS = Kind(
    name="dns",
    doc="A name server, a search domain, an address to sort by, or an option of the resolver.",
    key="type:address (`nameserver:10.0.0.2`, `search:example.com`, `sortlist:...`, `options:edns0`)",
    attributes={
        "type": Attribute(str, "nameserver, search, sortlist, options", words=_TYPES),
        "address": Attribute(str, "address, domain or option"),
        "position": Attribute(int, "its place among those of its type, from 1: the order in which they are tried"),
    },
    plane=Plane.RUNTIME,
    shape=r"[a-z]+:.*",
)
_COLLECTED = frozenset({"nameserver", "options"})
_REPLACED = frozenset({"search", "sortlist"})


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """Of several `search` (or `domain`) and `sortlist` lines the last holds; name servers and options add up."""
    found: dict[str, list[str]] = {}
    for line in captures.lines(RESOLV):
        words = line.text.split()
        if not words or words[0][0] in "#;":
            continue
        kind = "search" if words[0] == "domain" else words[0]
        if kind in _REPLACED:
            found[kind] = words[1:]
        elif kind in _COLLECTED:
            found.setdefault(kind, []).extend(words[1:2] if kind == "nameserver" else words[1:])
    for kind, items in sorted(found.items()):
        for position, item in enumerate(dict.fromkeys(map(_plain, items)), 1):
            address = key(item)
            yield Resource(DNS.name, f"{kind}:{address}", {"type": kind, "address": address, "position": position})


def _plain(text: str) -> str:
    """Addresses in their one canonical form; anything else as it stands."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text


collector = Collector(
    name="dns",
    version=1,
    doc="Name servers, search domains and options of the resolver",
    kinds=(DNS,),
    sources=(RESOLV,),
    parse=parse,
    plane=Plane.RUNTIME,
)
