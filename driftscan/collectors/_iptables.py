"""What iptables-save(8) writes, from the legacy tables and from those that iptables keeps in nftables; and what is
known of nftables where its own program is missing, as the CIS Benchmarks want it on hosts with iptables."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from driftscan.collectors._text import hidden, key, lines, value
from driftscan.errors import ParseError
from driftscan.model.resource import Resource, Value
from driftscan.model.source import Command, Gap, Line, Status

SAVE = """\
for tool in iptables ip6tables; do
    for program in "$tool-nft-save" "$tool-save"; do
        command -v "$program" >/dev/null 2>&1 || continue
        case $("$program" --version 2>/dev/null) in *nf_tables*) ;; *) continue ;; esac
        saved=$("$program" 2>/dev/null) && printf '@%s\\n%s\\n' "$tool" "$saved"
        break
    done
done
"""
"""A script: tables of nftables that are iptables' own, each family behind its mark."""
TABLES = """\
printf '@tables\\n'
python3 -IS -c '
import socket, struct
families = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}
asked = socket.socket(16, 3, 12)
asked.settimeout(10)
asked.send(struct.pack("=IHHIIBBH", 20, 2561, 769, 1, 0, 0, 0, 0))
kind = 16
while kind > 3:
    data = asked.recv(1 << 20)
    while data and kind > 3:
        size, kind = struct.unpack("=IH", data[:6])
        parts = data[20:size] if kind > 3 else b""
        while parts:
            length, name = struct.unpack("=HH", parts[:4])
            if name == 1:
                print(families.get(data[16]), parts[4 : length - 1].decode("ascii", "replace"))
            parts = parts[length + 3 & ~3 :]
        data = data[size + 3 & ~3 :]
raise SystemExit(kind != 3)
' 2>/dev/null || printf '?\\n'
"""
"""A script: family and name of each table of nftables, asked of the kernel (linux/netfilter/nf_tables.h: a dump of
NFT_MSG_GETTABLE, which changes nothing); `?`: they could not be asked for."""

_MARK = re.compile(r"^@(tables|iptables|ip6tables)\n", re.MULTILINE)
_FAMILY = {"iptables": "ip", "ip6tables": "ip6"}
_NFT_ALONE = ("arp", "bridge", "inet", "netdev")
_HOOKS = frozenset({"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"})
_PRIORITY = {"raw": -300, "mangle": -150, "filter": 0, "security": 50}
_KIND = "firewall_chain"


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain as iptables-save writes it; without a policy it is one that others jump to."""

    policy: str
    rules: tuple[str, ...]


def chains(given: Iterable[Line], source: Command, family: str) -> dict[str, Chain]:
    """By family/table/chain. iptables-save(8): `*table`, `:CHAIN POLICY [packets:bytes]`, `-A CHAIN rule`, `COMMIT`."""
    table = ""
    policies: dict[str, str] = {}
    rules: dict[str, list[str]] = {}
    for line in given:
        text = line.text
        if text.startswith("*"):
            table = text[1:].strip()
        elif text.startswith(":"):
            words = text[1:].split()
            if len(words) < 2 or not table:
                raise ParseError(source, line.number, "no chain")
            policies[key(f"{family}/{table}/{words[0]}")] = "" if words[1] == "-" else value(words[1])
        elif text.startswith("-A "):
            words = text.split(" ", 2)
            rules.setdefault(key(f"{family}/{table}/{words[1]}"), []).append(value(words[2] if len(words) > 2 else ""))
        elif text and text != "COMMIT" and not text.startswith("#"):
            raise ParseError(source, line.number, "no line of iptables-save")
    return {name: Chain(policy, tuple(rules.get(name, ()))) for name, policy in policies.items()}


def parted(text: str) -> tuple[str, dict[str, str]]:
    """What stands before the first mark, and what follows each."""
    before, *rest = _MARK.split(text)
    return before, dict(zip(rest[::2], rest[1::2], strict=True))


def saved(parts: dict[str, str], source: Command) -> Iterator[tuple[str, dict[str, Chain]]]:
    """Family and chains of what SAVE wrote."""
    for tool, family in _FAMILY.items():
        if tool in parts:
            yield family, chains(lines(source, parts[tool].encode("utf-8", "surrogateescape")), source, family)


def without_nft(text: str, source: Command) -> Iterator[Resource | Gap]:
    """The chains that iptables keeps in nftables, told as nft would; other tables, which it does not list, are gaps."""
    _, parts = parted(text)
    told = dict(saved(parts, source))
    tables = {name.rpartition("/")[0] for found in told.values() for name in found}
    for found in told.values():
        yield from (_as_nft(name, chain) for name, chain in sorted(found.items()))
    if "?" in parts.get("tables", "?"):
        rest = [family for family in (*_NFT_ALONE, *_FAMILY.values()) if family not in told]
        hides = tuple(f"{_KIND}:{family}/*" for family in rest)
    else:
        named = {"/".join(line.split(" ", 1)) for line in parts["tables"].splitlines()}
        hides = tuple(hidden(_KIND, name, after="/*") for name in sorted(named - tables))
    if hides:
        reason = "the kernel has tables of nftables, and there is no program to list them"
        yield Gap("firewall", Status.UNSUPPORTED, reason, hides)


def _as_nft(name: str, chain: Chain) -> Resource:
    table, own = name.split("/", 2)[1:]
    base = own in _HOOKS and chain.policy != ""
    priority = _PRIORITY.get(table, -100 if own in {"PREROUTING", "OUTPUT"} else 100)
    columns: dict[str, Value] = {
        "type": "nat" if table == "nat" else "route" if (table, own) == ("mangle", "OUTPUT") else "filter",
        "hook": own.lower(),
        "priority": str(priority),
        "policy": chain.policy.lower(),
    }
    return Resource(_KIND, name, {**(columns if base else dict.fromkeys(columns, "")), "rules": chain.rules})
