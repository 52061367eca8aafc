"""The running kernel: release, build, and the parameters it was started with."""

import re
from collections.abc import Iterator

from driftscan.collectors._base import Collector
from driftscan.collectors._text import value
from driftscan.errors import ParseError
from driftscan.model.resource import Attribute, Form, Kind, Plane, Resource
from driftscan.model.source import Captures, File, Gap, Redact

RELEASE = File("/proc/sys/kernel/osrelease", max_bytes=4096)
BUILD = File("/proc/sys/kernel/version", max_bytes=4096)
PARAMETERS = File("/proc/cmdline", max_bytes=64 << 10, redact=Redact.SECRETS)

KERNEL_INFO = Kind(
    name="kernel_info",
    doc="The running kernel.",
    key="-",
    attributes={
        "version": Attribute(str, "release, as `uname -r` prints it", Form.VERSION),
        "build": Attribute(str, "build number, options and date, as `uname -v` prints it"),
        "path": Attribute(str, "file that the boot loader loaded (BOOT_IMAGE=), without the loader's name of the disk"),
        "device": Attribute(str, "root device (root=); a UUID is written `*`"),
        "arguments": Attribute(tuple, "parameters of the command line in order (of two of one name the later holds)"),
    },
    plane=Plane.RUNTIME,
)

_UUID = re.compile(r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}", re.ASCII)
_SERIAL = re.compile(r"((?:PART)?UUID=)[0-9A-Fa-f]{4,16}(?:-[0-9A-Fa-f]{1,8})?\b", re.ASCII)
_LOADER_DEVICE = re.compile(r"\([A-Za-z0-9,/]{1,40}\)", re.ASCII)
_PER_MACHINE = frozenset({"systemd.machine_id", "systemd.hostname", "BOOTIF", "initrd"})
"""Parameters whose value names this machine or its disk: their presence is compared, their value observed."""


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """proc(5), kernel-parameters.txt of the kernel, kernel-command-line(7)."""
    release = captures.text(RELEASE).strip()
    if not captures.exists(RELEASE):
        return
    if not release or "\n" in release or "\0" in release:
        raise ParseError(RELEASE, 1, "no kernel release")
    line = captures.text(PARAMETERS).strip()
    attributes: dict[str, str | tuple[str, ...]] = {"version": value(release), "path": "", "device": ""}
    attributes["build"] = value(captures.text(BUILD).strip())
    arguments = []
    for word in _words(line):
        name, equals, given = word.partition("=")
        if name == "BOOT_IMAGE":
            attributes["path"] = value(_LOADER_DEVICE.sub("", given, count=1))
        elif name == "root":
            attributes["device"] = value(_neutral(given))
        else:
            arguments.append(value(f"{name}=*" if name in _PER_MACHINE and equals else _neutral(word)))
    attributes["arguments"] = tuple(arguments)
    yield Resource(KERNEL_INFO.name, "-", attributes, {"command_line": value(line)})


def _words(line: str) -> list[str]:
    """The kernel's own splitting: blanks separate, double quotes protect them."""
    return re.findall(r'(?:[^\s"]|"[^"]*"?)+', line)


def _neutral(text: str) -> str:
    """Ids of file systems and partitions are new in each copy of some images: not what the kernel was told to do."""
    return _SERIAL.sub(r"\1*", _UUID.sub("*", text))


collector = Collector(
    name="kernel_info",
    version=1,
    doc="Release, build and command line of the running kernel",
    kinds=(KERNEL_INFO,),
    sources=(RELEASE, BUILD, PARAMETERS),
    parse=parse,
    plane=Plane.RUNTIME,
)
