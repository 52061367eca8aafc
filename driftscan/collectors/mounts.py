"""What is mounted, from /proc/self/mountinfo (proc(5)), and what /etc/fstab (fstab(5)) says should be.

The rows of fstab are facts here, beside what is really mounted, so that the file can be `derived`. A row without a
mount and a mount without a row are both told by their missing half.

What is not reported, because it comes and goes with use while the image stays the same:
* mounts of a login session (`/run/user/UID` and below) and credentials of a service that just runs;
* mounts of containers, told by the identifiers that engines put into their paths (the containers are reported);
* what an automount put there: the automount itself is reported, and what it mounted is observed.
Numbers that the kernel deals out (loop devices, SCSI and NVMe letters, file system ids) are written `*`, the sizes
that tmpfs takes from the machine's memory, and the layers of an overlay, are observed.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from driftscan.collectors._base import Collector, gap
from driftscan.collectors._text import key, value
from driftscan.errors import ParseError
from driftscan.model.resource import Attribute, Kind, Plane, Resource, Value
from driftscan.model.source import Captures, File, Gap, Redact, Status, fields

MOUNTINFO = File("/proc/self/mountinfo", max_bytes=16 << 20)
FSTAB = File("/etc/fstab", redact=Redact.SECRETS)

MOUNT = Kind(
    name="mount",
    doc="A mount, a row of fstab, or both.",
    key="mount point; of a row of fstab without one (swap) `none:DEVICE`",
    attributes={
        "device": Attribute(str, "what is mounted; None: nothing is"),
        "type": Attribute(str, "file system; None: nothing is mounted"),
        "root": Attribute(str, "directory of the file system that is seen here: other than `/` for a bind mount"),
        "options": Attribute(tuple, "options of the mount and of the file system"),
        "covers": Attribute(tuple, "type and device of mounts on the same point that this one hides, lowest first"),
        "config_device": Attribute(str, "device in fstab; None: no row"),
        "config_type": Attribute(str, "file system in fstab"),
        "config_options": Attribute(tuple, "options in fstab"),
    },
    plane=Plane.RUNTIME,
    shape=r"/.*|none:.*",
)

_OCTAL = re.compile(rb"\\([0-7]{3})")
"""The kernel writes blanks, line ends, backslashes and `#` so; in fstab mount(8) reads any byte."""
_ID = r"[0-9a-f]{12,64}"
_PASSING = re.compile(
    r"/run/user/[0-9]+(?:/.*)?"
    r"|/run/credentials/[^/]+"
    rf"|(?:/var/lib|/run)/(?:docker|containers|containerd|crio|rancher|k3s)(?:/.*)?/{_ID}(?:/.*)?"
    r"|/run/(?:docker/)?netns/[^/]+"
    r"|/run/containerd/io\.containerd\.[^/]+/.*"
    r"|/var/lib/kubelet/(?:pods|plugins)/.*"
    r"|/run/systemd/unit-root(?:/.*)?",
    re.DOTALL,
)
_GIVEN = "/run/host/"
"""What a container manager gives a container (systemd's Container Interface): directories named after the container."""
_DEVICES = (
    (re.compile(r"/dev/loop[0-9]+"), "/dev/loop*"),
    (re.compile(r"/dev/dm-[0-9]+"), "/dev/dm-*"),
    (re.compile(r"/dev/sd[a-z]+([0-9]*)"), r"/dev/sd*\1"),
    (re.compile(r"/dev/nvme[0-9]+n[0-9]+(p[0-9]+)?"), r"/dev/nvme*\1"),
)
_LABELLED = frozenset({
    "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "efivarfs",
    "fusectl", "hugetlbfs", "mqueue", "nsfs", "overlay", "proc", "pstore", "ramfs", "rpc_pipefs", "securityfs",
    "selinuxfs", "sysfs", "tmpfs", "tracefs",
})  # fmt: skip
"""File systems of which there is nothing to mount: the device is a free text, different from program to program."""
_UNIQUE = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9a-f]{12,64}", re.ASCII)
_OBSERVED = frozenset({
    "size", "nr_inodes", "nr_blocks", "fd", "pgrp", "pipe_ino", "rfdno", "wfdno", "clientaddr", "subvolid",
    "lowerdir", "upperdir", "workdir",
})  # fmt: skip
"""Options whose value the kernel or the machine chooses: memory sizes, descriptors, addresses, layers."""


@dataclass(frozen=True, slots=True)
class _Mount:
    id: str
    parent: str
    root: str
    point: str
    options: tuple[str, ...]
    type: str
    device: str


