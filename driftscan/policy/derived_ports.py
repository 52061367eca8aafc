"""What follows from the packet filter's chains: whether it has a rule on each open port, and which chains packets meet
at the hooks of a host, as the kernel has them and as they are set at boot."""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

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
    incoming = {family: list(_incoming(resources, family)) for family in (IPV4, IPV6)}
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
            name = _naming(incoming[family], str(protocol), ports, family) if family in families else None
            if family not in families or name is not None:
                columns[f"{family}_rule"] = name
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


class _Chain:
    """A chain that packets to the host pass, with what its rules say."""

    def __init__(self, resource: Resource, sets: Mapping[str, Resource]) -> None:
        self.key = resource.key
        rules = resource.attributes.get("rules")
        texts = [each for each in rules if isinstance(each, str)] if isinstance(rules, tuple) else []
        self.rules = [packet_rules.read(text) for text in texts]
        for rule in self.rules:
            for name in rule.sets:
                ports = _of_set(sets.get(f"{self.key.rpartition('/')[0]}/{name}"))
                rule.opaque |= ports is None
                rule.ports += [ports] if ports else []


def _of_set(found: Resource | None) -> Ports | None:
    rules = found.attributes.get("rules") if found else None
    return packet_rules.elements(rules) if isinstance(rules, tuple) else None


def _incoming(resources: Resources, family: str) -> Iterator[_Chain]:
    """The chains at the hook input, and those that their rules lead to."""
    known = {each.key: each for each in resources.of("firewall_chain")}
    rest = [each for each in known.values() if family in _starts(each)]
    seen: set[str] = set()
    while rest:
        resource = rest.pop(0)
        if resource.key not in seen:
            seen.add(resource.key)
            yield (found := _Chain(resource, known))
            place = resource.key.rpartition("/")[0]
            targets = chain.from_iterable(rule.targets for rule in found.rules)
            rest += [known[name] for name in (f"{place}/{target}" for target in targets) if name in known]


def _starts(resource: Resource) -> Sequence[str]:
    """The families of IP whose packets to the host enter the chain."""
    family, _, name = resource.key.partition("/")
    if family in _LEGACY and name == "filter/INPUT":
        return (_LEGACY[family],)
    has = resource.attributes
    return _FAMILIES.get(family, ()) if (has.get("hook"), has.get("type")) == ("input", "filter") else ()


def _naming(chains: Iterable[_Chain], protocol: str, ports: Sequence[int], family: str) -> str | None:
    """The first chain that names the port, or with several one of them, if all are named; empty: there is none; None:
    that is not known."""
    asked = [(each.key, rule) for each in chains for rule in each.rules if rule.may_be_of(protocol, family)]
    named = [next((key for key, rule in asked if _has(rule, port)), "") for port in ports]
    if named and all(named):
        return named[0]
    return None if any(rule.opaque for _, rule in asked) else ""


def _has(rule: PacketRule, port: int) -> bool:
    return any(each.has(port) for each in rule.ports)
