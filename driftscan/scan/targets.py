"""What the words on the command line mean: targets, and hosts of inventories."""

import glob
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from driftscan.errors import UsageError
from driftscan.inventory import load_all, parse_address, select
from driftscan.model.host import ConnectOptions, Host

FILE_SCHEMES = ("rootfs", "oci", "docker-archive", "snapshot", "manifest", "capture")
RECORDED = ("snapshot", "capture")
"""Those of which a folder or a glob may be named."""
_IMAGES = {
    "oci": "Write oci:DIR or oci:DIR:TAG; a tar of DIR will do.",
    "docker-archive": "Write docker-archive:FILE or docker-archive:FILE:NAME, FILE being what `docker save` wrote.",
}
"""Those that may hold several images, and how they are written."""
_REFERENCE = re.compile(r"[a-z0-9-]+(?:[.:][a-z0-9.-]+)+/[a-z0-9._/-]+(?:[:@]\S+)?")
"""An image's name that begins with a registry's; without one it looks like a path."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to look. `scheme`: local, ssh, or one of FILE_SCHEMES; `name` is how reports call it."""

    scheme: str
    name: str
    spec: str
    path: str = ""
    tag: str = ""
    """Of `oci:` and `docker-archive:`: which image; empty: the only one."""
    host: Host | None = None
    timeout: int | None = None
    """Of what is no host: seconds to read it in; None: as long as images may take."""
    past: bool = False
    """One of several recordings, which bears the name of the host that it is of: it tells no news of that host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectOverrides:
    """Connection options of the command line, environment and config file. None or empty: not given."""

    user: str | None = None
    port: int | None = None
    identity: tuple[str, ...] = ()
    known_hosts: tuple[str, ...] = ()
    ssh_config: str | None = None
    jump: str | None = None
    sudo: str | None = None
    timeout: int | None = None
    accept_new_host_keys: bool | None = None
    max_cpu: int | None = None
    max_read: int | None = None
    probe: str | None = None

    def apply(self, options: ConnectOptions) -> ConnectOptions:
        """The options with what was given in place."""
        given = {name: getattr(self, name) for name in self.__slots__}
        return replace(options, **{name: value for name, value in given.items() if value not in (None, ())})


def resolve(
    words: Sequence[str], inventories: Sequence[str], limit: str = "", options: ConnectOverrides | None = None
) -> tuple[Target, ...]:
    """The targets, each once, in order. With inventories and no word: all of their hosts. UsageError for a word that
    is no target and names no host, and when nothing is left."""
    overrides = options or ConnectOverrides()
    hosts = load_all(inventories)
    direct = [word for word in words if _is_direct(word)]
    patterns = [word for word in words if not _is_direct(word)]
    if patterns and not inventories:
        raise UsageError(
            f"unknown target {patterns[0]!r}",
            _fetched(patterns[0])
            or "Name hosts of an inventory with -i FILE, or use local, ssh://host, rootfs:DIR, oci:DIR,"
            " docker-archive:FILE, snapshot:FILE.",
        )
    chosen = select(hosts, patterns, limit) if patterns or (inventories and not direct) else ()
    found = [target for word in direct for target in _direct(word, overrides)]
    found += [
        Target("ssh", host.name, host.name, host=replace(host, options=overrides.apply(host.options)))
        for host in chosen
    ]
    if not found:
        raise UsageError("no target", "Name one (`driftscan scan local`), or an inventory with -i.")
    return tuple({target.spec: target for target in found}.values())


def _is_direct(word: str) -> bool:
    return word == "local" or word.startswith("ssh://") or (word.partition(":")[0] in FILE_SCHEMES and ":" in word)


def _fetched(word: str) -> str:
    """What to do with a reference to a registry, if this looks like one and not like a path."""
    name = word.removeprefix("docker://").removeprefix("docker-daemon:")
    if name == word and not _REFERENCE.fullmatch(word):
        return ""
    transport = "docker-daemon:" if word.startswith("docker-daemon:") else "docker://"
    return (
        f"No registry is read. Fetch the image first: skopeo copy {transport}{name} oci:DIR:TAG; then name oci:DIR:TAG."
    )


def split_layout(text: str) -> tuple[str, str]:
    """(path, tag or digest) of what follows `oci:` or `docker-archive:`; an empty path where nothing of that name
    exists. Either may hold colons: the longest path that exists is meant."""
    parts = text.split(":")
    for count in range(len(parts), 0, -1):
        path = ":".join(parts[:count])
        if path and os.path.exists(path):
            return path, ":".join(parts[count:])
    return "", ""


def _direct(word: str, overrides: ConnectOverrides) -> Sequence[Target]:
    """What a word that is a target by itself names: several only if it is a folder of recordings, or a glob."""
    scheme, _, path = word.partition(":")
    if scheme in RECORDED and _names_several(path):
        from driftscan.scan.recorded import together  # noqa: PLC0415 - for those who name several

        several = together(scheme, path)
        return [Target(scheme, each.host, f"{scheme}:{each.path}", each.path, past=True) for each in several]
    return [_single(word, overrides)]


def _names_several(path: str) -> bool:
    """Whether a path is a folder, or a glob and no file that is called so."""
    return Path(path).is_dir() if Path(path).exists() else glob.has_magic(path)


def _single(word: str, overrides: ConnectOverrides) -> Target:
    if word == "local":
        return Target(
            "local", "local", word, host=Host(name="local", address="", options=overrides.apply(ConnectOptions()))
        )
    scheme, _, path = word.partition(":")
    if scheme in _IMAGES:
        found, tag = split_layout(path)
        if not found:
            raise UsageError(f"{word}: no such file or directory", _fetched(path) or _IMAGES[scheme])
        if scheme == "docker-archive" and Path(found).is_dir():
            raise UsageError(f"{word}: a directory, not a file", _IMAGES[scheme])
        return Target(scheme, word, word, path=found, tag=tag, timeout=overrides.timeout)
    if scheme in FILE_SCHEMES:
        if not path or not Path(path).exists():
            raise UsageError(f"{word}: no such file or directory")
        if (scheme == "rootfs") is not Path(path).is_dir():
            raise UsageError(f"{word}: {'not a directory' if scheme == 'rootfs' else 'a directory, not a file'}")
        return Target(scheme, word, word, path=path, timeout=overrides.timeout)
    try:
        address = parse_address(word.removeprefix("ssh://").removesuffix("/"))
    except ValueError as error:
        raise UsageError(f"{word}: {error}", "Write ssh://[user@]host[:port].") from None
    # What stands in the target itself is nearer than an option that is meant for all.
    options = overrides.apply(ConnectOptions())
    options = replace(options, user=address.user or options.user, port=address.port or options.port)
    host = Host(name=address.name, address=address.host, options=options)
    return Target("ssh", host.name, word, host=host)
