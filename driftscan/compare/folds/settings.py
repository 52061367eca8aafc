"""Facts of which all that changed is one thing that happened: settings of sshd and the kernel, name resolution, the
network, the firewall, mounts, the system itself; each with the files that set it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from driftscan.compare.evidence import Evidence
from driftscan.compare.fold import Fold
from driftscan.compare.folds._parts import and_more, moved, said, word
from driftscan.compare.pool import Pool, text, value
from driftscan.model.drift import CauseType, Change, Difference, Mutation
from driftscan.model.resource import ResourceId


@dataclass(frozen=True, slots=True)
class _Subject:
    """Kinds whose differences are one mutation, and where they are set. `apart`: a mutation for each resource;
    `set_by`: for each file that this column of theirs names, since each may have been another's act."""

    cause: CauseType
    name: str
    kinds: tuple[str, ...]
    paths: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    apart: bool = False
    set_by: str = ""
    files_alone: bool = False
    """Whether a change of the files alone, which changed no fact yet, is this too."""


_SUBJECTS = (
    _Subject(
        CauseType.OS_CHANGED,
        "operating system",
        ("os_version",),
        (
            *("/etc/os-release", "/usr/lib/os-release", "/etc/debian_version", "/etc/issue", "/etc/issue.net"),
            *("/etc/lsb-release", "/etc/redhat-release", "/etc/system-release", "/etc/alpine-release"),
        ),
    ),
    _Subject(CauseType.KERNEL_CHANGED, "kernel", ("kernel_info",)),
    _Subject(
        CauseType.CONFIGURATION_CHANGED,
        "sshd",
        ("sshd_setting",),
        ("/etc/ssh/sshd_config",),
        ("/etc/ssh/sshd_config.d",),
        files_alone=True,
    ),
    _Subject(
        CauseType.SYSCTL_CHANGED,
        "kernel settings",
        ("sysctl",),
        ("/etc/sysctl.conf",),
        ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d"),
        set_by="config_file",
        files_alone=True,
    ),
    _Subject(
        CauseType.KERNEL_MODULE,
        "kernel modules",
        ("kernel_module",),
        ("/etc/modules",),
        ("/etc/modules-load.d", "/etc/modprobe.d"),
        files_alone=True,
    ),
    _Subject(CauseType.CONFIGURATION_CHANGED, "AppArmor", ("apparmor_loaded",)),
    _Subject(CauseType.NAME_RESOLUTION_CHANGED, "name resolution", ("dns",), ("/etc/resolv.conf",), files_alone=True),
    _Subject(CauseType.NAME_RESOLUTION_CHANGED, "name resolution", ("host_entry",), ("/etc/hosts",), files_alone=True),
    _Subject(
        CauseType.NAME_RESOLUTION_CHANGED,
        "name resolution",
        (),
        ("/etc/nsswitch.conf", "/etc/host.conf"),
        files_alone=True,
    ),
    _Subject(
        CauseType.NETWORK_CHANGED,
        "network",
        ("interface", "address", "route"),
        ("/etc/network/interfaces",),
        ("/etc/network/interfaces.d", "/etc/systemd/network", "/etc/netplan", "/etc/NetworkManager/system-connections"),
        files_alone=True,
    ),
    _Subject(
        CauseType.FIREWALL_CHANGED,
        "firewall",
        ("firewall_chain",),
        ("/etc/nftables.conf",),
        ("/etc/iptables", "/etc/nftables.d", "/etc/ufw", "/etc/firewalld"),
        files_alone=True,
    ),
    _Subject(CauseType.MOUNT_CHANGED, "mount", ("mount",), ("/etc/fstab",), apart=True, files_alone=True),
    _Subject(CauseType.CONTAINER_CHANGED, "container", ("container",), apart=True),
)


_OF_INTERFACE = re.compile(r"net\.ipv[46]\.(?:conf|neigh)\.(?P<name>.+)\.[^.]+")


