"""Names that /etc/hosts gives to addresses (hosts(5))."""

import ipaddress
from collections.abc import Iterator

from driftscan.collectors._base import Collector
from driftscan.collectors._text import key, value
from driftscan.model.resource import Attribute, Kind, Resource
from driftscan.model.source import Captures, File, Gap

HOSTS = File("/etc/hosts")

HOST_ENTRY = Kind(
    name="host_entry",
    doc="An address of /etc/hosts.",
    key="address",
    attributes={"hostnames": Attribute(tuple, "names in order; the first is the canonical one")},
)


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """Lines of one address are joined, as the resolver does. A line that begins with no address is no entry to the
    resolver, nor here."""
    names: dict[str, list[str]] = {}
    for line in captures.lines(HOSTS):
        words = line.text.partition("#")[0].split()
        if len(words) < 2:
            continue
        try:
            address = str(ipaddress.ip_address(words[0]))
        except ValueError:
            continue
        known = names.setdefault(key(address), [])
        known.extend(name for name in map(value, words[1:]) if name not in known)
    for address, hostnames in sorted(names.items()):
        yield Resource(HOST_ENTRY.name, address, {"hostnames": tuple(hostnames)})


collector = Collector(
    name="hosts_file",
    version=1,
    doc="Names in /etc/hosts",
    kinds=(HOST_ENTRY,),
    sources=(HOSTS,),
    parse=parse,
)
