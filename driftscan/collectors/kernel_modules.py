"""Loaded kernel modules, from /proc/modules (proc(5))."""

from collections.abc import Iterator

from driftscan.collectors._base import Collector
from driftscan.collectors._text import key, number, value
from driftscan.errors import ParseError
from driftscan.model.resource import Attribute, Kind, Plane, Resource
from driftscan.model.source import Captures, File, Gap, fields

MODULES = File("/proc/modules")

KERNEL_MODULE = Kind(
    name="kernel_module",
    doc="A loaded kernel module. That it is loaded is the fact; its size belongs to the kernel's build, and who uses"
    " it changes while it is used.",
    key="name",
    attributes={
        "taints": Attribute(str, "letters by which it taints the kernel: O out of tree, E unsigned, P proprietary ..."),
    },
    plane=Plane.RUNTIME,
)


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """Absent: a kernel that cannot load modules, which therefore has none."""
    seen: set[str] = set()
    for line in captures.lines(MODULES):
        name, size, references, users, status, *rest = fields(line, 5, MODULES)
        if number(size) is None or name in seen:
            raise ParseError(MODULES, line.number, "no size, or a module twice")
        seen.add(name)
        taints = rest[-1] if len(rest) > 1 and rest[-1].startswith("(") else "()"
        observed = {
            "size": number(size),
            "references": number(references),
            "used_by": tuple(sorted(value(user) for user in users.split(",") if user not in {"", "-"})),
            "status": value(status),
        }
        yield Resource(KERNEL_MODULE.name, key(name), {"taints": value(taints.strip("()"))}, observed)


collector = Collector(
    name="kernel_modules",
    version=1,
    doc="Loaded kernel modules",
    kinds=(KERNEL_MODULE,),
    sources=(MODULES,),
    parse=parse,
    plane=Plane.RUNTIME,
)
