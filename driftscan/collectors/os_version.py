"""The operating system's release and the image's identity, from os-release(5)."""

import re
from collections.abc import Iterator

from driftscan.collectors._base import Collector
from driftscan.collectors._keyvalue import assignments
from driftscan.collectors._text import number, value
from driftscan.errors import ParseError
from driftscan.model.resource import Attribute, Form, Kind, Resource, Value
from driftscan.model.source import Captures, File, Gap, Status

ETC = File("/etc/os-release", max_bytes=64 << 10)
USR = File("/usr/lib/os-release", max_bytes=64 << 10)
DEBIAN = File("/etc/debian_version", max_bytes=4 << 10)

_COLUMNS = {
    "name": "NAME",
    "version": "VERSION",
    "version_id": "VERSION_ID",
    "pretty_name": "PRETTY_NAME",
    "platform": "ID",
    "platform_like": "ID_LIKE",
    "codename": "VERSION_CODENAME",
    "build": "BUILD_ID",
    "variant": "VARIANT",
    "variant_id": "VARIANT_ID",
    "image_id": "IMAGE_ID",
    "image_version": "IMAGE_VERSION",
    "cpe_name": "CPE_NAME",
    "support_end": "SUPPORT_END",
}
_FORMS = {"version_id": Form.VERSION, "support_end": Form.TIME}

KIND = Kind(
    "os_version",
    "The operating system's release and the identity of the image",
    "always `-`",
    {
        column: Attribute(str, f"{field} of os-release(5)", _FORMS.get(column, Form.PLAIN))
        for column, field in _COLUMNS.items()
    }
    | {
        "major": Attribute(int, "First number of VERSION_ID"),
        "minor": Attribute(int, "Second number of VERSION_ID"),
        "patch": Attribute(int, "Third number of VERSION_ID"),
        "debian_version": Attribute(str, "/etc/debian_version, which alone tells Debian's point release", Form.VERSION),
    },
    shape=r"-",
)


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """One resource, none where there is no os-release. ParseError if the file holds no assignment at all."""
    source = ETC if captures.exists(ETC) else USR
    if not captures.exists(source):
        return
    found = assignments(captures.lines(source))
    if not found.values:
        raise ParseError(source, 0, "no NAME=value line")
    attributes: dict[str, Value] = {
        column: value(found.values[field]) for column, field in _COLUMNS.items() if found.values.get(field)
    }
    attributes.setdefault("platform", "linux")  # os-release(5): the default of ID
    attributes |= _numbers(found.values.get("VERSION_ID", ""))
    if captures[DEBIAN].status is Status.OK:
        attributes["debian_version"] = value(captures.text(DEBIAN).strip())
    elif captures[DEBIAN].status is not Status.ABSENT:
        yield Gap("os_version", captures[DEBIAN].status, "/etc/debian_version could not be read", ("os_version:-",))
    if found.bad_lines:
        yield Gap(
            "os_version", Status.FAILED, f"{source.path} line {found.bad_lines[0]}: no NAME=value", ("os_version:-",)
        )
    yield Resource("os_version", "-", attributes)


def _numbers(version: str) -> dict[str, Value]:
    parts = re.split(r"[.]", version)[:3]
    numbers = [number(part) for part in parts]
    return {name: found for name, found in zip(("major", "minor", "patch"), numbers, strict=False) if found is not None}


collector = Collector(
    name="os_version",
    version=1,
    doc="Release of the operating system and identity of the image, from os-release",
    kinds=(KIND,),
    sources=(ETC, USR, DEBIAN),
    parse=parse,
)
