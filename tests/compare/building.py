"""Manifests, snapshots and differences for tests, in few words."""

from collections.abc import Iterable, Mapping, Sequence

from driftscan.model.codec import canonical, encode_resource
from driftscan.model.drift import Change, Delta, Difference
from driftscan.model.manifest import Manifest, Provenance
from driftscan.model.records import Records
from driftscan.model.resource import Resource, Value
from driftscan.model.snapshot import CollectorCoverage, CollectorStatus, ImageRef, Resources, Snapshot
from driftscan.model.source import Gap, Status
from driftscan.model.zone import Zone, ZoneClass

KINDS = (
    *("package", "python_package", "user", "group", "password", "sudo_rule", "authorized_key", "service", "listen"),
    *("process", "cron", "sshd_setting", "sysctl", "dns", "host_entry", "address", "route", "interface", "mount"),
    *("firewall_chain", "kernel_module", "kernel_info", "os_version", "ca_certificate", "container", "at"),
    *("setting", "pam_rule", "audit_rule", "module_rule", "banner", "boot_loader", "apt_source"),
    *("apparmor_profile", "apparmor_loaded", "shell_setting", "login_shell", "library"),
)
A, B, C = "a" * 64, "b" * 64, "c" * 64


def file(path: str, /, observed: Mapping[str, Value] | None = None, **attributes: Value) -> Resource:
    """A regular file owned by root, unless told otherwise."""
    base: dict[str, Value] = {"type": "regular", "mode": "0644", "uid": 0, "gid": 0, "size": 10, "sha256": A}
    base["capabilities"] = ""
    return Resource("file", path, base | attributes, observed or {})


def directory(path: str, **attributes: Value) -> Resource:
    base: dict[str, Value] = {"type": "directory", "mode": "0755", "uid": 0, "gid": 0}
    return Resource("file", path, base | attributes)


def link(path: str, target: str) -> Resource:
    return Resource("file", path, {"type": "symlink", "uid": 0, "gid": 0, "target": target})


def thing(kind: str, key: str, **attributes: Value) -> Resource:
    return Resource(kind, key, attributes)


def resources(items: Iterable[Resource]) -> Resources:
    every = list(items)
    files = sorted((item for item in every if item.kind == "file"), key=lambda item: item.key)
    table = Records(
        tuple(item.key for item in files),
        tuple(encode_resource(item) for item in files),
        tuple(canonical(dict(item.observed)) for item in files),
    )
    return Resources({item.id: item for item in every if item.kind != "file"}, table)


def coverage(kinds: Sequence[str] = KINDS, gaps: Sequence[Gap] = ()) -> tuple[CollectorCoverage, ...]:
    status = CollectorStatus.PARTIAL if gaps else CollectorStatus.COMPLETE
    return (
        CollectorCoverage("files", 1, ("file",), CollectorStatus.COMPLETE),
        CollectorCoverage("rest", 1, tuple(kinds), status, gaps=tuple(gaps)),
    )


def manifest(
    *items: Resource,
    zones: Sequence[Zone] = (),
    covered: tuple[CollectorCoverage, ...] | None = None,
    texts: Mapping[str, str] | None = None,
) -> Manifest:
    return Manifest(
        image=ImageRef(),
        provenance=Provenance(baked_at="2026-11-20T00:00:00Z", tool="test"),
        resources=resources(items),
        coverage=coverage() if covered is None else covered,
        zones=tuple(zones),
        texts=texts or {},
    )


def snapshot(
    *items: Resource,
    covered: tuple[CollectorCoverage, ...] | None = None,
    live: bool = True,
    host: str = "host",
    texts: Mapping[str, str] | None = None,
) -> Snapshot:
    return Snapshot(
        host=host,
        target=host,
        taken_at="2026-11-21T00:00:00Z",
        resources=resources(items),
        coverage=coverage() if covered is None else covered,
        live=live,
        texts=texts or {},
    )


def gap(*hides: str) -> Gap:
    return Gap("test", Status.FORBIDDEN, "not allowed to look", hides)


def zone(pattern: str, kind: ZoneClass | str, **more: object) -> Zone:
    return Zone(pattern=pattern, zone=ZoneClass(kind), reason="because", **more)  # type: ignore[arg-type]


def added(item: Resource, **more: object) -> Difference:
    deltas = {name: Delta(None, value) for name, value in item.attributes.items()}
    return Difference(
        kind=item.kind,
        key=item.key,
        change=Change.ADDED,
        attributes=deltas,
        observed=item.observed,
        **more,  # type: ignore[arg-type]
    )


def removed(item: Resource, **more: object) -> Difference:
    deltas = {name: Delta(value, None) for name, value in item.attributes.items()}
    return Difference(kind=item.kind, key=item.key, change=Change.REMOVED, attributes=deltas, **more)  # type: ignore[arg-type]


def modified(
    kind: str, key: str, observed: Mapping[str, Value] | None = None, /, **deltas: tuple[Value, Value]
) -> Difference:
    return Difference(
        kind=kind,
        key=key,
        change=Change.MODIFIED,
        attributes={name: Delta(*delta) for name, delta in deltas.items()},
        observed=observed or {},
    )
