"""What modprobe.d(5) says of kernel modules: which are not to be loaded, and what is run in place of loading them.

Files are taken in the order of their names whatever their directory; of two files of one name the one in the earlier
directory hides the other. Of several `install` lines for a module kmod takes the first.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from driftscan.collectors._base import Collector
from driftscan.collectors._closed import closed
from driftscan.collectors._gaps import few_gaps
from driftscan.collectors._text import key, lines, path_text, value
from driftscan.model.resource import Attribute, Kind, Resource, Value
from driftscan.model.source import Captures, Gap, Glob, Line, Member, Redact, Status

_DIRECTORIES = ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")
FILES = Glob(tuple(f"{directory}/modprobe.d/*.conf" for directory in _DIRECTORIES), redact=Redact.SECRETS)
MAX_MODULES = 20_000
_DASH = re.compile(r"\[[^\]]*\]|-")
"""kmod leaves what stands in brackets as it is: `net-pf-[0-9]` is net_pf_[0-9]."""

KIND = Kind(
    "module_rule",
    "A kernel module that the configuration says something of",
    "name, with `_` for `-` as the kernel writes it; it may hold wildcards",
    {
        "blacklisted": Attribute(bool, "Not loaded for hardware that asks for it; by name it still is"),
        "install": Attribute(str, "What is run in place of loading it, such as /bin/false; empty: it is loaded"),
        "options": Attribute(tuple, "Parameters that it is loaded with, in order"),
        "file": Attribute(str, "The file that says so first"),
    },
    shape=r"(?:[^-\[]|\[[^\]]*\]?)*",
)


@dataclass(slots=True)
class _Module:
    file: str
    blacklisted: bool = False
    install: str = ""
    options: list[str] = field(default_factory=list)


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """A resource per module; a file that cannot be read hides them all."""
    return few_gaps(_parse(captures), "module_rules", KIND.name)


def _parse(captures: Captures) -> Iterator[Resource | Gap]:
    for path in closed(captures, FILES):
        yield Gap("module_rules", Status.FORBIDDEN, f"{path} could not be read", (KIND.name,))
    found: dict[str, _Module] = {}
    for member in _files(captures):
        path = path_text(member.path)
        if member.status is not Status.OK:
            yield Gap("module_rules", member.status, member.detail or f"{path} could not be read", (KIND.name,))
            continue
        for text in _joined(lines(FILES, member.data)):
            _take(found, path, text.split())
            if len(found) > MAX_MODULES:
                yield Gap("module_rules", Status.TRUNCATED, f"more than {MAX_MODULES} modules", (KIND.name,))
                return
    for name, module in sorted(found.items()):
        attributes: dict[str, Value] = {
            "blacklisted": module.blacklisted,
            "install": value(module.install),
            "options": tuple(map(value, module.options)),
            "file": module.file,
        }
        yield Resource(KIND.name, key(name), attributes)


def _files(captures: Captures) -> Iterator[Member]:
    chosen: dict[bytes, tuple[int, Member]] = {}
    for member in captures.members(FILES):
        directory, _, name = member.path.rpartition(b"/")
        rank = next((index for index, top in enumerate(_DIRECTORIES) if directory == f"{top}/modprobe.d".encode()), 9)
        if not member.closed and (name not in chosen or rank < chosen[name][0]):
            chosen[name] = (rank, member)
    yield from (chosen[name][1] for name in sorted(chosen))


def _joined(text: Iterator[Line]) -> Iterator[str]:
    """Lines; one that ends in a backslash goes on in the next."""
    held = ""
    for line in text:
        held += line.text.removesuffix("\\")
        if not line.text.endswith("\\"):
            yield held
            held = ""
    yield held


def _take(found: dict[str, _Module], path: str, parts: list[str]) -> None:
    if len(parts) < 2 or parts[0] not in {"blacklist", "install", "options"}:
        return
    module = found.setdefault(_DASH.sub(lambda match: "_" if match[0] == "-" else match[0], parts[1]), _Module(path))
    if parts[0] == "blacklist":
        module.blacklisted = True
    elif parts[0] == "options":
        module.options += parts[2:]
    elif not module.install:
        module.install = " ".join(parts[2:])


collector = Collector(
    name="module_rules",
    version=2,
    doc="Kernel modules that are kept from being loaded, and their parameters",
    kinds=(KIND,),
    sources=(FILES,),
    parse=parse,
)
