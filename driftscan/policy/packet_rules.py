"""Which ports the rules of a packet filter speak of, from rules as the collector `firewall` tells them: as nft writes
them in JSON (libnftables-json(5)), or as iptables-save(8) does."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

IPV4, IPV6 = "ipv4", "ipv6"
_FAMILIES = {"ip": frozenset({IPV4}), "ip6": frozenset({IPV6}), "ipv4": frozenset({IPV4}), "ipv6": frozenset({IPV6})}
_PORTS = re.compile(r"([0-9]{1,5})(?:[:-]([0-9]{1,5}))?", re.ASCII)
_PROTOCOL = frozenset({("meta", "l4proto"), ("ip", "protocol"), ("ip6", "nexthdr")})
_INTERFACE = frozenset({("meta", "iif"), ("meta", "iifname")})
_NAMING = frozenset({None, "multiport", "tcp", "udp", "sctp", "set", "u32", "bpf"})
"""Matches of iptables' own that may name ports."""
_DPORTS = frozenset({"--dport", "--dports", "--destination-port", "--destination-ports", "--ports"})


@dataclass(frozen=True, slots=True)
class Ports:
    """Destination ports that a rule names. `ranges`: first and last; `other`: all but those."""

    ranges: tuple[tuple[int, int], ...]
    other: bool = False

    def has(self, port: int) -> bool:
        """Whether the rule is about that port."""
        return any(first <= port <= last for first, last in self.ranges) != self.other


@dataclass(slots=True)
class PacketRule:
    """What a rule says of ports. `protocols`: those that it is about, empty: any. `families`: ipv4, ipv6. `sets`: sets
    that hold its ports. `targets`: chains that it leads to. `opaque`: it has a part that may name ports and is not
    told. Changed only while it is read."""

    ports: list[Ports] = field(default_factory=list)
    protocols: frozenset[str] = frozenset()
    families: frozenset[str] = frozenset({IPV4, IPV6})
    sets: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    loopback: bool = False
    opaque: bool = False

    def may_be_of(self, protocol: str, family: str) -> bool:
        """Whether it is about packets of that protocol and family, and not about those of the loopback alone."""
        return (not self.protocols or protocol in self.protocols) and family in self.families and not self.loopback


def read(rule: str) -> PacketRule:
    """A rule from its text; one that cannot be read is opaque."""
    try:
        return _nft(json.loads(rule)) if rule.startswith("{") else _iptables(shlex.split(rule))
    except (ValueError, AttributeError, TypeError, KeyError, IndexError, RecursionError):
        return PacketRule(opaque=True)


def elements(texts: tuple[Any, ...]) -> Ports | None:
    """The ports of a set's elements; None where one of them is no port."""
    try:
        return Ports(tuple(each for text in texts for each in _ranges(_bare(json.loads(text)))))
    except (ValueError, TypeError, AttributeError, KeyError, IndexError, RecursionError):
        return None


def _iptables(words: list[str]) -> PacketRule:
    rule, negated = PacketRule(), False
    for word, given in zip(words, [*words[1:], ""], strict=True):
        if word in {"-p", "--protocol"} and not negated:
            rule.protocols = frozenset({given})
        elif word in _DPORTS:
            rule.ports.append(Ports(tuple(_range(part) for part in given.split(",")), negated))
        elif word in {"-j", "-g", "--jump", "--goto"}:
            rule.targets.append(given)
        elif word in {"-i", "--in-interface"} and given == "lo" and not negated:
            rule.loopback = True
        elif word == "--match-set":
            rule.opaque = True
        negated = word == "!"
    return rule


def _range(text: str) -> tuple[int, int]:
    found = _PORTS.fullmatch(text)
    if found is None:
        raise ValueError("no ports")
    return int(found[1]), int(found[2] or found[1])


def _nft(body: Mapping[str, Any]) -> PacketRule:
    rule = PacketRule()
    for statement in body["expr"]:
        for name, part in statement.items():
            if name == "match":
                _match(rule, part)
            elif name == "vmap":
                _vmap(rule, part)
            elif name in {"jump", "goto"}:
                rule.targets.append(part["target"])
            elif name == "xt":
                rule.opaque |= part is None or part.get("name") in _NAMING
    return rule


def _match(rule: PacketRule, match: Mapping[str, Any]) -> None:
    left, right, other = match["left"], match["right"], match["op"] == "!="
    if "concat" not in left:
        _compared(rule, _asked(left), right, other)
        return
    for place, item in enumerate(left["concat"]):
        parts = right if isinstance(right, str) else {"set": [each["concat"][place] for each in _items(right)]}
        _compared(rule, _asked(item), parts, other)


def _compared(rule: PacketRule, asked: tuple[str, str], wanted: Any, other: bool) -> None:
    if asked[1] == "dport":
        _name(rule, asked[0], wanted, other)
    if other:
        return
    if asked[0] in _FAMILIES:
        rule.families &= _FAMILIES[asked[0]]
    if asked == ("meta", "nfproto"):
        rule.families &= frozenset(each for name in _items(wanted) for each in _FAMILIES.get(str(name), ()))
    if asked in _PROTOCOL:
        rule.protocols = frozenset(map(str, _items(wanted)))
    if asked in _INTERFACE:
        rule.loopback |= wanted == "lo"


def _vmap(rule: PacketRule, vmap: Mapping[str, Any]) -> None:
    asked, data = _asked(vmap["key"]), vmap["data"]
    if not isinstance(data, dict):
        rule.opaque = True  # a map with a name: where it leads is told nowhere beside it
        return
    for wanted, verdict in data["set"]:
        if asked[1] == "dport":
            _name(rule, asked[0], wanted, other=False)
        rule.targets += [part["target"] for name, part in verdict.items() if name in {"jump", "goto"}]


def _asked(item: Mapping[str, Any]) -> tuple[str, str]:
    """What of a packet is looked at: protocol and field, or `meta` and the key."""
    if "payload" in item:
        return str(item["payload"].get("protocol", "")), str(item["payload"].get("field", ""))
    return ("meta", str(item["meta"].get("key", ""))) if "meta" in item else ("", "")


def _name(rule: PacketRule, protocol: str, wanted: Any, other: bool) -> None:
    """The rule is about these destination ports; `th` is the port of whatever protocol."""
    if protocol != "th":
        rule.protocols = frozenset({protocol})
    if isinstance(wanted, str):
        rule.opaque |= other
        rule.sets.append(wanted)
    else:
        rule.ports.append(Ports(tuple(_ranges(wanted)), other))


def _items(wanted: Any) -> list[Any]:
    if isinstance(wanted, dict) and "set" in wanted:
        return list(map(_bare, wanted["set"]))
    return [wanted]


def _bare(item: Any) -> Any:
    """An element of a set without its time-out, counter or comment."""
    return item["elem"]["val"] if isinstance(item, dict) and "elem" in item else item


def _ranges(wanted: Any) -> Iterator[tuple[int, int]]:
    for item in _items(wanted):
        first, last = item["range"] if isinstance(item, dict) else (item, item)
        if type(first) is not int or type(last) is not int:
            raise ValueError("no ports")
        yield first, last
