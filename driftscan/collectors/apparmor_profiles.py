"""AppArmor's profiles as the files in /etc/apparmor.d have them: which mode they ask for, and which are switched off.

Files in directories below are parts that profiles include. A link in `disable` keeps a file from being loaded, one in
`force-complain` makes its profiles complain alone. Profiles within others (hats) are not listed.
"""

import re
from collections.abc import Iterator

from driftscan.collectors._base import Collector
from driftscan.collectors._closed import closed
from driftscan.collectors._gaps import few_gaps
from driftscan.collectors._text import key, lines, path_text, unique
from driftscan.model.resource import Attribute, Kind, Resource
from driftscan.model.source import Captures, Gap, Glob, Redact, Status

FILES = Glob(("/etc/apparmor.d/*",), redact=Redact.SECRETS)
SWITCHES = Glob(("/etc/apparmor.d/disable/*", "/etc/apparmor.d/force-complain/*"), content=False)
MAX_PROFILES = 5000

KIND = Kind(
    "apparmor_profile",
    "A profile of AppArmor as a file has it",
    "its name, else what it is for, as the file writes it",
    {
        "state": Attribute(str, "enforce, complain, kill, unconfined, prompt; disabled: it is not loaded"),
        "file": Attribute(str, "The file"),
    },
)
_HEAD = re.compile(
    r"(?!@\{[^}]*\}[ \t]*\+?=)(?:profile[ \t]+)?(\"[^\"]{1,500}\"|[^\s\"#{(]\S{0,500})"
    r"(?:[ \t]+(?!flags)[^\s{(]\S{0,500})?(?:[ \t]+xattrs=\([^)]*\))?"
    r"(?:[ \t]+(?:flags[ \t]*=[ \t]*)?\(([^)]{0,200})\))?[ \t]+\{",
    re.ASCII,
)
_MODES = ("complain", "kill", "unconfined", "prompt")
_LEFT_OUT = re.compile(
    r".*(\.dpkg-(new|old|dist|bak|remove)|\.pacsave|\.pacnew|\.rpmnew|\.rpmsave|\.orig|\.rej|~)|\..*|README"
)


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """A resource per profile; apparmor.d(5)."""
    return few_gaps(_parse(captures), "apparmor_profiles", KIND.name)


def _parse(captures: Captures) -> Iterator[Resource | Gap]:
    for path in closed(captures, FILES, SWITCHES):
        yield Gap("apparmor_profiles", Status.FORBIDDEN, f"{path} could not be read", (KIND.name,))
    switched = {path_text(member.path) for member in captures.members(SWITCHES) if not member.closed}
    seen: dict[str, int] = {}
    for member in captures.members(FILES):
        path = path_text(member.path)
        directory, _, name = path.rpartition("/")
        if member.closed or member.mode & 0o170000 == 0o040000 or _LEFT_OUT.fullmatch(name):
            continue
        if member.status is not Status.OK:
            yield Gap("apparmor_profiles", member.status, member.detail or f"{path} could not be read", (KIND.name,))
            continue
        for profile, mode in _profiles([line.text for line in lines(FILES, member.data)]):
            if f"{directory}/disable/{name}" in switched:
                mode = "disabled"  # noqa: PLW2901 - the same thing, as it comes out
            elif f"{directory}/force-complain/{name}" in switched:
                mode = "complain"  # noqa: PLW2901
            if len(seen) >= MAX_PROFILES:
                yield Gap("apparmor_profiles", Status.TRUNCATED, f"more than {MAX_PROFILES} profiles", (KIND.name,))
                return
            yield Resource(KIND.name, unique(key(profile), seen), {"state": mode, "file": path})


def _profiles(texts: list[str]) -> Iterator[tuple[str, str]]:
    """Name and mode of each profile that stands at the top of a file: braces in rules are paired on their line."""
    depth = 0
    for text in texts:
        bare = text.strip()
        if bare.startswith("#"):
            continue
        if depth == 0 and (found := _HEAD.match(bare)):
            flags = re.split(r"[\s,]+", found[2] or "")
            yield found[1].strip('"'), next((mode for mode in _MODES if mode in flags), "enforce")
        depth = max(0, depth + bare.count("{") - bare.count("}"))


collector = Collector(
    name="apparmor_profiles",
    version=1,
    doc="Profiles of AppArmor on disk, and their modes",
    kinds=(KIND,),
    sources=(FILES, SWITCHES),
    parse=parse,
)
