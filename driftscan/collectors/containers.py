"""Containers that a host has, as the files of their engines tell.

* docker: config.v2.json and hostconfig.json in /var/lib/docker/containers (Docker's own root; one that was moved is a
  gap where its socket is there). Environment, arguments, labels, health checks and options of log drivers hold secrets:
  sed cuts them out on the target, because no general reduction could do it and leave JSON.
* podman and CRI-O: containers.json of containers/storage.
* kubernetes: the names of the kubelet's log links, namespace/pod/container; what controllers draw at random in the
  names of pods is written `*`.
* containerd (other than Docker's and Kubernetes' namespaces), LXC, systemd-nspawn: by name.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from driftscan.collectors._base import Collector
from driftscan.collectors._closed import closed
from driftscan.collectors._text import key, path_text, value
from driftscan.errors import ParseError
from driftscan.model.resource import Attribute, Kind, Plane, Resource, Value
from driftscan.model.source import Captures, Command, Gap, Glob, Status

_ABSENT = 90
_DOCKER = r"""if ! [ -e /var/lib/docker ]; then [ -S /run/docker.sock ] && exit 92; exit 90; fi
[ -x /var/lib/docker ] || exit 93
[ -e /var/lib/docker/containers ] || exit 90
cd /var/lib/docker/containers && [ -r . ] || exit 93
for file in */config.v2.json */hostconfig.json; do
    [ -f "$file" ] || continue
    printf '%s ' "$file"
    tr -d '\n\t' <"$file" | sed -E \
        -e 's/"(Env|Args|Cmd|Entrypoint|Test)" *: *\[( *"([^"\\]|\\.)*" *,?)* *\]/"\1":null/g' \
        -e 's/"(Labels|Config|Annotations|DriverOpts)" *: *\{ *("([^"\\]|\\.)*" *[:,]? *)*\}/"\1":null/g' \
        -e 's/"(Output|Error)" *: *"([^"\\]|\\.)*"/"\1":null/g'
    echo
done
"""
DOCKER = Command(("sh", "-c", _DOCKER), ok=(0, _ABSENT), timeout=30)
PODMAN = Glob(("/var/lib/containers/storage/*-containers/containers.json",), max_bytes=8 << 20)
KUBERNETES = Glob(("/var/log/containers/*.log",), content=False)
CONTAINERD = Glob(("/run/containerd/io.containerd.runtime.v2.task/*/*",), content=False)
NAMED = Glob(("/var/lib/lxc/*/config", "/var/lib/machines/*"), content=False)

CONTAINER = Kind(
    name="container",
    doc="A container. Columns that an engine's files do not tell are missing.",
    key="runtime/name (`docker/web`, `podman/db`, `kubernetes/kube-system/coredns-*/coredns`)",
    attributes={
        "image": Attribute(str, "image as it was asked for"),
        "image_id": Attribute(str, "digest of the image"),
        "running": Attribute(bool, "whether it runs"),
        "user": Attribute(str, "who runs in it"),
        "privileged": Attribute(bool, "it has the rights of the host"),
        "readonly_rootfs": Attribute(bool, "its root is read-only"),
        "network_mode": Attribute(str, "network that it uses; `host`: the host's"),
        "pid_mode": Attribute(str, "`host`: it sees the host's processes"),
        "restart_policy": Attribute(str, "no, always, unless-stopped, on-failure"),
        "capabilities": Attribute(tuple, "capabilities added"),
        "security_options": Attribute(tuple, "seccomp, AppArmor, labels"),
        "mounts": Attribute(tuple, "directories of the host: `source:destination:mode`"),
        "ports": Attribute(tuple, "published: `80/tcp=0.0.0.0:8080`"),
    },
    plane=Plane.RUNTIME,
)

_ID = re.compile(r"[0-9a-f]{64}", re.ASCII)
_LOG = re.compile(r"([^_/]+)_([^_/]+)_(.+)-[0-9a-f]{64}\.log", re.ASCII)
_CONSONANT = "[bcdfghjklmnpqrstvwxz2456789]"
_POD = re.compile(rf"(-{_CONSONANT}{{8,10}})?-{_CONSONANT}{{5}}$", re.ASCII)
"""Hash of a ReplicaSet and the five letters of a pod, in the alphabet of Kubernetes' names."""


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """Each engine can be a gap of its own."""
    found: dict[str, Resource] = {}
    for source, prefix, engine, read in (
        (DOCKER, "docker/*", "Docker", _docker),
        (PODMAN, "podman/*", "Podman", _podman),
        (KUBERNETES, "kubernetes/*", "Kubernetes", _kubernetes),
        (CONTAINERD, "containerd/*", "containerd", _containerd),
        (NAMED, "*", "LXC and nspawn", _named),
    ):
        capture = captures[source]
        hides = f"{CONTAINER.name}:{prefix}"
        if capture.status not in (Status.OK, Status.ABSENT):
            reason = f"containers of {engine} could not be listed: {capture.detail or 'that takes root'}"
            yield Gap("containers", capture.status, reason, (hides,))
            continue
        for path in closed(captures, source) if isinstance(source, Glob) else ():
            yield Gap("containers", Status.FORBIDDEN, f"{path} could not be read", (hides,))
        try:
            for item in read(captures):
                if isinstance(item, Gap):
                    yield item
                else:
                    found[item.key] = item
        except ParseError as error:
            yield Gap("containers", Status.FAILED, f"the files of {engine} are malformed: {error.why}", (hides,))
    yield from (found[name] for name in sorted(found))


