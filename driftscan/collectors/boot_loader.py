"""What GRUB's configuration says of who may change how the system starts, and what every kernel is started with.

Never a password or its hash: they are taken out on the target. A password that stands in `user.cfg` (as
grub2-setpassword writes it) counts where `grub.cfg` refers to it, and so does what `custom.cfg` says. Other files
that GRUB reads at its start are not followed.
"""

import re
from collections.abc import Iterator

from driftscan.collectors._base import Collector
from driftscan.collectors._closed import closed
from driftscan.collectors._text import lines, path_text, value
from driftscan.model.resource import Attribute, Kind, Resource, Value
from driftscan.model.source import Captures, Gap, Glob, Member, Redact, Status

_DIRECTORIES = ("/boot/grub", "/boot/grub2")
CONFIGURATION = Glob(
    tuple(f"{directory}/*.cfg" for directory in _DIRECTORIES),
    max_bytes=1 << 20,
    redact=Redact.BOOT,
)
ENTRIES = Glob(("/boot/loader/entries/*.conf",), redact=Redact.BOOT)
_READ = ("grub.cfg", "custom.cfg", "user.cfg")
MAX_WORDS = 500

KIND = Kind(
    "boot_loader",
    "The configuration of the boot loader",
    "path, such as /boot/grub/grub.cfg",
    {
        "superusers": Attribute(tuple, "Who may change an entry or open a command line; empty: everybody"),
        "guarded": Attribute(bool, "One of them has a password, so that it has to be given"),
        "arguments": Attribute(
            tuple,
            "Parameters that each kernel is started with, in the order of the first entry; of those that name a disk "
            "or this machine the value is `*`",
        ),
        "file": Attribute(str, "The same path"),
    },
    shape=r"/.*",
)

_SUPERUSERS = re.compile(r"(?:^|[;{ \t])set[ \t]+superusers=(\"[^\"]*\"|'[^']*'|[^\s;]+)", re.ASCII)
_PASSWORD = re.compile(
    r"(?:^|[;{ \t])password(?:_pbkdf2)?[ \t]+(\"[^\"]*\"|'[^']*'|[^\s\"']+)[ \t]+([^\s;]+)", re.ASCII
)
_KERNEL = re.compile(r"linux(?:16|efi)?[ \t]+\S+(.*)", re.ASCII)
_OPTIONS = re.compile(r"options[ \t]+(.*)", re.ASCII)
_OWN = re.compile(r"(root|resume|BOOTIF|initrd|systemd\.machine_id|systemd\.hostname|rd\.luks\.uuid|rd\.md\.uuid)=.*")
_USERS_FILE = "${GRUB2_PASSWORD}"


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """A resource per grub.cfg that is there."""
    members = {path_text(member.path): member for member in captures.members(CONFIGURATION)}
    entries = [member for member in captures.members(ENTRIES) if not member.closed]
    for directory in _DIRECTORIES:
        path = f"{directory}/grub.cfg"
        shut = [other for other in closed(captures, CONFIGURATION) if path.startswith(f"{other}/")]
        used = [members[name] for name in (f"{directory}/{own}" for own in _READ) if name in members]
        if path in members:
            shut += [*closed(captures, ENTRIES)]
            shut += [path_text(each.path) for each in (*used, *entries) if each.status is not Status.OK]
        if shut:
            yield Gap("boot_loader", Status.FORBIDDEN, f"{shut[0]} could not be read", (f"{KIND.name}:{path}",))
        elif path in members:
            yield Resource(KIND.name, path, _attributes(path, b"\n".join(each.data for each in used), entries))


def _attributes(path: str, data: bytes, entries: list[Member]) -> dict[str, Value]:
    text = [line.text.strip() for line in lines(CONFIGURATION, data)]
    text = [line for line in text if not line.startswith("#")]
    elsewhere = any(line.startswith("GRUB2_PASSWORD=") for line in text)
    superusers: set[str] = set()
    guarded: set[str] = set()
    for line in text:
        if found := _SUPERUSERS.search(line):
            superusers |= set(re.split(r"[\s,;|&]+", found[1].strip("\"'"))) - {""}
        if (found := _PASSWORD.search(line)) and (found[2] != _USERS_FILE or elsewhere):
            guarded.add(found[1].strip("\"'"))
    if any(_USERS_FILE in line for line in text) and not elsewhere:
        superusers -= {"root"} - guarded
    started = [_words(found[1]) for line in text if (found := _KERNEL.match(line))]
    for entry in entries if any(line.startswith("blscfg") for line in text) else []:
        options = (_OPTIONS.match(line.text.strip()) for line in lines(ENTRIES, entry.data))
        started += [_words(found[1]) for found in options if found]
    common = [word for word in (started[0] if started else []) if all(word in other for other in started)]
    return {
        "superusers": tuple(sorted(map(value, superusers))),
        "guarded": bool(superusers & guarded),
        "arguments": tuple(map(value, common[:MAX_WORDS])),
        "file": path,
    }


def _words(rest: str) -> list[str]:
    return [_OWN.sub(r"\1=*", word) for word in rest.split()]


collector = Collector(
    name="boot_loader",
    version=1,
    doc="Whether the boot loader asks for a password, and what it starts kernels with; never the password",
    kinds=(KIND,),
    sources=(CONFIGURATION, ENTRIES),
    parse=parse,
)
