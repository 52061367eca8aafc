"""What follows from the packet filter's chains: whether it has a rule on each open port, and which chains packets meet
at the hooks of a host, as the kernel has them and as they are set at boot."""

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from driftscan.model.resource import Attribute, Kind, Plane, Resource, Value
from driftscan.model.snapshot import Resources
from driftscan.policy import packet_rules
from driftscan.policy.packet_rules import IPV4, IPV6, PacketRule, Ports
from driftscan.policy.tables import Table

_RULE = "a chain that names the port; empty: none; absent: it does not take {}"
OPEN_PORT = Kind(
    "open_port",
    "A TCP or UDP socket that others reach, and whether the packet filter has a rule on its port, whatever the rule "
    "says; made of the kinds listen and firewall_chain (and a setting of the kernel).",
    "as `listen` has it: `tcp/0.0.0.0:80`",
    {
        "protocol": Attribute(str, "tcp, udp"),
        "port": Attribute(int, "port; 0: ephemeral"),
        "process": Attribute(str, "executable of the process that has it"),
        "families": Attribute(tuple, "ipv4, ipv6: over which it takes packets"),
        "ipv4_rule": Attribute(str, _RULE.format("IPv4")),
        "ipv6_rule": Attribute(str, _RULE.format("IPv6")),
    },
    Plane.RUNTIME,
)
_HOOK = {"chains": Attribute(tuple, "the chains of type filter that IP packets meet there, family/table/chain")}
FILTER_HOOK = Kind(
    "filter_hook",
    "A place at which the kernel filters packets; made of the kind firewall_chain.",
    "input, forward, output",
    _HOOK,
    Plane.RUNTIME,
)
BOOT_HOOK = Kind(
    "boot_hook",
    "Such a place, by what nftables.service sets there at boot; made of the kind nftables_chain.",
    "input, forward, output",
    _HOOK,
)
_ALL_OF_IPV4 = "0.0.0.0"  # noqa: S104 - an address that is looked for
_HOOKS = ("input", "forward", "output")
_TABLES = frozenset({"ip", "ip6", "inet"})
_LEGACY = {"iptables": IPV4, "ip6tables": IPV6}
_FAMILIES = {"ip": (IPV4,), "ip6": (IPV6,), "inet": (IPV4, IPV6)}


def filter_hooks(resources: Resources, _table: Table) -> Iterator[Resource]:
    """See `FILTER_HOOK`."""
    return _hooks(FILTER_HOOK.name, resources.of("firewall_chain"))


def boot_hooks(resources: Resources, _table: Table) -> Iterator[Resource]:
    """See `BOOT_HOOK`."""
    return _hooks(BOOT_HOOK.name, resources.of("nftables_chain"))


def _hooks(kind: str, chains: Iterable[Resource]) -> Iterator[Resource]:
    kept = [each for each in chains if each.attributes.get("type") == "filter" and each.key.split("/")[0] in _TABLES]
    for hook in _HOOKS:
        found = tuple(each.key for each in kept if each.attributes.get("hook") == hook)
        yield Resource(kind, hook, {"chains": found})


def open_ports(resources: Resources, _table: Table) -> Iterator[Resource]:
    """See `OPEN_PORT`. Where a rule has a part that is not told, and none that is names the port, it is not known."""
    naming = {family: _naming(list(_incoming(resources, family)), family) for family in (IPV4, IPV6)}
    own = resources.get("sysctl", "net.ipv6.bindv6only")
    both = own is None or own.attributes.get("value") != "1"
    keys = frozenset(each.key for each in resources.of("listen"))
    for listen in resources.of("listen"):
        protocol, port = listen.attributes.get("protocol"), listen.attributes.get("port")
        if protocol not in {"tcp", "udp"} or not isinstance(port, int) or _loopback(listen.attributes.get("address")):
            continue
        families = _families(listen.key, keys, both)
        columns: dict[str, Value] = {"protocol": protocol, "port": port, "families": families}
        if "process" in listen.attributes:
            columns["process"] = listen.attributes["process"]
        seen = listen.observed.get("ports", ()) if port == 0 else (port,)
        ports = [each for each in seen if isinstance(each, int)] if isinstance(seen, tuple) else []
        for family in (IPV4, IPV6):
            names = [naming[family](str(protocol), each) for each in ports]
            if family not in families:
                columns[f"{family}_rule"] = None
            elif "" in names or (names and None not in names):
                columns[f"{family}_rule"] = "" if "" in names else names[0]
        yield Resource(OPEN_PORT.name, listen.key, columns)


