"""Kernel parameters: their live value from /proc/sys, and the one that sysctl.d(5) configures.

Names are written as sysctl(8) writes them: a dot in a file's name (`eth0.100`) becomes a slash. Not read at all:
* /proc/sys/fs/binfmt_misc: looking into it triggers an automount and loads a kernel module;
* `stable_secret`, `tcp_fastopen_key`, `netdev_rss_key`: they are secrets;
* `vm.stat_refresh`, of which the reading makes every processor work;
* parameters of interfaces that container engines name at random (`veth...`, `cali...`).
What can only be written (`net.ipv4.route.flush`) has no value and is not reported.
"""

from collections.abc import Iterator, Mapping

from driftscan.collectors._addresses import stable_name
from driftscan.collectors._base import Collector, gap
from driftscan.collectors._sysctl_config import CONFIG, SYSCTL_CONF, configured, unreadable
from driftscan.collectors._sysctl_moving import NEVER_THE_SAME, why_moving
from driftscan.collectors._text import hidden, key, value
from driftscan.model.resource import Attribute, Kind, Plane, Resource, Value
from driftscan.model.source import Captures, Gap, Glob, Member, Status

_INTERFACES = ("all", "default", "[a-uw-z]*", "v[!e]*")
LIVE = Glob(
    (
        *(f"/proc/sys/{top}/**" for top in ("abi", "crypto", "debug", "dev", "kernel", "sunrpc", "user")),
        "/proc/sys/vm/[!s]*",
        "/proc/sys/vm/s[!t]*",
        "/proc/sys/vm/stat_interval",
        "/proc/sys/fs/*",
        "/proc/sys/fs/[ac-z]*/*",
        "/proc/sys/net/core/[!n]*",
        "/proc/sys/net/core/netdev_[!r]*",
        *(f"/proc/sys/net/{family}/*" for family in ("bridge", "mpls", "mptcp", "netfilter", "sctp", "unix", "vsock")),
        "/proc/sys/net/netfilter/nf_log/*",
        "/proc/sys/net/nf_conntrack_max",
        "/proc/sys/net/ipv4/[!t]*",
        "/proc/sys/net/ipv4/tcp_[!f]*",
        "/proc/sys/net/ipv4/tcp_f[!a]*",
        "/proc/sys/net/ipv4/tcp_fastopen",
        "/proc/sys/net/ipv4/tcp_fastopen_b*",
        "/proc/sys/net/ipv4/route/*",
        "/proc/sys/net/ipv6/*",
        "/proc/sys/net/ipv6/icmp/*",
        "/proc/sys/net/ipv6/route/*",
        *(f"/proc/sys/net/ipv4/{what}/{name}/*" for what in ("conf", "neigh") for name in _INTERFACES),
        *(f"/proc/sys/net/ipv6/neigh/{name}/*" for name in _INTERFACES),
        *(f"/proc/sys/net/ipv6/conf/{name}/{file}" for name in _INTERFACES for file in ("[!s]*", "s[!t]*")),
    ),
    max_files=40000,
    max_bytes=64 << 10,
    unread=tuple(f"/proc/sys/{name.replace('.', '/')}" for name in NEVER_THE_SAME),
)

SYSCTL = Kind(
    name="sysctl",
    doc="A kernel parameter. A parameter that moves by itself (a counter, a random number) or follows from the machine"
    " (memory, processors) has its current value observed.",
    key="dotted name",
    attributes={
        "current_value": Attribute(str, "value, columns separated by one blank; None: there is no such parameter"),
        "config_value": Attribute(str, "value that the files of sysctl.d set; None: none does"),
        "config_file": Attribute(str, "the file that sets it; None: none does"),
    },
    plane=Plane.RUNTIME,
    shape=r"[^./]*(?:\..*)?",
)


ACTIONS = frozenset({"vm.stat_refresh"})
"""No parameters: to read one makes the kernel do something, and fails while it does (proc_sys_vm(5))."""


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """One resource per parameter that has a value or a setting."""
    current: dict[str, str] = {}
    unread: list[str] = []
    for member in captures.members(LIVE):
        name = _name(member.path)
        if member.closed and name is not None:
            unread.append(f"{name}.*")
            continue
        if _is_directory(member) or name is None or name in ACTIONS or not member.mode & 0o444:
            continue
        if name in NEVER_THE_SAME:
            current[name] = ""
        elif member.status is Status.OK:
            current[name] = value(" ".join(member.data.decode("utf-8", "surrogateescape").split()))
        else:
            unread.append(name)
    settings = None
    bad = [source for source in (CONFIG, SYSCTL_CONF) if captures[source].status not in (Status.OK, Status.ABSENT)]
    if bad:
        yield gap("sysctl", captures, bad[0], SYSCTL.name)
    elif closed := unreadable(captures):
        yield Gap("sysctl", Status.FORBIDDEN, f"{closed[0]} could not be read", (SYSCTL.name,))
    else:
        settings = configured(captures, current)
    if unread:
        hides = tuple(sorted({_hides(name) for name in unread}))
        yield Gap("sysctl", Status.FORBIDDEN, f"{len(hides)} kernel parameters could not be read", hides)
    for name in sorted({*current, *(settings or ())} - set(unread)):
        yield _resource(name, current.get(name), settings)


def _resource(name: str, now: str | None, settings: Mapping[str, tuple[str, str]] | None) -> Resource:
    attributes: dict[str, Value] = {}
    observed: dict[str, Value] = {}
    if name in NEVER_THE_SAME:
        observed = {"not_compared": why_moving(name)}
    elif reason := why_moving(name):
        observed = {"current_value": now, "not_compared": reason}
    else:
        attributes["current_value"] = now
    if settings is not None:
        attributes["config_value"], attributes["config_file"] = settings.get(name, (None, None))
    return Resource(SYSCTL.name, name, attributes, observed)


def _hides(name: str) -> str:
    """Of a parameter, or (`name.*`) of all below a directory."""
    below = ".*" if name.endswith(".*") else ""
    return hidden(SYSCTL.name, name.removesuffix(".*"), after=below)


def _is_directory(member: Member) -> bool:
    return member.mode & 0o170000 == 0o040000


def _name(path: bytes) -> str | None:
    """The dotted name of a path below /proc/sys; None for interfaces with made-up names."""
    parts = path.decode("utf-8", "surrogateescape").removeprefix("/proc/sys/").split("/")
    if len(parts) == 5 and parts[2] in {"conf", "neigh"} and stable_name(parts[3]) != key(parts[3]):
        return None
    return key(".".join(part.replace(".", "/") for part in parts))


collector = Collector(
    name="sysctl",
    version=2,
    doc="Kernel parameters, live and configured",
    kinds=(SYSCTL,),
    sources=(LIVE, CONFIG, SYSCTL_CONF),
    parse=parse,
    plane=Plane.RUNTIME,
)
