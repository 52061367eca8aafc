"""Rules of nftables and of the legacy iptables, by chain.

Asking must not change the host: `nft` and `iptables-save` make the kernel load modules that are not loaded yet, and so
run only where the kernel already has what they ask for. The scripts below look first, and say by their exit code:
90: the kernel has no such tables, which is a fact; 91: it has, and there is no program to list them, which is a gap;
92: nft is missing, and what iptables keeps in nftables is told by iptables-save (the CIS Benchmarks want hosts with
iptables to be so).
nf_tables compiled into the kernel shows in no list of modules, only among its symbols.

Of rules that iptables wrote into nftables (iptables-nft, ufw) the JSON of `nft` leaves out what matches of iptables'
own look for: which ports `multiport` names, which states `conntrack`. Where there are such rules iptables-save is
asked, too, and each of them is told as it writes it.

Counters and handles are left out. Elements that a set gains by itself (with timeouts, or added by rules) are observed.
Legacy tables have the families `iptables` and `ip6tables`, because a table of nftables may have the same name.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from driftscan.collectors import _iptables
from driftscan.collectors._base import Collector
from driftscan.collectors._text import key, value
from driftscan.errors import ParseError
from driftscan.model.codec import canonical
from driftscan.model.resource import Attribute, Kind, Plane, Resource, Value
from driftscan.model.source import Captures, Command, Gap, Status

_NONE, _NO_PROGRAM, _NO_NFT = 90, 91, 92
_NFT = f"""\
[ -e /sys/module/nf_tables ] || grep -q ' nf_tables_newtable' /proc/kallsyms 2>/dev/null || exit 90
if ! command -v nft >/dev/null 2>&1; then
{_iptables.TABLES}{_iptables.SAVE}exit 92
fi
rules=$(nft -j list ruleset) || exit $?
printf '%s\\n' "$rules"
case $rules in *'"xt":'*) ;; *) exit 0 ;; esac
{_iptables.SAVE}exit 0
"""
_LEGACY = """
[ -e "/proc/net/$names" ] || exit 90
tables=$(cat "/proc/net/$names") || exit 1
[ -n "$tables" ] || exit 90
for program in "$tool-legacy-save" "$tool-save"; do
    command -v "$program" >/dev/null 2>&1 || continue
    case $("$program" --version 2>/dev/null) in *nf_tables*) continue ;; esac
    exec "$program"
