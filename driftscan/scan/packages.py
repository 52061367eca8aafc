"""Which package lists which files, from dpkg's own lists: kept with a baseline, so that owners are known later."""

from collections.abc import Mapping

from driftscan.capture.base import Session
from driftscan.model.names import encode_name
from driftscan.model.resource import Resource, ResourceId
from driftscan.model.source import Glob, Status

LISTS = Glob(("/var/lib/dpkg/info/*.list",), max_files=50_000, max_bytes=16 << 20)


def package_files(session: Session, resources: Mapping[ResourceId, Resource]) -> Mapping[str, tuple[str, ...]]:
    """Package key -> paths; empty where there is no dpkg."""
    capture = session.ask([LISTS])[LISTS]
    lists = {
        member.path.rpartition(b"/")[2].removesuffix(b".list").decode("utf-8", "replace"): member.data
        for member in capture.members
        if member.status is Status.OK
    }
    found = {}
    for kind, key in sorted(resources):
        if kind == "package":
            name, _, architecture = key.partition("@")[0].partition("/")
            data = lists.get(f"{name}:{architecture}") or lists.get(name)
            if data:
                found[key] = tuple(
                    encode_name(line) for line in data.split(b"\n") if line.startswith(b"/") and line != b"/."
                )
    return found
