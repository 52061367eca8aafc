"""Values that must be one host's own: no reference and no other host may have them."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from driftscan.compare.mutation import make
from driftscan.model.drift import CauseType, Change, Delta, Difference, Mutation
from driftscan.model.matching import Matcher, covered
from driftscan.model.snapshot import Reference, Resources
from driftscan.model.zone import Zone, ZoneClass

MACHINE_ID = "file:/etc/machine-id"
HOST_KEY = "file:/etc/ssh/ssh_host_"
_NOBODYS = frozenset(
    {
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",  # an empty file
        "b1f1319607d3ec9e0bf8c817dffcb1cd9a9b81f588760bada66755561a65d697",  # "uninitialized": machine-id(5)
    }
)


def identities(resources: Resources, zones: Iterable[Zone] | Matcher) -> dict[str, str]:
    """`file:path` -> SHA-256 of the content of each regular file in an identity zone, as `Reference` keeps them.
    Empty files and an uninitialized machine-id are nobody's identity."""
    matcher = Matcher.of(zones)
    found = {}
    for key in _candidates(resources, matcher):
        resource = resources.get("file", key)
        digest = resource.attributes.get("sha256") if resource else None
        if isinstance(digest, str) and digest not in _NOBODYS:
            found[f"file:{key}"] = digest
    return found


def is_reference(own: Mapping[str, str], reference: Reference) -> bool:
    """Whether a host is the very machine that a reference was taken of: same machine-id and same host keys."""
    theirs = reference.identities
    keys = [name for name in theirs if name.startswith(HOST_KEY)]
    return bool(keys) and MACHINE_ID in theirs and all(own.get(name) == theirs[name] for name in (MACHINE_ID, *keys))


def shared_identities(
    own: Mapping[str, str], references: Iterable[Reference], others: Mapping[str, Mapping[str, str]]
) -> tuple[Mutation, ...]:
    """A mutation for each reference (that this host is not) and each other host with which a host shares identities.
    `own` and the values of `others` (by host name) are what `identities` gave."""
    found = [
        _mutation(shared, f"the reference {reference.host}")
        for reference in references
        if not is_reference(own, reference) and (shared := _shared(own, reference.identities))
    ]
    found.extend(
        _mutation(shared, f"the host {name}")
        for name, theirs in sorted(others.items())
        if (shared := _shared(own, theirs))
    )
    return tuple(found)


def _candidates(resources: Resources, matcher: Matcher) -> Iterator[str]:
    for key in sorted({key for zone in _zones(matcher) for key in covered(resources.files, zone.glob)}):
        zone = matcher.zone_of("file", key)
        if zone is not None and zone.zone is ZoneClass.IDENTITY:
            yield key


@lru_cache(maxsize=32)
def _zones(matcher: Matcher) -> tuple[Zone, ...]:
    return tuple(zone for zone in matcher.zones if zone.kind == "file" and zone.zone is ZoneClass.IDENTITY)


def _shared(own: Mapping[str, str], theirs: Mapping[str, str]) -> dict[str, str]:
    return {name: digest for name, digest in sorted(own.items()) if theirs.get(name) == digest}


def _mutation(shared: Mapping[str, str], whose: str) -> Mutation:
    paths = [name.partition(":")[2] for name in shared]
    heart = [
        Difference(
            kind="file",
            key=path,
            change=Change.MODIFIED,
            attributes={"sha256": Delta(None, digest)},
            zone=ZoneClass.IDENTITY,
            zone_reason="each host has its own",
            why=f"equal to that of {whose}",
        )
        for path, digest in zip(paths, shared.values(), strict=True)
    ]
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    title = f"{paths[0]}{more} equal to that of {whose}"
    return make(CauseType.IDENTITY_SHARED, paths[0], title, heart, detail=f"equal to that of {whose}")
