"""Coverage that falls: less is seen of a host than was seen before."""

from hypothesis import given
from hypothesis import strategies as st

from driftscan.compare.coverage import Sights, best, fell, sights
from driftscan.model.drift import CauseType, Delta
from driftscan.model.snapshot import CollectorCoverage, CollectorStatus, FileCoverage
from driftscan.model.source import Gap, Status

COMPLETE, PARTIAL, FAILED = CollectorStatus.COMPLETE, CollectorStatus.PARTIAL, CollectorStatus.FAILED
NOWHERE = CollectorStatus.NOT_APPLICABLE


def seen(status: CollectorStatus, gaps: int = 0, files: FileCoverage | None = None) -> Sights:
    """What was seen of users and, unless it is None, of files."""
    collectors = {"users": (status, gaps)}
    return Sights(collectors, files)


def differences(before: Sights, now: Sights) -> dict[str, dict[str, Delta]]:
    found = fell(before, now)
    return {item.key: dict(item.attributes) for item in found.differences} if found else {}


def test_what_is_seen_as_before_is_no_finding() -> None:
    for same in (seen(COMPLETE), seen(PARTIAL, 2), seen(FAILED, 1), seen(NOWHERE)):
        assert fell(same, same) is None
    assert fell(seen(NOWHERE), seen(COMPLETE)) is None
    assert fell(seen(COMPLETE), seen(NOWHERE)) is None, "there is nothing of the kind any more, which was looked at"


def test_more_than_before_is_no_finding() -> None:
    assert fell(seen(FAILED, 1), seen(PARTIAL, 9)) is None
    assert fell(seen(PARTIAL, 2), seen(PARTIAL, 1)) is None
    assert fell(seen(PARTIAL, 2), seen(COMPLETE)) is None


def test_less_than_before_is_a_finding() -> None:
    found = fell(seen(COMPLETE), seen(FAILED, 1))
    assert found is not None
    assert found.cause.type is CauseType.COVERAGE_FELL
    assert found.title == "less is seen than in earlier scans: users"
    assert differences(seen(COMPLETE), seen(FAILED, 1)) == {
        "users": {"status": Delta("complete", "failed"), "gaps": Delta(0, 1)}
    }
    assert differences(seen(PARTIAL, 1), seen(PARTIAL, 3)) == {"users": {"gaps": Delta(1, 3)}}
    assert differences(seen(PARTIAL, 1), seen(FAILED, 1)) == {"users": {"status": Delta("partial", "failed")}}


def test_a_collector_that_there_was_not_before_has_nothing_to_fall_from() -> None:
    assert fell(Sights({}, None), seen(FAILED, 1)) is None


def test_files_that_are_no_longer_read() -> None:
    before = seen(COMPLETE, files=FileCoverage(seen=9, unreadable=1, over_limit=2))
    assert differences(before, seen(COMPLETE, files=FileCoverage(seen=9, unreadable=3, over_limit=2))) == {
        "files read": {"unreadable": Delta(1, 3)}
    }
    assert differences(before, seen(COMPLETE, files=FileCoverage(seen=4, over_limit=3))) == {
        "files read": {"over_limit": Delta(2, 3)}
    }
    assert fell(before, seen(COMPLETE, files=FileCoverage(seen=4))) is None, "files that are gone are no blindness"


def test_the_most_that_was_seen_is_what_counts() -> None:
    """A host that is blinded step by step does not get away with it."""
    good, poor = seen(COMPLETE, 0, FileCoverage(seen=9)), seen(PARTIAL, 1, FileCoverage(seen=8, unreadable=1))
    assert best(good, poor) == best(poor, good) == good
    assert fell(best(good, poor), poor) is not None


def walked(status: CollectorStatus, files: FileCoverage) -> Sights:
    gaps = (Gap("files", Status.FAILED, "x", ("file",)),) if status is FAILED else ()
    return sights([CollectorCoverage("files", 1, ("file",), status, gaps=gaps)], files)


def test_a_walk_that_failed_has_not_read_everything() -> None:
    """It counts nothing as unread; what the next one cannot read, as always, is no less for that."""
    always = walked(PARTIAL, FileCoverage(seen=9, unreadable=3))
    lost = walked(FAILED, FileCoverage())
    assert differences(always, lost).keys() == {"files"}
    assert fell(best(always, lost), always) is None
    assert fell(lost, always) is None, "the first that succeeds has nothing to fall from"


COUNTS = st.builds(FileCoverage, seen=st.integers(0, 9), unreadable=st.integers(0, 3), over_limit=st.integers(0, 3))
SIGHTS = st.builds(
    Sights,
    st.dictionaries(st.sampled_from("abc"), st.tuples(st.sampled_from(CollectorStatus), st.integers(0, 3))),
    st.none() | COUNTS,
)


@given(SIGHTS, SIGHTS, SIGHTS)
def test_what_was_seen_before_only_grows(one: Sights, other: Sights, now: Sights) -> None:
    most = best(one, other)
    assert fell(one, one) is None
    assert fell(most, best(most, now)) is None
    both = set(differences(one, now)) | set(differences(other, now))
    assert set(differences(most, now)) == both, "what fell below either fell below the best of both"


@given(SIGHTS, SIGHTS)
def test_the_order_of_scans_does_not_matter(one: Sights, other: Sights) -> None:
    mine, theirs = best(one, other), best(other, one)
    assert differences(mine, theirs) == differences(theirs, mine) == {}
    assert mine.files == theirs.files
    assert best(one, one) == one
