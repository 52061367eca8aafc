"""How sure one can be of further boots: each boot held against what the others teach."""

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftscan.compare import diff
from driftscan.model.drift import Change, Difference
from driftscan.model.manifest import Manifest
from driftscan.model.resource import Resource, ResourceId
from driftscan.model.snapshot import Snapshot
from driftscan.model.zone import Provenance, Zone, ZoneClass
from driftscan.zones import Boots, HeldOut, hold_out, merge
from driftscan.zones.held_out import upper_bound
from tests.compare.building import A, B, C, file, manifest, snapshot, thing, zone


def compare(image: Manifest, host: Snapshot, zones: Sequence[Zone]) -> Iterable[Difference]:
    return diff(image, host, zones).differences


def taken(boots: Iterable[Sequence[Resource]]) -> list[Snapshot]:
    return [snapshot(*items, host=f"boot{number}") for number, items in enumerate(boots, 1)]


def held(*boots: Sequence[Resource], zones: Sequence[Zone] = ()) -> HeldOut:
    return hold_out(Boots(taken(boots), zones, compare))


def test_boots_that_agree_explain_each_other() -> None:
    found = held([file("/a")], [file("/a")], [file("/a")])
    assert found == HeldOut(3)
    assert "in 0 of 3 something is not explained" in found.text
    assert found.text.endswith("With 95% confidence that will be so in fewer than 63.2% of further boots.")


def test_what_two_boots_teach_explains_a_third() -> None:
    boots = [[file("/var/x", sha256=digest)] for digest in (A, B, C)]
    assert held(*boots) == HeldOut(3)
    assert held(*boots[:2]).unexplained == (("boot1", (("file", "/var/x"),)), ("boot2", (("file", "/var/x"),)))
    assert held(*boots[:2], zones=[zone("/var/x", "free")]) == HeldOut(2)


def test_what_one_boot_alone_has_or_lacks_the_others_do_not_explain() -> None:
    found = held([file("/a")], [file("/a"), file("/var/more")], [file("/a")])
    assert found.unexplained == (("boot2", (("file", "/var/more"),)),)
    assert "in 1 of 3" in found.text
    assert "fewer than 86.5%" in found.text
    assert held([file("/a")], [], [file("/a")]).unexplained == (("boot2", (("file", "/a"),)),)


def test_names_of_one_shape_explain_the_next() -> None:
    boots = [[file(f"/var/lib/{name}")] for name in ("0123456789ab", "ba9876543210", "0000000000aa")]
    assert held(*boots) == HeldOut(3)


def test_what_is_never_relaxed_is_never_explained() -> None:
    found = held(*([thing("user", "eve", uid=number)] for number in range(3)))
    assert len(found.unexplained) == 3
    assert found.bound == 1
    assert "nobody can say" in found.text


def test_two_boots_of_one_name_are_two() -> None:
    boots = [snapshot(*items, host="h") for items in ([file("/a")], [file("/b")], [])]
    assert [host for host, _ in hold_out(Boots(boots, (), compare)).unexplained] == ["h", "h"]


@pytest.mark.parametrize("trials", [1, 2, 3, 10, 100])
def test_without_events_the_bound_is_exact(trials: int) -> None:
    assert upper_bound(0, trials) == pytest.approx(1 - 0.05 ** (1 / trials), abs=1e-12)


@pytest.mark.parametrize(
    ("events", "trials", "bound"),
    [(1, 3, 0.864650), (1, 10, 0.394163), (3, 10, 0.606624), (9, 10, 0.994884), (3, 3, 1)],
)
def test_the_bound_of_clopper_and_pearson(events: int, trials: int, bound: float) -> None:
    """For events > 0 the 95% quantile of a beta distribution with (events + 1, trials - events), as tables have it."""
    assert upper_bound(events, trials) == pytest.approx(bound, abs=1e-6)


@given(st.integers(1, 60), st.data())
def test_more_events_allow_more_and_more_trials_less(trials: int, data: st.DataObject) -> None:
    events = data.draw(st.integers(0, trials - 1))
    assert upper_bound(events, trials) < upper_bound(events + 1, trials)
    assert upper_bound(events, trials + 1) < upper_bound(events, trials)
    assert events / trials < upper_bound(events, trials)


ITEMS = st.lists(
    st.one_of(
        st.builds(
            file,
            st.sampled_from(("/etc/a", "/etc/apt/x", "/var/b", "/var/b.log", "/var/b.log.1", "/usr/c", "/var/d1234")),
            sha256=st.sampled_from((A, B, C)), mode=st.sampled_from(("0644", "0755")),
        ),
        st.builds(thing, st.sampled_from(("user", "mount")), st.sampled_from(("a", "b")), uid=st.sampled_from((1, 2))),
    ),
    max_size=4,
    unique_by=lambda item: item.id,
)  # fmt: skip
ZONES = st.lists(
    st.builds(
        Zone,
        pattern=st.sampled_from(("/var/*", "/var/b", "user:*", "/etc/*/x")),
        zone=st.sampled_from((ZoneClass.FREE, ZoneClass.ROTATING_LOG, ZoneClass.BOOT_ONCE)),
        reason=st.just("x"),
        provenance=st.sampled_from((Provenance.PACK, Provenance.HAND)),
    ),
    max_size=2,
    unique_by=lambda item: item.pattern,
)


def plainly(boots: Sequence[Snapshot], zones: Sequence[Zone], left: int) -> tuple[ResourceId, ...]:
    """As the words say it: learn from the others, bake them, scan the one that is left."""
    rest = [boot for number, boot in enumerate(boots) if number != left]
    learned = Boots(rest, zones, compare).learn()
    merged = merge(rest)
    image = manifest(*merged.small.values(), *merged.of("file"))
    found = compare(image, boots[left], (*zones, *learned.zones, *learned.agreed))
    return tuple(item.id for item in found if not item.allowed and item.change is not Change.UNKNOWN)


@settings(deadline=None)
@given(st.lists(ITEMS, min_size=2, max_size=4), ZONES)
def test_comparing_each_pair_once_says_the_same(boots: list[list[Resource]], zones: list[Zone]) -> None:
    snapshots = taken(boots)
    each = Boots(snapshots, zones, compare)
    for number in range(len(snapshots)):
        assert each.unexplained(number) == plainly(snapshots, zones, number)
