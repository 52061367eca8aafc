"""The profiles of AppArmor that the running kernel has.

A kernel without AppArmor has none, which is a fact. Where AppArmor is on and its list is not to be seen (in a
container, or without root), that is a gap.
"""

import re
from collections.abc import Iterator

from driftscan.collectors._base import Collector, gap
from driftscan.collectors._text import key, unique
from driftscan.model.resource import Attribute, Kind, Plane, Resource
from driftscan.model.source import Captures, File, Gap, Status

ENABLED = File("/sys/module/apparmor/parameters/enabled", max_bytes=4096)
PROFILES = File("/sys/kernel/security/apparmor/profiles")
MAX_PROFILES = 5000

KIND = Kind(
    "apparmor_loaded",
    "A profile of AppArmor that the running kernel has",
    "its name",
    {"state": Attribute(str, "enforce, complain, kill, unconfined, prompt")},
    plane=Plane.RUNTIME,
)
_LINE = re.compile(r"(.+) \(([a-z]{1,20})\)")


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """Lines of the form `NAME (MODE)`, as aa-status(8) reads them."""
    if not captures.exists(ENABLED) or captures.text(ENABLED).strip() != "Y":
        return
    if captures[PROFILES].status is Status.ABSENT:
        reason = "AppArmor is on, and its list is not to be seen here"
        yield Gap("apparmor_loaded", Status.UNSUPPORTED, reason, (KIND.name,))
    elif captures[PROFILES].status is not Status.OK:
        yield gap("apparmor_loaded", captures, PROFILES, KIND.name)
    else:
        yield from _listed(captures)


def _listed(captures: Captures) -> Iterator[Resource | Gap]:
    seen: dict[str, int] = {}
    for line in captures.lines(PROFILES):
        found = _LINE.fullmatch(line.text)
        if len(seen) >= MAX_PROFILES or (line.text and not found):
            reason = f"{PROFILES} has more than {MAX_PROFILES} profiles, or a line {line.number} that is none"
            yield Gap("apparmor_loaded", Status.TRUNCATED, reason, (KIND.name,))
            return
        if found:
            yield Resource(KIND.name, unique(key(found[1]), seen), {"state": found[2]})


collector = Collector(
    name="apparmor_loaded",
    version=1,
    doc="Profiles of AppArmor that the running kernel has",
    kinds=(KIND,),
    sources=(ENABLED, PROFILES),
    parse=parse,
    plane=Plane.RUNTIME,
)
