"""Where apt takes packages from, and what it asks for as proof: sources.list(5), in one-line style and in deb822 style.

Sources that are switched off (`Enabled: no`, lines behind `#`) are not listed. Credentials in addresses are taken out
on the target. A key that stands in the file itself is told as `inline`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from driftscan.collectors._base import Collector
from driftscan.collectors._closed import closed
from driftscan.collectors._deb822 import Stanza, stanzas
from driftscan.collectors._gaps import few_gaps
from driftscan.collectors._text import key, lines, path_text, unique, value
from driftscan.model.resource import Attribute, Kind, Resource, Value
from driftscan.model.source import Captures, Gap, Glob, Line, Redact, Status

FILES = Glob(
    ("/etc/apt/sources.list", "/etc/apt/sources.list.d/*.list", "/etc/apt/sources.list.d/*.sources"),
    redact=Redact.SECRETS,
)
MAX_SOURCES = 2000

KIND = Kind(
    "apt_source",
    "A repository that apt takes packages from",
    "`type URI suite`, such as `deb http://mirror.debian.org/debian bookworm-updates`",
    {
        "type": Attribute(str, "deb, or deb-src for sources"),
        "uri": Attribute(str, "Address, without credentials"),
        "suite": Attribute(str, "Suite, or a path that ends in `/`"),
        "components": Attribute(tuple, "Parts of it, such as main"),
        "signed_by": Attribute(
            tuple, "Key files or fingerprints that it must be signed with; `inline`; empty: any key of apt's"
        ),
        "spared": Attribute(
            tuple,
            "Which checks are switched off for it: trusted (all of them), allow-insecure, allow-weak, "
            "allow-downgrade-to-insecure, no-date-check",
        ),
        "file": Attribute(str, "The file that names it"),
    },
)
_WORD = r"(?!\[)((?:\[[^\]]*\]|\"[^\"]*\"|[^\s\[\"])+)"
"""Blanks within brackets and quotes belong to it: `cdrom:[Debian GNU/Linux 12 _Bookworm_]/`."""
_LINE = re.compile(rf"(deb|deb-src)[ \t]+(?:\[([^\]]*)\][ \t]*)?{_WORD}[ \t]+{_WORD}(.*)", re.ASCII)
_CODE = re.compile(r"(?:\[[^\]]*\]|[^#\[])*")
"""A line up to its comment; a `#` within brackets begins none."""
_SPARED = ("trusted", "allow-insecure", "allow-weak", "allow-downgrade-to-insecure")
_TRUE = frozenset({"yes", "true", "with", "on", "enable", "1"})
_FALSE = frozenset({"no", "false", "without", "off", "disable", "0"})
_Option = Mapping[str, str]


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """A resource for each type, address and suite; a file that cannot be read could name any."""
    return few_gaps(_parse(captures), "apt_sources", KIND.name)


def _parse(captures: Captures) -> Iterator[Resource | Gap]:
    for path in closed(captures, FILES):
        yield Gap("apt_sources", Status.FORBIDDEN, f"{path} could not be read", (KIND.name,))
    seen: dict[str, int] = {}
    count = 0
    for member in captures.members(FILES):
        path = path_text(member.path)
        if member.closed or member.mode & 0o170000 == 0o040000:
            continue
        if member.status is not Status.OK:
            yield Gap("apt_sources", member.status, member.detail or f"{path} could not be read", (KIND.name,))
            continue
        read = _deb822 if path.endswith(".sources") else _one_line
        for attributes in read(lines(FILES, member.data)):
            count += 1
            if count > MAX_SOURCES:
                yield Gap("apt_sources", Status.TRUNCATED, f"more than {MAX_SOURCES} repositories", (KIND.name,))
                return
            name = key(f"{attributes['type']} {attributes['uri']} {attributes['suite']}")
            yield Resource(KIND.name, unique(name, seen), {**attributes, "file": path})


def _one_line(texts: Iterable[Line]) -> Iterator[dict[str, Value]]:
    for line in texts:
        code = _CODE.match(line.text)
        if code and (found := _LINE.fullmatch(code[0].strip())):
            options: dict[str, str] = {}
            for word in (found[2] or "").split():
                name, mark, given = word.partition("=")
                options[name.strip("+-").lower()] = given if mark else ""
            options["signed-by"] = options.get("signed-by", "").replace(",", " ")
            uri, suite = (word.replace('"', "") for word in found.group(3, 4))
            yield _source(found[1], uri, suite, found[5].split(), options)


def _deb822(texts: Iterable[Line]) -> Iterator[dict[str, Value]]:
    for stanza in stanzas(line for line in texts if not line.text.startswith("#")):
        if stanza.get("enabled").lower() not in _FALSE:
            yield from _of_stanza(stanza)


def _of_stanza(stanza: Stanza) -> Iterator[dict[str, Value]]:
    types, uris, suites = (stanza.get(name).split() for name in ("types", "uris", "suites"))
    if len(types) * len(uris) * len(suites) > MAX_SOURCES:
        types, uris, suites = types[:2], uris[:MAX_SOURCES], suites[:1]
    for kind, uri, suite in product(types, uris, suites):
        yield _source(kind, uri, suite, stanza.get("components").split(), stanza.fields)


def _source(kind: str, uri: str, suite: str, components: list[str], options: _Option) -> dict[str, Value]:
    signed = options.get("signed-by", "")
    keys = ["inline"] if "BEGIN PGP" in signed else signed.split()
    spared = [name for name in _SPARED if options.get(name, "").lower() in _TRUE]
    if options.get("check-valid-until", "").lower() in _FALSE or options.get("check-date", "").lower() in _FALSE:
        spared.append("no-date-check")
    return {
        "type": value(kind),
        "uri": value(uri),
        "suite": value(suite),
        "components": tuple(sorted(map(value, components))),
        "signed_by": tuple(sorted(map(value, keys))),
        "spared": tuple(sorted(spared)),
    }


collector = Collector(
    name="apt_sources",
    version=2,
    doc="Repositories that apt takes packages from, and what it asks of them",
    kinds=(KIND,),
    sources=(FILES,),
    parse=parse,
)