def _apply(pool: Pool, evidence: Evidence) -> Iterator[Mutation]:
    of_interfaces = set(_of_interfaces(pool))
    for subject in _SUBJECTS:
        rows = [row for kind in subject.kinds for row in pool.of(kind) if row.id not in of_interfaces]
        behind = _behind(pool, subject)
        for group, files in _groups(subject, rows, behind, evidence):
            files += [found for path in subject.paths if _may_stand_in(group, subject) and (found := pool.file(path))]
            name = group[0].key if subject.apart else subject.name
            if subject.name == "network":
                files += [row for row in pool.of("sysctl") if row.id in of_interfaces]
            yield pool.fold(subject.cause, name, _title(subject.name, group), group, files)
        for item in behind if subject.files_alone else ():
            if item in pool:
                title = f"{item.key} {word(item.change)} ({subject.name})"
                yield pool.fold(subject.cause, item.key, title, [item])


def _of_interfaces(pool: Pool) -> Iterator[ResourceId]:
    """Settings of the kernel that came or went with an interface."""
    moved_ones = {(row.key, row.change) for row in pool.of("interface") if row.change is not Change.MODIFIED}
    for row in pool.of("sysctl") if moved_ones else ():
        found = _OF_INTERFACE.fullmatch(row.key)
        if found and (found["name"].replace("/", "."), row.change) in moved_ones:
            yield row.id


def _groups(
    subject: _Subject, rows: list[Difference], behind: list[Difference], evidence: Evidence
) -> Iterator[tuple[list[Difference], list[Difference]]]:
    """Rows that are one mutation, with the files that may have set them."""
    if subject.apart:
        yield from (([row], list(behind)) for row in rows)
        return
    found: dict[str, list[Difference]] = {}
    for row in rows:
        found.setdefault(_file_of(subject, row, evidence), []).append(row)
    for path, group in found.items():
        if set(found) == {""}:  # nobody knows which file it was
            yield group, list(behind)
        else:
            before = {_was(row, subject.set_by) for row in group}
            named = {path, *before, *(each.rpartition("/")[0] for each in (path, *before))}
            yield group, [item for item in behind if item.key in named]


def _may_stand_in(rows: list[Difference], subject: _Subject) -> bool:
    """Whether facts stand in the subject's own file, which a zone may accept since they are compared: names and
    resolvers all do, a mount if fstab says something else of it now."""
    if subject.kinds == ("mount",):
        deltas = [delta for row in rows for name, delta in row.attributes.items() if name.startswith("config_")]
        return any(delta.expected != delta.actual for delta in deltas)
    return subject.kinds in {("dns",), ("host_entry",)}


def _file_of(subject: _Subject, row: Difference, evidence: Evidence) -> str:
    """The file that sets a row now; of one that none sets now, which did in the reference."""
    known = evidence.resources.get(row.kind, row.key) if subject.set_by else None
    now = known.attributes.get(subject.set_by) if known else None
    return now if isinstance(now, str) else text(row, subject.set_by) or _was(row, subject.set_by)


def _was(row: Difference, name: str) -> str:
    delta = row.attributes.get(name)
    return delta.expected if delta and isinstance(delta.expected, str) else ""


def _behind(pool: Pool, subject: _Subject) -> list[Difference]:
    found = [item for path in subject.paths if (item := pool.get("file", path)) is not None]
    for directory in subject.directories:
        found += [item for item in (pool.get("file", directory), *pool.beneath(directory)) if item is not None]
    return found


def _title(name: str, rows: list[Difference]) -> str:
    return f"{name} changed: " + and_more([_fact(row) for row in rows])


def _fact(row: Difference) -> str:
    """`permitrootlogin no -> yes`; of what came or went, its value if it has one of its own."""
    if row.change is Change.MODIFIED:
        deltas = list(row.attributes.values())
        if len(deltas) == 1:
            return f"{row.key} {said(deltas[0].expected)} -> {said(deltas[0].actual)}"
        return f"{row.key} ({moved(row)})"
    own = value(row, "value")
    if own is None:
        own = value(row, "current_value")
    return f"{row.key} {word(row.change)}" + (f" ({said(own)})" if own not in (None, "") else "")


fold = Fold("settings", 500, _apply)
