"""Ports that are open against rules of the packet filter, as ufw, iptables and nft write them."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from driftscan.model.codec import decode_resource
from driftscan.model.resource import Resource, Value
from driftscan.model.snapshot import Resources
from driftscan.policy import packet_rules
from driftscan.policy.derived import DERIVED
from driftscan.policy.tables import Single

UFW = Path(__file__).parents[1] / "collectors/cases/firewall/ufw/expected.json"
ACCEPT: Mapping[str, object] = {"accept": None}


def made(kind: str, *given: Resource) -> dict[str, Mapping[str, Value]]:
    resources = Resources({each.id: each for each in given})
    return {each.key: each.attributes for each in DERIVED[kind].make(resources, Single(resources.files))}


def listen(key: str, port: int, *ephemeral: int) -> Resource:
    protocol, _, rest = key.partition("/")
    address = rest.rpartition(":")[0].strip("[]")
    columns: dict[str, Value] = {"protocol": protocol, "address": address, "port": port, "process": "/usr/sbin/x"}
    return Resource("listen", key, columns, {"ports": ephemeral} if ephemeral else {})


def chain(key: str, *rules: str, hook: str = "input", kind: str = "filter") -> Resource:
    return Resource("firewall_chain", key, {"type": kind, "hook": hook, "rules": rules})


def nft(*statements: Mapping[str, object]) -> str:
    return json.dumps({"expr": statements})


def match(protocol: str, name: str, right: object, op: str = "==") -> Mapping[str, object]:
    left = {"meta": {"key": name}} if protocol == "meta" else {"payload": {"protocol": protocol, "field": name}}
    return {"match": {"op": op, "left": left, "right": right}}


def named(key: str, port: int, *chains: Resource, family: str = "ipv4") -> Value:
    """The chain that names the port of a socket; KeyError: it is not known."""
    return made("open_port", listen(key, port), *chains)[key][f"{family}_rule"]


def test_a_host_with_ufw() -> None:
    chains = [decode_resource(json.dumps(each).encode()) for each in json.loads(UFW.read_text())["resources"]]
    sockets = (
        listen("tcp/0.0.0.0:22", 22),
        listen("tcp/[::]:22", 22),
        listen("tcp/eth0:443", 443),
        listen("tcp/0.0.0.0:444", 444),
        listen("tcp/[::]:80", 80),
        listen("udp/0.0.0.0:6010", 6010),
        listen("udp/0.0.0.0:68", 68),
        listen("tcp/0.0.0.0:10", 10),
        listen("tcp/127.0.0.53:53", 53),
        listen("tcp/[::1]:25", 25),
        listen("unix//run/x", 0),
    )
    found = made("open_port", *chains, *sockets)
    assert {key: (columns["ipv4_rule"], columns["ipv6_rule"]) for key, columns in found.items()} == {
        "tcp/0.0.0.0:22": ("ip/filter/ufw-user-input", None),
        "tcp/[::]:22": (None, "ip6/filter/ufw6-user-input"),
        "tcp/eth0:443": ("ip/filter/ufw-user-input", None),
        "tcp/0.0.0.0:444": ("", None),
        "tcp/[::]:80": ("ip/filter/ufw-user-input", ""),
        "udp/0.0.0.0:6010": ("ip/filter/ufw-user-input", None),
        "udp/0.0.0.0:68": ("ip/filter/ufw-before-input", None),
        "tcp/0.0.0.0:10": ("", None),  # named in the comment of a rule alone
    }


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        ("-p tcp -m tcp --dport 22 -j ACCEPT", True),
        ("-s 10.0.0.0/8 -p tcp -m multiport --dports 80,20:25 -j DROP", True),
        ("-p tcp -m multiport --ports 22 -j ACCEPT", True),
        ("-p tcp -m tcp ! --dport 23 -j DROP", True),
        ("-p tcp -m tcp ! --dport 22 -j DROP", False),
        ("-p udp -m udp --dport 22 -j ACCEPT", False),
        ("-p tcp -m tcp --sport 22 -j ACCEPT", False),
        ("-i lo -p tcp -m tcp --dport 22 -j ACCEPT", False),
        ("! -i lo -p tcp -m tcp --dport 22 -j ACCEPT", True),
        ("-p tcp -j ACCEPT", False),
        ('-m comment --comment "x --dport 22" -j ACCEPT', False),
    ],
)
def test_rules_of_iptables(rule: str, fits: bool) -> None:
    place = "iptables/filter/INPUT"
    assert named("tcp/0.0.0.0:22", 22, chain(place, rule, hook="")) == (place if fits else "")


@pytest.mark.parametrize(
    ("statements", "fits"),
    [
        ([match("tcp", "dport", 22)], True),
        ([match("tcp", "dport", {"set": [80, {"range": [20, 25]}]})], True),
        ([match("tcp", "dport", {"range": [23, 99]})], False),
        ([match("th", "dport", 22), match("meta", "l4proto", {"set": ["tcp", "udp"]})], True),
        ([match("meta", "l4proto", "udp"), match("th", "dport", 22)], False),
        ([match("tcp", "dport", {"set": [80, 443]}, "!=")], True),
        ([match("tcp", "dport", 22, "!=")], False),
        ([match("meta", "iifname", "lo"), match("tcp", "dport", 22)], False),
        ([match("meta", "nfproto", "ipv6"), match("tcp", "dport", 22)], False),
        ([match("ip6", "saddr", "2001:db8::1"), match("tcp", "dport", 22)], False),
        ([match("ip", "saddr", "10.0.0.1"), match("tcp", "dport", 22)], True),
        ([match("tcp", "dport", "@open")], True),
        (
            [{"vmap": {"key": {"payload": {"protocol": "tcp", "field": "dport"}}, "data": {"set": [[22, ACCEPT]]}}}],
            True,
        ),
        ([{"xt": {"type": "match", "name": "conntrack"}}], False),
        ([match("meta", "iifname", "eth0")], False),
    ],
)
def test_rules_of_nft(statements: list[Mapping[str, object]], fits: bool) -> None:
    place = "inet/f/in"
    ports = Resource("firewall_chain", "inet/f/@open", {"type": "set", "rules": ("22", '{"range":[80,90]}')})
    assert named("tcp/0.0.0.0:22", 22, chain(place, nft(*statements, ACCEPT)), ports) == (place if fits else "")


def test_a_port_beside_an_address() -> None:
    fields = [
        {"payload": {"protocol": protocol, "field": name}} for protocol, name in (("ip", "saddr"), ("tcp", "dport"))
    ]
    right = {"set": [{"concat": ["10.0.0.1", 22]}]}
    both = nft({"match": {"op": "==", "left": {"concat": fields}, "right": right}}, ACCEPT)
    assert named("tcp/0.0.0.0:22", 22, chain("ip/f/in", both)) == "ip/f/in"
    assert named("tcp/0.0.0.0:23", 23, chain("ip/f/in", both)) == ""


@pytest.mark.parametrize(
    "rule",
    [
        nft({"xt": None}),
        nft({"xt": {"type": "match", "name": "multiport"}}),
        nft(match("tcp", "dport", "@elsewhere")),
        nft({"vmap": {"key": {"payload": {"protocol": "tcp", "field": "dport"}}, "data": "@map"}}),
        "{no json",
        '-p tcp --dport 2 -m comment --comment "open',
        "-p tcp -m set --match-set ports dst -j ACCEPT",
    ],
)
def test_what_a_rule_does_not_tell_is_not_known(rule: str) -> None:
    hidden = chain("inet/f/in", rule)
    with pytest.raises(KeyError):
        named("tcp/0.0.0.0:22", 22, hidden)
    assert named("tcp/0.0.0.0:22", 22, hidden, chain("ip/g/in", nft(match("tcp", "dport", 22)))) == "ip/g/in"


def test_only_chains_that_packets_to_the_host_pass_count() -> None:
    opened = nft(match("tcp", "dport", 22), ACCEPT)
    assert named("tcp/0.0.0.0:22", 22, chain("inet/f/out", opened, hook="output")) == ""
    assert named("tcp/0.0.0.0:22", 22, chain("ip6/f/in", opened)) == ""
    assert named("tcp/0.0.0.0:22", 22, chain("inet/f/in"), chain("inet/f/unused", opened, hook="")) == ""
    led = chain("inet/f/in", nft({"jump": {"target": "more"}}), nft({"goto": {"target": "in"}}))
    assert named("tcp/0.0.0.0:22", 22, led, chain("inet/f/more", opened, hook="")) == "inet/f/more"
    assert named("tcp/0.0.0.0:22", 22, led, chain("inet/g/more", opened, hook="")) == ""
    own = chain("inet/f/in", nft(match("meta", "iif", "lo"), {"jump": {"target": "more"}}))
    assert named("tcp/0.0.0.0:22", 22, own, chain("inet/f/more", opened, hook="")) == ""


def test_a_socket_on_all_of_ipv6_takes_ipv4_unless_the_kernel_or_another_socket_says_otherwise() -> None:
    alone, beside = listen("tcp/[::]:80", 80), listen("tcp/0.0.0.0:80", 80)
    only = Resource("sysctl", "net.ipv6.bindv6only", {"value": "1"})
    assert made("open_port", alone)["tcp/[::]:80"]["families"] == ("ipv4", "ipv6")
    assert made("open_port", alone, beside)["tcp/[::]:80"]["families"] == ("ipv6",)
    assert made("open_port", alone, only)["tcp/[::]:80"]["families"] == ("ipv6",)
    assert made("open_port", listen("tcp/[::ffff:192.0.2.1]:80", 80))["tcp/[::ffff:192.0.2.1]:80"]["families"] == (
        "ipv4",
    )
    assert made("open_port", listen("tcp/[::ffff:127.0.0.1]:80", 80)) == {}


def test_ephemeral_ports_need_a_rule_each() -> None:
    key = "udp/0.0.0.0:ephemeral/usr/sbin/x"
    wide = chain("ip/f/in", nft(match("udp", "dport", {"range": [40000, 50000]})))
    assert made("open_port", listen(key, 0, 40001, 49999), wide)[key]["ipv4_rule"] == "ip/f/in"
    assert made("open_port", listen(key, 0, 40001, 50001), wide)[key]["ipv4_rule"] == ""
    assert "ipv4_rule" not in made("open_port", listen(key, 0), wide)[key]  # a manifest does not know which they were


def test_hooks_of_the_kernel_and_of_the_next_start() -> None:
    chains = [
        chain("inet/f/in"),
        chain("ip/nat/in", kind="nat"),
        chain("bridge/f/forward", hook="forward"),
        chain("ip6/f/out", hook="output"),
    ]
    expected = {"input": {"chains": ("inet/f/in",)}, "forward": {"chains": ()}, "output": {"chains": ("ip6/f/out",)}}
    assert made("filter_hook", *chains) == expected
    boot = [Resource("nftables_chain", each.key, each.attributes) for each in chains]
    assert made("boot_hook", *boot) == expected


def test_elements_that_are_no_ports() -> None:
    assert packet_rules.elements(('"10.0.0.1"',)) is None
    assert packet_rules.elements(('{"elem":{"val":22,"timeout":60}}',)) == packet_rules.Ports(((22, 22),))