def _docker(captures: Captures) -> Iterator[Resource | Gap]:
    files: dict[str, dict[str, Mapping[str, Any]]] = {}
    if captures[DOCKER].exit_code == _ABSENT:
        return
    for line in captures.lines(DOCKER):
        path, _, text = line.text.partition(" ")
        directory, _, file = path.partition("/")
        files.setdefault(directory, {})[file] = _object(text, DOCKER, line.number)
    for directory in sorted(files):
        config, host = files[directory].get("config.v2.json"), files[directory].get("hostconfig.json", {})
        if config is not None:
            yield _docker_container(directory, config, host)


def _docker_container(directory: str, config: Mapping[str, Any], host: Mapping[str, Any]) -> Resource:
    asked, state = _inner(config, "Config"), _inner(config, "State")
    policy = _inner(host, "RestartPolicy")
    ports = {
        f"{port}={_string(binding, 'HostIp')}:{_string(binding, 'HostPort')}"
        for port, bindings in _inner(host, "PortBindings").items()
        for binding in (bindings if isinstance(bindings, list) else ())
        if isinstance(binding, dict)
    }
    attributes: dict[str, Value] = {
        "image": _string(asked, "Image"),
        "image_id": _string(config, "Image"),
        "running": state.get("Running") is True,
        "user": _string(asked, "User"),
        "privileged": host.get("Privileged") is True,
        "readonly_rootfs": host.get("ReadonlyRootfs") is True,
        "network_mode": _string(host, "NetworkMode"),
        "pid_mode": _string(host, "PidMode"),
        "restart_policy": _string(policy, "Name"),
        "capabilities": _strings(host, "CapAdd"),
        "security_options": _strings(host, "SecurityOpt"),
        "mounts": _strings(host, "Binds"),
        "ports": tuple(sorted(map(value, ports))),
    }
    name = _string(config, "Name").removeprefix("/") or directory
    return Resource(CONTAINER.name, f"docker/{key(name)}", attributes, {"id": value(directory)})


def _podman(captures: Captures) -> Iterator[Resource | Gap]:
    """containers/storage: an array of objects; `metadata` is JSON in a string."""
    for member in captures.members(PODMAN):
        if member.closed:
            continue
        if member.status is not Status.OK:
            yield Gap("containers", member.status, path_text(member.path), (f"{CONTAINER.name}:podman/*",))
            continue
        try:
            rows = json.loads(member.data or b"[]")
        except (ValueError, RecursionError):
            raise ParseError(PODMAN, 0, "not JSON") from None
        for row in rows if isinstance(rows, list) else ():
            if not isinstance(row, dict):
                raise ParseError(PODMAN, 0, "no container")
            metadata = _object(row.get("metadata") if isinstance(row.get("metadata"), str) else "{}", PODMAN, 0)
            names = _strings(row, "names") or (_string(row, "id"),)
            attributes: dict[str, Value] = {"image": _string(metadata, "image-name"), "image_id": _string(row, "image")}
            yield Resource(CONTAINER.name, f"podman/{key(str(names[0]))}", attributes, {"id": _string(row, "id")})


def _kubernetes(captures: Captures) -> Iterator[Resource]:
    for member in captures.members(KUBERNETES):
        match = _LOG.fullmatch(path_text(member.path.rpartition(b"/")[2]))
        if match:
            pod = _POD.sub("-*", match[1])
            yield Resource(CONTAINER.name, key(f"kubernetes/{match[2]}/{pod}/{match[3]}"), {}, {"pod": value(match[1])})


def _containerd(captures: Captures) -> Iterator[Resource]:
    for member in captures.members(CONTAINERD):
        if member.closed:
            continue
        namespace, name = path_text(member.path).split("/")[-2:]
        if namespace not in {"moby", "k8s.io"}:
            yield Resource(CONTAINER.name, f"containerd/{namespace}/{_ID.sub('*', name)}", {}, {"id": name})


def _named(captures: Captures) -> Iterator[Resource]:
    for member in captures.members(NAMED):
        if member.closed:
            continue
        parts = path_text(member.path).split("/")
        if parts[3] == "lxc":
            yield Resource(CONTAINER.name, f"lxc/{parts[4]}")
        elif not parts[4].startswith("."):
            yield Resource(CONTAINER.name, f"nspawn/{parts[4].removesuffix('.raw')}")


def _object(text: Any, source: Command | Glob, line: int) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ParseError(source, line, "no JSON object")
    return found


def _inner(item: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = item.get(name)
    return found if isinstance(found, dict) else {}


def _string(item: Mapping[str, Any], name: str) -> str:
    found = item.get(name)
    return value(found.encode("utf-8", "replace").decode()) if isinstance(found, str) else ""


def _strings(item: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = item.get(name)
    texts = [part for part in found if isinstance(part, str)] if isinstance(found, list) else []
    return tuple(sorted(value(text.encode("utf-8", "replace").decode()) for text in texts))


collector = Collector(
    name="containers",
    version=1,
    doc="Containers of Docker, Podman, Kubernetes, containerd, LXC and systemd-nspawn",
    kinds=(CONTAINER,),
    sources=(DOCKER, PODMAN, KUBERNETES, CONTAINERD, NAMED),
    parse=parse,
    plane=Plane.RUNTIME,
)
