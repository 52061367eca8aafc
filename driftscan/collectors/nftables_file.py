"""The chains that nftables.service sets at boot: nft(8) reads /etc/nftables.conf (of RHEL /etc/sysconfig/nftables.conf)
and what it includes.

Only what makes and removes tables and chains is followed; rules and sets are passed over. Text that stands for a
variable stays as it is written (`$name`). A file outside the usual places that is included is a gap. One that is named
and not there hinders nft from loading anything, and so there are no chains.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from posixpath import join

from driftscan.collectors._base import Collector, gap
from driftscan.collectors._closed import closed
from driftscan.collectors._fnmatch import compile_name
from driftscan.collectors._text import key, path_text, value
from driftscan.model.resource import Attribute, Kind, Resource, Value
from driftscan.model.source import Captures, File, Gap, Glob, Status

MAIN = (File("/etc/nftables.conf"), File("/etc/sysconfig/nftables.conf"))
INCLUDED = Glob((
    "/etc/*.rules", "/etc/*.nft", "/etc/nftables/*", "/etc/nftables/*/*", "/etc/nftables.d/*",
))  # fmt: skip
MAX_CHAINS = 2000
_MAX_TOKENS = 500_000
_MAX_INCLUDED = 16
"""How deep files may include each other: as nft has it."""
_FAMILIES = frozenset({"ip", "ip6", "inet", "arp", "bridge", "netdev"})
_WILD = re.compile(r"[*?\[]")
_TOKEN = re.compile(r"\\\n|#[^\n]*|\"[^\"\n]*\"|[{};\n]|[^\s{};\"#]+")

KIND = Kind(
    "nftables_chain",
    "A chain that nftables.service makes at boot, by its files",
    "family/table/chain (`inet/filter/input`), as `firewall_chain` has it",
    {
        "type": Attribute(str, "filter, nat, route; empty: a chain that others jump to"),
        "hook": Attribute(str, "where packets enter it; empty: nowhere"),
        "priority": Attribute(str, "order among chains of one hook, as it is written"),
        "policy": Attribute(str, "what befalls packets that no rule decides: accept unless a file says otherwise"),
        "file": Attribute(str, "the file that names it last"),
    },
)


@dataclass(slots=True)
class _Ruleset:
    """What the files have made so far. A file without data could not be read. `unread`: what they include and was not
    read; `broken`: they include what is not there."""

    files: Mapping[str, bytes | None]
    chains: dict[tuple[str, str, str], dict[str, str]] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    broken: bool = False
    left: int = _MAX_TOKENS

    def read(self, path: str, depth: int = 0) -> None:
        """The statements of a file, in order."""
        data = self.files[path]
        tokens = [] if data is None else _TOKEN.findall(data.decode("utf-8", "surrogateescape"))
        self.left -= len(tokens) + len(self.files)
        if data is None or self.left < 0 or depth > _MAX_INCLUDED:
            self.unread.append(path)
            return
        statements = _Statements([token for token in tokens if token[0] not in "#\\"])
        while (words := statements.next()) is not None:
            self._statement(words, statements, path, depth)

    def _statement(self, words: list[str], statements: "_Statements", path: str, depth: int) -> None:
        verb = words[0] if words and words[0] in {"add", "create", "delete", "destroy", "flush"} else ""
        match words[1:] if verb else words:
            case ["include", name, *_]:
                self._include(name.strip('"'), path, depth)
            case ["table", *rest]:
                family, table = _place(rest)
                if verb in {"delete", "destroy"}:
                    self._forget(family, table)
                elif statements.opens():
                    self._table(family, table, statements, path)
            case ["chain", *rest]:
                family, table = _place(rest)
                name = rest[2] if rest[:1] and rest[0] in _FAMILIES and len(rest) > 2 else "".join(rest[1:2])
                if verb in {"delete", "destroy"}:
                    self.chains.pop((family, table, name), None)
                elif verb != "flush":
                    self._chain((family, table, name), statements, path)
            case ["ruleset", *rest] if verb == "flush":
                self._forget("".join(rest[:1]))
        if statements.opens():
            statements.skip()

    def _table(self, family: str, table: str, statements: "_Statements", path: str) -> None:
        statements.enter()
        while (words := statements.next()) is not None and words != ["}"]:
            if words[:1] == ["chain"] and len(words) > 1:
                self._chain((family, table, words[1]), statements, path)
            if statements.opens():
                statements.skip()

    def _chain(self, name: tuple[str, str, str], statements: "_Statements", path: str) -> None:
        """What is written once more adds to it."""
        chain = self.chains.setdefault(name, {})
        chain["file"] = path
        if not statements.opens():
            return
        statements.enter()
        while (words := statements.next()) is not None and words != ["}"]:
            if words[:1] == ["type"] and "hook" in words[2:]:
                chain["type"], chain["hook"] = words[1], "".join(words[words.index("hook") + 1 :][:1])
            if "priority" in words[2:] or words[:1] == ["priority"]:
                chain["priority"] = "".join(words[words.index("priority") + 1 :])
            if words[:1] == ["policy"]:
                chain["policy"] = "".join(words[1:2])
            if statements.opens():
                statements.skip()

    def _forget(self, *place: str) -> None:
        """Chains of a family and table are gone; with no family all."""
        wanted = tuple(filter(None, place))
        self.chains = {name: chain for name, chain in self.chains.items() if name[: len(wanted)] != wanted}

    def _include(self, name: str, path: str, depth: int) -> None:
        pattern = join("/" if name.startswith("./") else "/etc", name.removeprefix("./"))
        found = sorted(each for each in self.files if _fits(each, pattern))
        if not found and not any(_fits(pattern, place) for place in INCLUDED.patterns):
            self.unread.append(pattern)
        elif not found and not _WILD.search(pattern):
            self.broken = True
        for each in found:
            self.read(each, depth + 1)


class _Statements:
    """Tokens, cut into statements: words up to a semicolon, the end of a line, or a brace."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0

    def next(self) -> list[str] | None:
        """The next statement's words, `["}"]` for the end of a block; None: there is none."""
        words: list[str] = []
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            if token == "{" or (token == "}" and words):
                return words
            self._at += 1
            if token == "}":
                return ["}"]
            if token not in ";\n":
                words.append(token)
            elif words:
                return words
        return words or None

    def opens(self) -> bool:
        """Whether a block follows."""
        return self._tokens[self._at : self._at + 1] == ["{"]

    def enter(self) -> None:
        """Go into it."""
        self._at += 1

    def skip(self) -> None:
        """Go past it, with what lies within."""
        depth = 0
        while self._at < len(self._tokens):
            depth += {"{": 1, "}": -1}.get(self._tokens[self._at], 0)
            self._at += 1
            if not depth:
                return


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """The chains in the order of their keys."""
    for source in MAIN:
        if captures[source].status not in (Status.OK, Status.ABSENT):
            yield gap("nftables_file", captures, source, KIND.name)
            return
    for shut in closed(captures, INCLUDED):
        yield Gap("nftables_file", Status.FORBIDDEN, f"{shut} could not be read", (KIND.name,))
    main = [source.path for source in MAIN if captures.exists(source)]
    files: dict[str, bytes | None] = {
        path_text(each.path): each.data if each.status is Status.OK else None
        for each in captures.members(INCLUDED)
        if not each.closed and each.mode & 0o170000 != 0o040000
    }
    ruleset = _Ruleset(files | {source.path: captures[source].data for source in MAIN if source.path in main})
    for path in main:
        ruleset.read(path)
    for path in sorted({*ruleset.unread})[:1]:
        yield Gap(
            "nftables_file", Status.FORBIDDEN, f"{value(path)}, which the rules include, was not read", (KIND.name,)
        )
    if ruleset.broken:
        return
    if len(ruleset.chains) > MAX_CHAINS:
        yield Gap("nftables_file", Status.TRUNCATED, f"more than {MAX_CHAINS} chains", (KIND.name,))
        return
    for name, chain in sorted(ruleset.chains.items()):
        columns: dict[str, Value] = {
            column: value(chain.get(column, "")) for column in ("type", "hook", "priority", "file")
        }
        columns["policy"] = value(chain.get("policy", "accept" if chain.get("hook") else ""))
        yield Resource(KIND.name, key("/".join(name)), columns)


def _place(words: list[str]) -> tuple[str, str]:
    """Family and table; the family is ip where none is named."""
    family, *rest = words if words[:1] and words[0] in _FAMILIES else ["ip", *words]
    return family, "".join(rest[:1])


def _fits(path: str, pattern: str) -> bool:
    parts, wanted = path.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(
        compile_name(each).fullmatch(part) for part, each in zip(parts, wanted, strict=True)
    )


collector = Collector(
    name="nftables_file",
    version=1,
    doc="Chains that nftables sets at boot",
    kinds=(KIND,),
    sources=(*MAIN, INCLUDED),
    parse=parse,
)
