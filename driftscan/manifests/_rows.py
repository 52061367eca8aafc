"""Resources as lines and back. The lines of files are not even split: a tree has a hundred thousand of them."""

from collections.abc import Iterator, Mapping

from driftscan.manifests._container import Container
from driftscan.model.codec import canonical, decode_resource
from driftscan.model.packed import Packed, joined
from driftscan.model.resource import Resource, ResourceId
from driftscan.model.snapshot import Resources
from driftscan.schema_check import quoted


def encode(resources: Resources, *, observed: bool) -> Iterator[bytes]:
    """One line for each resource, by kind and key; `observed`: with what was seen beside the compared part."""
    small = sorted(resources.small)
    before = [rid for rid in small if rid[0] < "file"]
    for rid in before:
        yield _line(resources.small[rid], observed)
    for _, line, seen in resources.files.rows():
        yield joined(line, seen) if observed else line
    for rid in small[len(before) :]:
        yield _line(resources.small[rid], observed)


def counts(resources: Resources) -> dict[str, int]:
    """How many resources there are of each kind."""
    found: dict[str, int] = {"file": len(resources.files)} if len(resources.files) else {}
    for kind, _ in resources.small:
        found[kind] = found.get(kind, 0) + 1
    return dict(sorted(found.items()))


def decode(container: Container, first: int, said: Mapping[str, int], *, observed: bool) -> Resources:
    """The resources in the lines from number `first` (from 0) on, of which there are as many of each kind as the
    envelope has `said`. Files stay lines in the container; `observed`: with what was seen beside the compared part.
    UsageError for a line that is not a resource, or that does not stand in order of kind and key."""
    total = len(container.lines)
    start = min(first + sum(number for kind, number in said.items() if kind < "file"), total)
    stop = min(start + said.get("file", 0), total)
    small: dict[ResourceId, Resource] = {}
    _small(container, first, start, small)
    _small(container, stop, total, small)
    files = Packed(container.lines, start, stop, observed=observed)
    found = Resources(small, files)
    if counts(found) != said:
        raise miscounted(container)
    if len(files):  # what lies between the first and the last of them is looked at when somebody asks for it
        files.row(0)
        files.row(len(files) - 1)
    return found


def miscounted(container: Container) -> Exception:
    """The error for a file that has not what its first line says."""
    return container.error(1, "the counts in the envelope are not those of the lines")


def _small(container: Container, first: int, stop: int, small: dict[ResourceId, Resource]) -> None:
    last: ResourceId = max(small, default=("", ""))
    for number, line in enumerate(container.lines.between(first, stop), first + 1):
        try:
            resource = decode_resource(line)
        except (ValueError, RecursionError):
            raise container.error(number, "is not a resource") from None
        if resource.kind == "file":
            raise miscounted(container)
        if resource.id <= last:
            what = "stands twice" if resource.id == last else "is not in order of kind and key"
            raise container.error(number, f"{resource.kind} {quoted(resource.key)} {what}")
        last = resource.id
        small[resource.id] = resource


def _line(resource: Resource, observed: bool) -> bytes:
    row = {"attributes": dict(resource.attributes), "key": resource.key, "kind": resource.kind}
    if observed and resource.observed:
        row["observed"] = dict(resource.observed)
    return canonical(row)