done
exit 91
"""
NFT = Command(("sh", "-c", _NFT), ok=(0, _NONE, _NO_PROGRAM, _NO_NFT), timeout=60)
IPTABLES, IP6TABLES = (
    Command(("sh", "-c", f"names={names} tool={tool}{_LEGACY}"), ok=(0, _NONE, _NO_PROGRAM), timeout=60)
    for names, tool in (("ip_tables_names", "iptables"), ("ip6_tables_names", "ip6tables"))
)

_ASKED = (
    (NFT, ("arp", "bridge", "inet", "ip", "ip6", "netdev"), "nftables"),
    (IPTABLES, ("iptables",), "iptables"),
    (IP6TABLES, ("ip6tables",), "ip6tables"),
)

FIREWALL_CHAIN = Kind(
    name="firewall_chain",
    doc="A chain of rules of the packet filter, or a set or map that rules look into (`@NAME`).",
    key="family/table/chain (`inet/filter/input`, `inet/filter/@blocked`, `iptables/nat/PREROUTING`)",
    attributes={
        "type": Attribute(str, "filter, nat, route; set, map; empty: a chain that others jump to"),
        "hook": Attribute(str, "where packets enter it; empty: nowhere"),
        "priority": Attribute(str, "order among chains of one hook"),
        "policy": Attribute(str, "what befalls packets that no rule decides"),
        "rules": Attribute(
            tuple, "rules in order (nftables: its JSON; iptables: as iptables-save writes them); of a set its elements"
        ),
    },
    plane=Plane.RUNTIME,
    shape=r".*/.*/.*",
)
_CHANGING = {"counter": ("packets", "bytes"), "quota": ("used", "used_unit"), "last": ("used",)}
_GROWING = frozenset({"dynamic", "timeout"})
_MAX_DEPTH = 60


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """Each family of tools can be a gap of its own; then the others are still told."""
    for source, families, name in _ASKED:
        capture = captures[source]
        hides = tuple(f"{FIREWALL_CHAIN.name}:{family}/*" for family in families)
        if capture.status is Status.ABSENT or (capture.status is Status.OK and capture.exit_code == _NONE):
            continue
        if capture.status is not Status.OK:
            reason = f"the rules of {name} could not be listed: {capture.detail or 'that takes root'}"
            yield Gap("firewall", capture.status, reason, hides)
        elif capture.exit_code == _NO_PROGRAM:
            reason = f"the kernel has tables of {name}, and there is no program to list them"
            yield Gap("firewall", Status.UNSUPPORTED, reason, hides)
        elif capture.exit_code == _NO_NFT:
            yield from _iptables.without_nft(captures.text(NFT), NFT)
        else:
            yield from _nft(captures) if source is NFT else _legacy(captures, source, families[0])


def _nft(captures: Captures) -> Iterator[Resource]:
    """libnftables-json(5): an array of objects, each with one key that says what it is. What iptables-save says of the
    same chains follows it."""
    ruleset, parts = _iptables.parted(captures.text(NFT))
    try:
        items = json.loads(ruleset or "{}").get("nftables", [])
        things = [(kind, body) for item in items for kind, body in item.items() if isinstance(body, dict)]
        rules: dict[str, list[str]] = {}
        for kind, body in things:
            if kind == "rule":
                comment = {"comment": body["comment"]} if "comment" in body else {}
                rules.setdefault(_key(body, body.get("chain")), []).append(_text({"expr": body.get("expr")} | comment))
        _spell_out(rules, parts)
        found: dict[str, Resource] = {}
        for kind, body in things:
            if kind == "chain":
                name = _key(body, body.get("name"))
                found[name] = _chain(name, body, rules.get(name, []))
            elif kind in {"set", "map"}:
                name = _key(body, f"@{body.get('name')}")
                found[name] = _set(name, kind, body)
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise ParseError(NFT, 0, "not the JSON of a ruleset") from None
    yield from (found[name] for name in sorted(found))


def _spell_out(rules: dict[str, list[str]], parts: dict[str, str]) -> None:
    """Put what iptables-save writes in the place of rules that have matches or targets of iptables' own. Both list a
    chain in its order; where they do not have as many rules, somebody changed it between the two, and it stays."""
    for _, chains in _iptables.saved(parts, NFT):
        for name, chain in chains.items():
            if len(known := rules.get(name, [])) == len(chain.rules):
                rules[name] = [new if '"xt":' in old else old for old, new in zip(known, chain.rules, strict=True)]


def _key(body: Mapping[str, Any], name: Any) -> str:
    return key(f"{body.get('family')}/{body.get('table')}/{name}")


def _chain(name: str, body: Mapping[str, Any], rules: list[str]) -> Resource:
    columns = {column: value(str(body.get(source, ""))) for column, source in (
        ("type", "type"), ("hook", "hook"), ("priority", "prio"), ("policy", "policy"),
    )}  # fmt: skip
    return Resource(FIREWALL_CHAIN.name, name, {**columns, "rules": tuple(rules)})


def _set(name: str, kind: str, body: Mapping[str, Any]) -> Resource:
    elements = tuple(sorted(map(_text, body.get("elem") or ())))
    flags = body.get("flags") or ()
    grows = bool(_GROWING & set(flags)) or "timeout" in body
    attributes: dict[str, Value] = {
        "type": kind,
        "hook": "",
        "priority": "",
        "policy": value(str(body.get("policy", ""))),
    }
    if grows:
        return Resource(FIREWALL_CHAIN.name, name, attributes, {"elements": elements})
    return Resource(FIREWALL_CHAIN.name, name, {**attributes, "rules": elements})


def _text(item: Any) -> str:
    return canonical(_steady(item, 0)).decode()


def _steady(item: Any, depth: int) -> Any:
    """A rule without counters and remaining lifetimes."""
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    if isinstance(item, list):
        return [_steady(part, depth + 1) for part in item]
    if not isinstance(item, dict):
        return item
    found = {}
    for name, part in item.items():
        if name == "expires":
            continue
        if isinstance(part, dict) and name in _CHANGING:
            part = {inner: kept for inner, kept in part.items() if inner not in _CHANGING[name]}  # noqa: PLW2901 - the same thing, reduced
        found[name] = _steady(part, depth + 1)
    return found


def _legacy(captures: Captures, source: Command, family: str) -> Iterator[Resource]:
    for name, chain in sorted(_iptables.chains(captures.lines(source), source, family).items()):
        attributes: dict[str, Value] = {"type": value(name.split("/")[1]), "hook": "", "priority": ""}
        attributes |= {"policy": chain.policy, "rules": chain.rules}
        yield Resource(FIREWALL_CHAIN.name, name, attributes)


collector = Collector(
    name="firewall",
    version=2,
    doc="Rules of nftables and iptables",
    kinds=(FIREWALL_CHAIN,),
    sources=(NFT, IPTABLES, IP6TABLES),
    parse=parse,
    plane=Plane.RUNTIME,
)
