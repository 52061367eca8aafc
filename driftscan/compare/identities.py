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


def is_reference(own: Mapping[str, str], reference: Reference, name: str = "") -> bool:
    """Whether a host is the very machine that a reference was taken of: same machine-id, and same host keys, as far as
    they could be read, or the reference's name: one of its keys may be another now."""
    theirs = reference.identities
    keys = [each for each in theirs if each.startswith(HOST_KEY)]
    if not keys or MACHINE_ID not in theirs or own.get(MACHINE_ID) != theirs[MACHINE_ID]:
        return False
    read = [each for each in keys if each in own]  # without root, the public halves
    return name == reference.host or (bool(read) and all(own[each] == theirs[each] for each in read))


def shared_identities(
    own: Mapping[str, str],
    references: Iterable[Reference],
    others: Mapping[str, Mapping[str, str]],
    *,
    name: str = "",
) -> tuple[Mutation, ...]:
    """A mutation for each reference (that this host is not) and each other host with which a host shares identities.
    `own` and the values of `others` (by host name) are what `identities` gave; `name`: that of the host."""
    found = [
        _mutation(shared, f"the reference {reference.host}")
        for reference in references
        if not is_reference(own, reference, name) and (shared := _shared(own, reference.identities))
    ]
    found.extend(
        _mutation(shared, f"the host {name}")
        for name, theirs in sorted(others.items())
        if (shared := _shared(own, theirs))
    )
    return tuple(found)


def changed_identities(own: Mapping[str, str], before: Mapping[str, str]) -> tuple[Mutation, ...]:
    """A mutation for host keys, and one for a machine-id, that are not those by which the same machine was known
    before. What is made once, at first boot, is made anew by nobody but a person."""
    changed = {name: Delta(old, own[name]) for name, old in sorted(before.items()) if name in own and own[name] != old}
    keys = {name: delta for name, delta in changed.items() if name.startswith(HOST_KEY)}
    ids = {name: delta for name, delta in changed.items() if name == MACHINE_ID}
    causes = ((CauseType.HOST_KEY_CHANGED, keys), (CauseType.CONFIGURATION_CHANGED, ids))
    return tuple(_renewed(cause, deltas) for cause, deltas in causes if deltas)


def _renewed(cause: CauseType, deltas: Mapping[str, Delta]) -> Mutation:
    why = "not the one that this machine had"
    heart = [_difference(name, delta, why) for name, delta in deltas.items()]
    more = f" and {len(heart) - 1} more" if len(heart) > 1 else ""
    verb = "are not those" if more else "is not the one"
    return make(cause, heart[0].key, f"{heart[0].key}{more} {verb} that this machine had", heart)


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
    why = f"equal to that of {whose}"
    heart = [_difference(name, Delta(None, digest), why) for name, digest in shared.items()]
    more = f" and {len(heart) - 1} more" if len(heart) > 1 else ""
    return make(CauseType.IDENTITY_SHARED, heart[0].key, f"{heart[0].key}{more} {why}", heart, detail=why)


def _difference(name: str, digests: Delta, why: str) -> Difference:
    return Difference(
        kind="file",
        key=name.partition(":")[2],
        change=Change.MODIFIED,
        attributes={"sha256": digests},
        zone=ZoneClass.IDENTITY,
        zone_reason="each host has its own",
        why=why,
    )
