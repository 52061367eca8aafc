"""Hosts of one image beside each other."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan.compare.cohort import Member, cohorts, separators
from driftscan.compare.lineage import mark, sees
from driftscan.compare.mutation import make
from driftscan.model.cohort import Cohort, CohortClass
from driftscan.model.drift import CauseType, Change, Difference, Mutation
from driftscan.model.finding import Action, JudgedMutation, RuleRef, Severity, State
from driftscan.model.state import History, View
from driftscan.policy import placed
from tests.compare.building import A, B, added, directory, file, modified, thing

SEES = View(frozenset({"file", "user", "package"}))
BLIND = View()
T = "2026-11-20T{:02}:00:00Z"


def change(path: str = "/etc/motd", digest: str = A) -> Mutation:
    return make(CauseType.FILE_CHANGED, path, path, [modified("file", path, sha256=(B, digest))])


def history(*first: Mutation, young: bool = True, view: View = SEES, before: Iterable[Mutation] = ()) -> History:
    return History(
        machine={},
        manifest="m",
        young=young,
        first=frozenset(map(mark, first)),
        view=view,
        before=frozenset(map(mark, before)),
    )


def host(
    name: str,
    *mutations: Mutation,
    view: View = SEES,
    past: History | None = None,
    labels: Mapping[str, str] | None = None,
) -> Member:
    return Member(name=name, mutations=mutations, view=view, history=past, labels=labels or {})


def place(members: Sequence[Member], name: str, mutation: Mutation) -> Cohort:
    return cohorts(members)[name][mutation.id]


def fleet(count: int, *mutations: Mutation, past: History | None = None, start: int = 0) -> list[Member]:
    return [host(f"h{number}", *mutations, past=past) for number in range(start, start + count)]


def test_one_of_many() -> None:
    found = place([host("x", change()), *fleet(39)], "x", change())
    assert found == Cohort(kind=CohortClass.ONE, hosts=1, of=40)
    assert found.sentence == "on this host alone of 40 scanned hosts of this image"


def test_all_and_so_at_first() -> None:
    members = fleet(3, change(), past=history(change()))
    assert place(members, "h0", change()) == Cohort(kind=CohortClass.ALL_AT_FIRST, hosts=3, of=3)


def test_all_that_were_clean_before() -> None:
    members = fleet(3, change(), past=history())
    assert place(members, "h1", change()) == Cohort(kind=CohortClass.ALL_LATER, hosts=3, of=3, later=3)


def test_one_host_that_was_clean_before_acquits_the_image() -> None:
    members = [*fleet(5, change(), past=history(change())), host("x", change(), past=history())]
    assert place(members, "h0", change()) == Cohort(kind=CohortClass.ALL_LATER, hosts=6, of=6, later=1)


def test_content_that_came_later_is_later_though_the_subject_was_there() -> None:
    members = fleet(3, change(digest=A), past=history(change(digest="c" * 64)))
    assert place(members, "h0", change()).kind is CohortClass.ALL_LATER


@pytest.mark.parametrize(
    "past",
    [
        None,
        history(change(), young=False),
        history(view=BLIND),
        history(view=View(SEES.kinds, frozenset({"file:/etc/**"}))),
        History(machine={}, manifest="m", young=True, first=None),
    ],
    ids=["nothing kept", "known before", "blind at first", "hidden at first", "settling until now"],
)
def test_what_is_not_known_of_one_host_is_not_said_of_all(past: History | None) -> None:
    members = [*fleet(4, change(), past=history(change())), host("x", change(), past=past)]
    assert place(members, "h0", change()).kind is CohortClass.ALL


@pytest.mark.parametrize(
    "members",
    [
        fleet(2, change()),
        [host("h0", change()), host("y")],
        [*fleet(2, change()), host("blind", view=BLIND)],
        [],
    ],
)
def test_few_hosts_say_nothing(members: list[Member]) -> None:
    assert not any(cohorts(members).values())


def test_who_could_not_see_it_does_not_count_as_a_host_without_it() -> None:
    members = [*fleet(3, change(), past=history(change())), host("torn", view=BLIND)]
    found = place(members, "h0", change())
    assert found == Cohort(kind=CohortClass.ALL_AT_FIRST, hosts=3, of=3, unsure=1)
    assert found.sentence.endswith("(1 more could not tell)")
    hidden = host("part", view=View(SEES.kinds, frozenset({"file:/etc/**"})))
    assert place([*members[:3], hidden], "h0", change()).of == 3
    elsewhere = host("part", view=View(SEES.kinds, frozenset({"file:/root/**"})))
    assert place([*members[:3], elsewhere], "h0", change()).of == 4


def test_an_incomplete_host_that_has_it_counts() -> None:
    assert place([host("torn", change(), view=BLIND), *fleet(2)], "torn", change()).of == 3


def test_nothing_is_said_where_most_cannot_tell() -> None:
    blind = [host(f"b{number}", view=BLIND) for number in range(3)]
    assert not cohorts([*fleet(3, change()), *blind])["h0"]
    assert cohorts([*fleet(3, change()), *blind[:2]])["h0"]


def test_other_content_is_told_apart() -> None:
    mine, theirs = change(digest=A), change(digest="c" * 64)
    assert mine.id == theirs.id
    members = [host("x", mine), *fleet(4, theirs, past=history(theirs))]
    found = place(members, "x", mine)
    assert found == Cohort(kind=CohortClass.ONE, hosts=1, of=5, otherwise=4)
    assert "with this content on this host alone" in found.where
    assert place(members, "h0", theirs).kind is CohortClass.SOME


def test_content_is_that_of_the_heart_and_of_its_tree() -> None:
    package = added(thing("package", "x/amd64", version="1"))
    states = [make(CauseType.PACKAGE_INSTALLED, "x", "x", [package], [change(digest=d).differences[0]]) for d in (A, B)]
    assert states[0].content == states[1].content
    trees = [
        make(CauseType.FILE_ADDED, "/o", "o", [added(directory("/o"))], [added(file("/o/a/b", sha256=d))])
        for d in (A, B)
    ]
    assert trees[0].content != trees[1].content
    masses = [make(CauseType.FILE_CHANGED, "/o", "o", [], [added(file("/o/a", sha256=d))]) for d in (A, B)]
    assert masses[0].content != masses[1].content


@pytest.mark.parametrize("cause", ["identity-shared", "image-unknown", "host-key-changed", "coverage-fell"])
def test_what_is_no_difference_from_the_image_is_not_counted(cause: str) -> None:
    mutation = make(CauseType(cause), "x", "x", [modified("file", "/x", sha256=(A, B))])
    assert not any(cohorts(fleet(5, mutation)).values())


def test_the_zone_that_sets_them_apart() -> None:
    having = [host(f"a{n}", change(), labels={"az": "a", "name": f"a{n}", "role": "web"}) for n in range(2)]
    others = [host(f"b{n}", labels={"az": "b" if n else "c", "name": f"b{n}", "role": "web"}) for n in range(3)]
    found = place([*having, *others], "a0", change())
    assert [str(each) for each in found.by] == ["az a"]
    assert found.where == "on 2 of 5 scanned hosts of this image: those with az a"


L = dict[str, str]


@pytest.mark.parametrize(
    ("having", "others", "told"),
    [
        ([{"az": "a"}] * 2, [{"az": "b"}] * 2, ["az a"]),
        ([{"az": "a"}, {"az": "b"}], [{"az": "c"}] * 2, ["az other than c"]),
        ([{"az": "a"}, {"az": "b"}], [{"az": "c"}, {"az": "d"}], []),
        ([{"az": "a"}, {"az": "b"}], [{"az": "a"}] * 2, []),
        ([{"az": "a"}] * 2, [{"az": "b"}], []),
        ([{"az": "a"}], [{"az": "b"}] * 9, []),
        ([{"az": "a"}] * 2, [{"az": "b"}, {}], []),
        ([{}] * 2, [{}] * 2, []),
        ([{"x": "1", "az": "a"}] * 2, [{"x": "2", "az": "b"}] * 2, ["az a", "x 1"]),
        ([{"launch_time": T.format(h)} for h in (5, 4)], [{"launch_time": T.format(h)} for h in (1, 3)],
         [f"launch_time since {T.format(4)}"]),
        ([{"launch_time": T.format(h)} for h in (1, 2)], [{"launch_time": T.format(h)} for h in (8, 3)],
         [f"launch_time until {T.format(2)}"]),
        ([{"launch_time": T.format(h)} for h in (1, 3)], [{"launch_time": T.format(h)} for h in (2, 4)], []),
        ([{"launch_time": T.format(1)}] * 2, [{"launch_time": T.format(1)}] * 2, []),
        ([{"launch_time": "new"}] * 2, [{"launch_time": "old"}] * 2, []),
        ([{"launch_time": "2026-11-20T09:00:00+02:00"}] * 2, [{"launch_time": T.format(8)}] * 2,
         ["launch_time until 2026-11-20T09:00:00+02:00"]),
    ],
)  # fmt: skip
def test_separators(having: list[L], others: list[L], told: list[str]) -> None:
    assert [str(each) for each in separators(having, others)] == told


def test_a_view_needs_all_kinds() -> None:
    both = make(CauseType.ACCOUNT_ADDED, "x", "x", [added(thing("user", "x"))], [added(file("/home/x"))])
    assert sees(View(frozenset({"user", "file"})), both)
    assert not sees(View(frozenset({"user"})), both)
    unknown = Difference(kind="user", key="x", change=Change.UNKNOWN)
    assert not sees(BLIND, make(CauseType.ACCOUNT_ADDED, "x", "x", [unknown]))


# --- the algebra -------------------------------------------------------------------------------------------------

MUTATIONS = st.sampled_from([change(path, digest) for path in ("/etc/a", "/etc/b") for digest in (A, "c" * 64)])
HELD = st.lists(MUTATIONS, max_size=2, unique_by=lambda mutation: mutation.id)
PASTS = st.none() | st.builds(
    lambda first, young, view, before: history(*first, young=young, view=view, before=before),
    HELD,
    st.booleans(),
    st.sampled_from([SEES, BLIND]),
    HELD,
)
LABELS = st.dictionaries(
    st.sampled_from(["az", "launch_time", "role"]), st.sampled_from(["a", "b", T.format(1), T.format(2)])
)
HOSTS = st.builds(
    lambda mutations, view, past, labels: Member(name="", mutations=mutations, view=view, history=past, labels=labels),
    HELD,
    st.sampled_from([SEES, SEES, BLIND]),
    PASTS,
    LABELS,
)
FLEETS = st.lists(HOSTS, max_size=7).map(
    lambda found: [replace(each, name=f"h{number}") for number, each in enumerate(found)]
)
ACTIONS = st.sampled_from(list(Action))


def judged(mutation: Mutation, action: Action, cohort: Cohort | None, state: State = State.OPEN) -> JudgedMutation:
    severity = Severity.HIGH
    return placed(
        JudgedMutation(mutation=mutation, severity=severity, action=action, rule=RuleRef("r"), state=state), cohort
    )


@given(FLEETS, st.randoms(use_true_random=False))
def test_the_order_of_hosts_says_nothing(members: list[Member], random: object) -> None:
    shuffled = list(members)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert cohorts(shuffled) == cohorts(members)


def test_all_orders_of_a_small_fleet() -> None:
    hidden = host("part", view=View(SEES.kinds, frozenset({"file:/etc/motd.d/**"})))
    wide = make(CauseType.FILE_CHANGED, "/etc/motd", "x", change().differences, [added(file("/etc/motd.d/x"))])
    members = [host("a", change()), host("b", wide), host("c"), hidden]
    assert len({str(sorted(cohorts(order).items())) for order in permutations(members)}) == 1


@given(FLEETS)
def test_counts_add_up(members: list[Member]) -> None:
    for name, found in cohorts(members).items():
        own = next(each for each in members if each.name == name)
        assert set(found) <= {mutation.id for mutation in own.mutations}
        for cohort in found.values():
            assert 1 <= cohort.hosts <= cohort.hosts + cohort.otherwise <= cohort.of
            assert cohort.of + cohort.unsure == len(members)
            assert cohort.later <= cohort.hosts
            assert (cohort.hosts == cohort.of) is (cohort.kind.value.startswith("all"))


@given(FLEETS, HOSTS, ACTIONS)
def test_one_more_host_lowers_nothing_that_policy_asks_for(members: list[Member], more: Member, action: Action) -> None:
    """Severities stay. An action stays what policy asks for, or is the stronger `rebake` while all hosts have the
    mutation from the beginning. It can fall in one way alone, back to policy's: a further host refutes that all have
    it, or makes it doubtful."""
    before, after = cohorts(members), cohorts([*members, replace(more, name="more")])
    for member in members:
        for mutation in member.mutations:
            first = judged(mutation, action, before[member.name].get(mutation.id))
            then = judged(mutation, action, after[member.name].get(mutation.id))
            assert first.severity is then.severity
            assert min(first.action, then.action) >= action
            if then.action < first.action:
                assert (first.action, then.action) == (Action.REBAKE, action)
                cohort = after[member.name].get(mutation.id)
                assert cohort is None or cohort.kind is not CohortClass.ALL_AT_FIRST


@given(FLEETS, ACTIONS)
def test_a_twin_lowers_nothing_at_all(members: list[Member], action: Action) -> None:
    """One more host that is as one of them: no action falls for what that one has."""
    for twin in members:
        before, after = cohorts(members), cohorts([*members, replace(twin, name="twin")])
        for mutation in twin.mutations:
            first = judged(mutation, action, before[twin.name].get(mutation.id))
            assert judged(mutation, action, after[twin.name].get(mutation.id)).action >= first.action


@given(FLEETS, ACTIONS, st.sampled_from([State.WAIVED, State.ALLOWED, State.OPEN]))
def test_no_prevalence_pardons(members: list[Member], action: Action, state: State) -> None:
    for member in members:
        for name, cohort in cohorts(members)[member.name].items():
            mutation = next(each for each in member.mutations if each.id == name)
            found = judged(mutation, action, cohort, state)
            assert found.state is state
            assert found.action >= action
            if cohort.kind is CohortClass.ALL_LATER:
                assert found.action is action


@given(FLEETS)
def test_rebake_is_never_said_of_what_came_later_anywhere(members: list[Member]) -> None:
    for member in members:
        for name, cohort in cohorts(members)[member.name].items():
            mutation = next(each for each in member.mutations if each.id == name)
            if judged(mutation, Action.REPLACE, cohort).action is Action.REBAKE:
                held = [each for each in members if any(mark(m) == mark(mutation) for m in each.mutations)]
                assert all(each.history and mark(mutation) in (each.history.first or ()) for each in held)
