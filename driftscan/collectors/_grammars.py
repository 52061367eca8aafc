"""How configuration files of common programs write settings: one reader for each way, from lines to names and values.

A reader yields what the program would read, in order, and skips what the program skips. Which of several settings
of one name holds is not its business.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from driftscan.collectors._keyvalue import assignments
from driftscan.model.source import Line

Reader: TypeAlias = Callable[[Iterable[Line]], Iterator[tuple[str, str]]]

_PAIR = re.compile(r"([^\s=]*)(?:\s*=|\s)?\s*(.*)")
_LEGACY = re.compile(r"\$([A-Za-z]{1,64})[ \t]+(\S.*)", re.ASCII)
_LOADED = re.compile(
    r"(module|input)[ \t]*\((?:[^)]*?[ \t(])?(?:load|type)[ \t]*=[ \t]*\"([A-Za-z0-9_.-]{1,64})\"",
    re.ASCII | re.IGNORECASE,
)
_TYPED = re.compile(r"(?:u?int(?:16|32|64)|byte|double)[ \t]+", re.ASCII)
_ACTION = re.compile(
    r"(?:\S{1,256}[ \t]+)?action[ \t]*\((?:[^)]*?[ \t(])?type[ \t]*=[ \t]*\"(om[A-Za-z0-9_.-]{1,64})\"",
    re.ASCII | re.IGNORECASE,
)
_FORWARD = re.compile(
    r"\S{1,256}[ \t]+(@@?)(?:\([^)]{0,64}\))?(\[?[A-Za-z0-9_.:-]{1,256}\]?(?::[0-9]{1,5})?)", re.ASCII
)
_APT = re.compile(
    r"(?://|#(?!clear|include))[^\n]*|/\*.*?(?:\*/|\Z)|(\"[^\"]*\"?|[{};]|[^\s{};\"]+)", re.ASCII | re.DOTALL
)
_TRUE = frozenset({"yes", "true", "on", "y", "t"})
_FALSE = frozenset({"no", "false", "off", "n", "f"})
_SOURCES = {"server": 1, "pool": 1, "peer": 1, "refclock": 2}
"""How many words beside its own name a source of time."""
_ACCESS = frozenset({"allow", "deny", "cmdallow", "cmddeny"})
"""Without an address they mean all."""


def words(lines: Iterable[Line]) -> Iterator[tuple[str, str]]:
    """`NAME value`, as login.defs(5) has it: a value ends at a quote, a name alone is passed over."""
    for text in _bare(lines):
        name, blank, rest = text.replace("\t", " ").partition(" ")
        if blank:
            yield name, rest.lstrip(' "').partition('"')[0]


def shell(lines: Iterable[Line]) -> Iterator[tuple[str, str]]:
    """`NAME=value` as a shell reads it; other lines are commands, and are not followed."""
    yield from assignments(lines).values.items()


def equals(lines: Iterable[Line]) -> Iterator[tuple[str, str]]:
    """`name = value` or `name value`, and `name` alone for what is switched on (pwquality.conf(5), faillock.conf(5)). A
    comment may follow."""
    for text in _bare(lines):
        found = _PAIR.fullmatch(text.partition("#")[0].rstrip())
        if found and found[1]:
            yield found[1], found[2] or "yes"


def auditd(lines: Iterable[Line]) -> Iterator[tuple[str, str]]:
    """auditd.conf(5): `name = value`; neither names nor words depend on their case."""
    for text in _bare(lines):
        name, mark, rest = text.partition("=")
        given = rest.strip()
        if mark:
            yield name.strip().lower(), given if "/" in given else given.lower()


def section(wanted: str) -> Reader:
    """Settings of one section of a file of systemd's; truth values become yes and no. What empties a list or takes a
    setting back has an empty value."""

    def read(lines: Iterable[Line]) -> Iterator[tuple[str, str]]:
        now = ""
        for text in _bare(lines, "#;"):
            if text.startswith("["):
                now = text.strip("[]")
            elif now == wanted and "=" in text:
                name, _, rest = text.partition("=")
                yield name.strip(), _truth(rest.strip())

    return read


def sections(lines: Iterable[Line]) -> Iterator[tuple[str, str]]:
    """Settings as `section/name`; truth values become yes and no."""
    now = ""
    for text in _bare(lines, "#;"):
        if text.startswith("["):
            now = text.strip("[]")
        elif "=" in text:
            name, _, rest = text.partition("=")
            yield f"{now}/{name.strip()}", _truth(rest.strip())


def dconf(lines: Iterable[Line]) -> Iterator[tuple[str, str]]:
    """Key files of dconf(7): texts stand in quotes, numbers may name their type. A line that is a path by itself locks
    that setting."""
    kept = list(lines)
    yield from ((name, _TYPED.sub("", given).strip("'")) for name, given in sections(kept))
    yield from ((f"lock {text}", "yes") for text in _bare(kept) if text.startswith("/") and "=" not in text)


def chrony(lines: Iterable[Line]) -> Iterator[tuple[str, str]]:
    """chrony.conf(5): directives, whose names do not depend on case. A source has its address in its name."""
    for text in _bare(lines, "#%!;"):
        name, *rest = text.split()
        directive = name.lower()
        if directive in _ACCESS and not rest:
            rest = ["all"]
        naming = _SOURCES.get(directive, 0)
        yield " ".join((directive, *rest[:naming])), " ".join(rest[naming:])


def limits(lines: Iterable[Line]) -> Iterator[tuple[str, str]]:
    """limits.conf(5): `domain type item value`; `-` stands for both types. Only of the domain does the case count."""
    for text in _bare(lines):
        domain, *rest = text.partition("#")[0].split()
        kind, item, given, *_ = (*(word.lower() for word in rest), "", "", "")
        for each in ("soft", "hard") if kind == "-" else (kind,):
            if given:
                yield f"{domain} {each} {item}", given


def rsyslog(lines: Iterable[Line]) -> Iterator[tuple[str, str]]:
    """rsyslog.conf(5): directives with `$`, which modules are loaded, which inputs opened, which kinds of actions there
    are, and where `SELECTOR @HOST` sends logs, on one line each. Which messages are chosen is not told."""
    for text in _bare(lines):
        if found := _LEGACY.match(text):
            name, given = found[1], found[2].partition(" #")[0].strip()
            yield (f"module {given}", "loaded") if name.lower() == "modload" else (name, given)
        elif found := _LOADED.match(text):
            yield f"{found[1].lower()} {found[2]}", "loaded"
        elif found := _ACTION.match(text):
            yield f"action {found[1]}", "loaded"
        elif found := _FORWARD.match(text):
            yield f"forward {found[2]}", "tcp" if found[1] == "@@" else "udp"


def apt(lines: Iterable[Line]) -> Iterator[tuple[str, str]]:
    """apt.conf(5): `A::B "value";`, scopes in braces, lists. Names do not depend on case; an item of a list is a name
    with the item behind it. What `#clear` removes and `#include` names is not followed."""
    scopes: list[str] = []
    words: list[str] = []
    for token in filter(None, _APT.findall("\n".join(line.text for line in lines))):
        if token == "{":
            scopes.append(words[0] if words else "")
        elif token in {";", "}"}:
            yield from _apt_setting(scopes, words)
            if token == "}":
                del scopes[-1:]
        else:
            words.append(token)
            continue
        words = []


def _apt_setting(scopes: list[str], words: list[str]) -> Iterator[tuple[str, str]]:
    if not words or words[0].startswith("#"):
        return
    named = not words[0].startswith('"')
    name = "::".join(part.lower().removesuffix("::") for part in (*scopes, *words[:named]) if part)
    given = " ".join(word.strip('"') for word in words[named:])
    if named and not words[0].endswith("::"):
        yield name, _truth(given)
    else:
        yield f"{name} {given}", "yes"


def _bare(lines: Iterable[Line], comment: str = "#") -> Iterator[str]:
    for line in lines:
        text = line.text.strip()
        if text and text[0] not in comment:
            yield text


def _truth(text: str) -> str:
    word = text.lower()
    return "yes" if word in _TRUE else "no" if word in _FALSE else text
