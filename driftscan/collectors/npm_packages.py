"""Node packages installed globally: `package.json` (npm's package.json(5)) one level below a `node_modules`."""

import json
from collections.abc import Iterator

from driftscan.collectors._base import Collector
from driftscan.collectors._gaps import few_gaps
from driftscan.collectors._text import hidden, key, path_text, unique, value
from driftscan.model.resource import Attribute, Form, Kind, Resource
from driftscan.model.source import Captures, Gap, Glob, Member, Status

_HOMES = (
    "/usr/lib/node_modules",
    "/usr/lib64/node_modules",
    "/usr/local/lib/node_modules",
    "/usr/share/nodejs",
    "/opt/*/lib/node_modules",
)
MANIFESTS = Glob(tuple(f"{home}/{name}/package.json" for home in _HOMES for name in ("*", "@*/*")))

KIND = Kind(
    "npm_package",
    "A Node package installed for all users",
    "name@directory",
    {
        "name": Attribute(str, "Name with its scope"),
        "version": Attribute(str, "Version", Form.VERSION),
        "license": Attribute(str, "Licence as the package states it"),
        "directory": Attribute(str, "The node_modules directory that it lies in"),
        "path": Attribute(str, "Its folder; differs from the name where someone renamed it"),
    },
)


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """One resource per package; a second one of the same name in a directory gets `#2`."""
    return few_gaps(_parse(captures), "npm_packages", "npm_package")


def _parse(captures: Captures) -> Iterator[Resource | Gap]:
    seen: dict[str, int] = {}
    for member in captures.members(MANIFESTS):
        folder = member.path.removesuffix(b"/package.json").decode("utf-8", "surrogateescape")
        parts = folder.split("/")
        scoped = parts[-2].startswith("@")
        home = "/".join(parts[: -2 if scoped else -1])
        fallback = "/".join(parts[-2 if scoped else -1 :])
        content = _content(member)
        if content is None:
            status = Status.FAILED if member.status is Status.OK else member.status
            reason = f"{path_text(member.path)}: no package.json of npm's format"
            yield Gap("npm_packages", status, reason, (hidden("npm_package", home, before="*@"),))
            continue
        name = content["name"] or fallback
        attributes = {
            "name": value(name),
            "version": value(content["version"]),
            "license": value(content["license"]),
            "directory": value(home),
            "path": value(folder),
        }
        yield Resource("npm_package", key(unique(f"{name}@{home}", seen)), attributes)


def _content(member: Member) -> dict[str, str] | None:
    """The text fields; None if it is no JSON object or its name or version is no text."""
    if member.status is not Status.OK:
        return None
    try:
        data = json.loads(member.data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    fields = {name: data.get(name, "") for name in ("name", "version", "license")}
    if not isinstance(fields["license"], str):  # an object, in old packages
        fields["license"] = ""
    if not all(isinstance(text, str) and len(text) <= 4096 for text in fields.values()):
        return None
    # JSON may hold half a surrogate pair, which no other format can
    return {name: text.encode("utf-8", "backslashreplace").decode() for name, text in fields.items()}


collector = Collector(
    name="npm_packages",
    version=1,
    doc="Node packages installed for all users",
    kinds=(KIND,),
    sources=(MANIFESTS,),
    parse=parse,
)
