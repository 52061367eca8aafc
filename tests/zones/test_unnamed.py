"""Zones never relax what none of their patterns names, whatever they say: the comparison rules as without them.

What a pattern names is decided here by a matcher of its own, which knows nothing of how the index does it."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from hypothesis import event, given, settings
from hypothesis import strategies as st

from driftscan.compare import diff
from driftscan.compare.zoning import Judge, Pair
from driftscan.model.drift import Delta, Difference
from driftscan.model.matching import Matcher
from driftscan.model.resource import Resource, Value
from driftscan.model.zone import Provenance, Zone, ZoneClass
from tests.compare.building import A, B, C, file, link, manifest, resources, snapshot

NAMES = ("etc", "a", "b", "ab", "a.log", "a.log.1", "x2.pem", "x1.pem", "r.service", "[a]", ".ssh")
WILD = ("*", "a*", "?", "*.log*", "**", "*.pem", "[*")
KINDS = ("service", "user", "mount")  # their differences are each on their own, as those of files are


def names(zone: Zone, kind: str, key: str) -> bool:
    """Whether a zone's pattern covers a resource."""
    if zone.kind != kind:
        return False
    if kind != "file":
        return fnmatchcase(key, zone.glob.replace("[", "[[]"))
    return covers(zone.glob.split("/")[1:], key.split("/")[1:])


def covers(glob: Sequence[str], parts: Sequence[str]) -> bool:
    if not glob or not parts:
        return not glob and not parts
    if glob[0] == "**":
        if len(glob) == 1:
            return True
        return covers(glob[1:], parts) or covers(glob, parts[1:])
    return fnmatchcase(parts[0], glob[0].replace("[", "[[]")) and covers(glob[1:], parts[1:])


PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))
GLOBS = st.lists(st.one_of(st.sampled_from(NAMES), st.sampled_from(WILD)), min_size=1, max_size=3).map(
    lambda parts: "/" + "/".join(parts)
)
WORDS = st.sampled_from(("a", "ab", "a.service", "b", "/a", "/a/b"))
PATTERNS = st.one_of(GLOBS, st.builds("{}:{}".format, st.sampled_from(KINDS), st.one_of(WORDS, st.sampled_from(WILD))))
SAID = st.sampled_from((None, None, True, False))
ZONES = st.lists(
    st.builds(
        Zone,
        pattern=PATTERNS,
        zone=st.sampled_from(ZoneClass),
        reason=st.just("x"),
        attributes=st.sampled_from(((), (), ("sha256",), ("mode", "uid"), ("nlink",), ("state",))),
        may_appear=SAID,
        may_vanish=SAID,
        executables=st.booleans(),
        provenance=st.sampled_from(Provenance),
    ),
    min_size=1,
    max_size=5,
)
FILES = st.one_of(
    st.builds(
        file, PATHS, mode=st.sampled_from(("0644", "0755", "4755", "0600")), uid=st.sampled_from((0, 1)),
        sha256=st.sampled_from((A, B, C)), size=st.sampled_from((0, 10, 11)),
    ),
    st.builds(link, PATHS, st.sampled_from(("x1.pem", "../a"))),
)  # fmt: skip
ATTRIBUTES: st.SearchStrategy[dict[str, Value]] = st.fixed_dictionaries({"state": st.sampled_from(("on", "off"))})
THINGS = st.builds(Resource, st.sampled_from(KINDS), WORDS, ATTRIBUTES)
SIDES = st.lists(st.one_of(FILES, FILES, THINGS), max_size=12, unique_by=lambda item: item.id)


def pair_of(old: Resource | None, new: Resource | None) -> Pair:
    before, after = old.attributes if old else {}, new.attributes if new else {}
    every = sorted({*before, *after})
    return Pair(old, new, {n: Delta(before.get(n), after.get(n)) for n in every if before.get(n) != after.get(n)})


@settings(deadline=None)
@given(SIDES, SIDES, ZONES, st.booleans())
def test_the_ruling_is_that_without_zones(
    old: list[Resource], new: list[Resource], zones: list[Zone], born: bool
) -> None:
    before, after = {item.id: item for item in old}, {item.id: item for item in new}
    matcher = Matcher(zones)
    judge = Judge(resources(old).files, resources(new).files, born, matcher)
    for rid in sorted({*before, *after}):
        named = any(names(zone, *rid) for zone in zones)
        event("named" if named else "not named")
        assert (matcher.zone_of(*rid) is not None) is named
        if not named:
            pair = pair_of(before.get(rid), after.get(rid))
            assert judge.rule(matcher.zone_of(*rid), pair) == judge.rule(None, pair)
            assert not judge.rule(matcher.zone_of(*rid), pair).allowed


@settings(deadline=None)
@given(SIDES, SIDES, ZONES, st.booleans())
def test_differences_are_those_without_zones(
    old: list[Resource], new: list[Resource], zones: list[Zone], born: bool
) -> None:
    bare = diff(manifest(*old), snapshot(*new), born=born).differences
    zoned = diff(manifest(*old, zones=zones), snapshot(*new), born=born).differences

    def unnamed(found: Sequence[Difference]) -> list[Difference]:
        return [item for item in found if not any(names(zone, item.kind, item.key) for zone in zones)]

    assert unnamed(zoned) == unnamed(bare)