def _loopback(address: Value) -> bool:
    try:
        found = ipaddress.ip_address(address if isinstance(address, str) else "")
    except ValueError:
        return False  # the name of an interface
    return ((found.version == 6 and found.ipv4_mapped) or found).is_loopback


def _families(key: str, keys: frozenset[str], both: bool) -> tuple[str, ...]:
    """A socket on all addresses of IPv6 takes IPv4, too, unless told otherwise; one beside it on all of IPv4 shows that
    it was."""
    if "/[" not in key or "/[::ffff:" in key:
        return (IPV4,)
    alone = "/[::]:" in key and key.replace("[::]", _ALL_OF_IPV4) not in keys
    return (IPV4, IPV6) if both and alone else (IPV6,)


@dataclass(frozen=True, slots=True)
class _Chain:
    """A chain that packets to the host pass, with what its rules say."""

    key: str
    rules: tuple[PacketRule, ...]

    @property
    def targets(self) -> Iterator[str]:
        """The chains that other packets than those of the loopback go on to."""
        place = self.key.rpartition("/")[0]
        return (f"{place}/{target}" for rule in self.rules if not rule.loopback for target in rule.targets)


def _incoming(resources: Resources, family: str) -> Iterator[_Chain]:
    """The chains at the hook input, and those that their rules lead to."""
    known = {each.key: each for each in resources.of("firewall_chain")}
    rest = [each.key for each in known.values() if family in _starts(each)]
    seen: set[str] = set()
    sets: dict[str, Ports | None] = {}
    while rest:
        key = rest.pop(0)
        if key in known and key not in seen:
            seen.add(key)
            yield (found := _read(known[key], known, sets))
            rest += found.targets


def _read(resource: Resource, known: Mapping[str, Resource], sets: dict[str, Ports | None]) -> _Chain:
    """A chain; `sets`: those that were read before, by key."""
    rules = tuple(packet_rules.read(text) for text in _texts(resource))
    for rule in rules:
        for name in rule.sets:
            key = f"{resource.key.rpartition('/')[0]}/{name}"
            if key not in sets:
                found = known.get(key)
                sets[key] = packet_rules.elements(_texts(found)) if found and "rules" in found.attributes else None
            ports = sets[key]
            rule.opaque |= ports is None
            rule.ports += [ports] if ports else []
    return _Chain(resource.key, rules)


def _texts(resource: Resource) -> tuple[str, ...]:
    rules = resource.attributes.get("rules")
    return tuple(each for each in rules if isinstance(each, str)) if isinstance(rules, tuple) else ()


def _starts(resource: Resource) -> Sequence[str]:
    """The families of IP whose packets to the host enter the chain."""
    family, _, name = resource.key.partition("/")
    if family in _LEGACY and name == "filter/INPUT":
        return (_LEGACY[family],)
    has = resource.attributes
    return _FAMILIES.get(family, ()) if (has.get("hook"), has.get("type")) == ("input", "filter") else ()


def _naming(chains: Iterable[_Chain], family: str) -> Callable[[str, int], str | None]:
    """Of a protocol and a port the first chain that names it; empty: there is none; None: that is not known."""

    @cache
    def rules(protocol: str) -> list[tuple[str, PacketRule]]:
        return [(each.key, rule) for each in chains for rule in each.rules if rule.may_be_of(protocol, family)]

    @cache
    def named(protocol: str, port: int) -> str | None:
        asked = rules(protocol)
        found = next((key for key, rule in asked if any(each.has(port) for each in rule.ports)), "")
        return found or (None if any(rule.opaque for _, rule in asked) else "")

    return named
