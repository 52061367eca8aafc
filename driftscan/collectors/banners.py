"""What a login shows before and after it: whether the texts tell strangers what runs here. Never the texts."""

import re
from collections.abc import Iterator

from driftscan.collectors._base import Collector, gap
from driftscan.collectors._keyvalue import assignments
from driftscan.model.resource import Attribute, Kind, Resource, Value
from driftscan.model.source import Captures, File, Gap, Status

ISSUE, ISSUE_NET, MOTD = File("/etc/issue"), File("/etc/issue.net"), File("/etc/motd")
OS_RELEASE = File("/etc/os-release")
_ESCAPE = re.compile(r"\\([mrsvS])")
_TELLS = {"m": "machine", "r": "release", "s": "system", "S": "system", "v": "version"}
_ID = re.compile(r"[a-z0-9._-]{1,64}", re.ASCII)

KIND = Kind(
    "banner",
    "A text that is shown at login",
    "path",
    {
        "empty": Attribute(bool, "There is nothing in it but blanks"),
        "tells": Attribute(
            tuple,
            "What it gives away: machine, release, system, version (by the escapes of agetty(8)), name (the system's "
            "name is written out)",
        ),
        "file": Attribute(str, "The same path"),
    },
    shape=r"/.*",
)


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """A resource per text that is there."""
    known = (Status.OK, Status.ABSENT)
    release = captures[OS_RELEASE]
    name = ""
    if release.status is Status.OK:
        given = assignments(captures.lines(OS_RELEASE)).values.get("ID", "").lower()
        name = given if _ID.fullmatch(given) else ""
    for source in (ISSUE, ISSUE_NET, MOTD):
        if captures[source].status not in known or release.status not in known:
            bad = source if captures[source].status not in known else OS_RELEASE
            yield gap("banners", captures, bad, f"{KIND.name}:{source.path}")
        elif captures.exists(source):
            text = captures.text(source)
            tells = {_TELLS[letter] for letter in _ESCAPE.findall(text)}
            if name and re.search(rf"(?<![a-z0-9]){re.escape(name)}(?![a-z0-9])", text.lower()):
                tells.add("name")
            attributes: dict[str, Value] = {
                "empty": not text.strip(),
                "tells": tuple(sorted(tells)),
                "file": source.path,
            }
            yield Resource(KIND.name, source.path, attributes)


collector = Collector(
    name="banners",
    version=1,
    doc="What login texts give away; never the texts",
    kinds=(KIND,),
    sources=(ISSUE, ISSUE_NET, MOTD, OS_RELEASE),
    parse=parse,
)