@dataclass(frozen=True, slots=True)
class _Row:
    device: str
    type: str
    options: tuple[str, ...]


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """A fstab that cannot be read hides the rows, not the mounts: then their columns are missing."""
    if not captures.exists(MOUNTINFO):
        return
    rows: dict[str, _Row] | None = None
    if captures[FSTAB].status in (Status.OK, Status.ABSENT):
        rows = dict(_rows(captures))
    else:
        yield gap("mounts", captures, FSTAB, MOUNT.name)
    points: dict[str, list[_Mount]] = {}
    automounts: dict[str, list[str]] = {}
    for mount in _kept(list(_mounts(captures)), automounts):
        points.setdefault(mount.point, []).append(mount)
    for point in sorted({*points, *(rows or ())}):
        attributes = _live(points.get(point, []))
        if rows is not None:
            row = rows.get(point)
            attributes["config_device"] = row.device if row else None
            attributes["config_type"] = row.type if row else None
            attributes["config_options"] = row.options if row else None
        yield Resource(MOUNT.name, point, attributes, _observed(points.get(point, []), automounts.get(point, ())))


def _live(mounts: list[_Mount]) -> dict[str, Value]:
    if not mounts:
        return {"device": None, "type": None, "root": None, "options": None, "covers": ()}
    top = mounts[-1]
    return {
        "device": _device(top),
        "type": top.type,
        "root": "*" if top.point.startswith(_GIVEN) else _neutral(top.root),
        "options": _options(top.options),
        "covers": tuple(f"{mount.type} {_device(mount)}" for mount in mounts[:-1]),
    }


def _observed(mounts: list[_Mount], automounted: Iterable[str]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    if mounts:
        top = mounts[-1]
        found = {"device": top.device, "root": top.root, "options": tuple(sorted(top.options))}
    if automounted:
        found["automounted"] = tuple(automounted)
    return found


def _kept(mounts: list[_Mount], automounts: dict[str, list[str]]) -> Iterator[_Mount]:
    by_id = {mount.id: mount for mount in mounts}
    for mount in mounts:
        above = by_id.get(mount.parent)
        if above is not None and above.type == "autofs":
            automounts.setdefault(above.point, []).append(f"{mount.type} {mount.point}")
        elif not _PASSING.fullmatch(mount.point):
            yield mount


def _mounts(captures: Captures) -> Iterator[_Mount]:
    """id, parent, device number, root, mount point, options, tags ..., `-`, type, source, file system's options."""
    for line in captures.lines(MOUNTINFO):
        words = fields(line, 10, MOUNTINFO, " ")
        if "-" not in words[6:-3]:
            raise ParseError(MOUNTINFO, line.number, "no separator")
        end = words.index("-", 6)
        kind, device = words[end + 1], words[end + 2]
        options = {*words[5].split(","), *words[end + 3].split(",")} - {""}
        if "ro" in options:  # of the mount or of the file system: nothing can be written either way
            options -= {"rw"}
        root, point = _plain(words[3]), _plain(words[4])
        if not point.startswith("/"):
            raise ParseError(MOUNTINFO, line.number, "no mount point")
        yield _Mount(words[0], words[1], root, point, tuple(map(_plain, options)), _plain(kind), _plain(device))


def _rows(captures: Captures) -> Iterator[tuple[str, _Row]]:
    """Of several rows for one point the last is kept, as it is mounted last. Slashes too many are none to mount(8)."""
    for line in captures.lines(FSTAB):
        words = line.text.split()
        if len(words) < 3 or words[0].startswith("#"):
            continue
        device, point, kind = map(_plain, words[:3])
        options = tuple(sorted(map(_plain, filter(None, words[3].split(","))))) if len(words) > 3 else ("defaults",)
        place = "/" + "/".join(filter(None, point.split("/"))) if point.startswith("/") else f"none:{device}"
        yield place, _Row(device, kind, options)


def _plain(text: str) -> str:
    """Text without escapes. Bytes beyond ASCII come as they are elsewhere in the file."""
    if "\\" not in text:
        return key(text)
    raw = _OCTAL.sub(lambda match: bytes([int(match[1], 8) & 0xFF]), text.encode("utf-8", "surrogateescape"))
    return key(raw.decode("utf-8", "surrogateescape"))


def _device(mount: _Mount) -> str:
    text = mount.device
    if mount.type in _LABELLED:
        return mount.type
    for pattern, replacement in _DEVICES:
        if pattern.fullmatch(text):
            return pattern.sub(replacement, text)
    return _neutral(text)


def _neutral(text: str) -> str:
    return _UNIQUE.sub("*", text)


def _options(options: Iterable[str]) -> tuple[str, ...]:
    found = set()
    for option in options:
        name, equals, _ = option.partition("=")
        found.add(f"{name}=*" if equals and name in _OBSERVED else option)
    return tuple(sorted(map(value, found)))


collector = Collector(
    name="mounts",
    version=2,
    doc="What is mounted, and the rows of fstab",
    kinds=(MOUNT,),
    sources=(MOUNTINFO, FSTAB),
    parse=parse,
    plane=Plane.RUNTIME,
)
