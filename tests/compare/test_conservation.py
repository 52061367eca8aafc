"""The conservation law: no difference is lost, none is told twice, raw = folded + allowed + unexplained."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from driftscan.compare import accounting, diff, fold
from driftscan.compare.evidence import Evidence
from driftscan.compare.transaction import Item, Transaction
from driftscan.model.drift import Change, Delta, Difference
from driftscan.model.resource import Resource, Value
from tests.compare.building import KINDS, A, B, C, file, link, manifest, snapshot

NAMES = st.sampled_from(
    ["nginx", "x", "eve", "eve/a/b", "root/SHA256:1", "/usr/bin/nginx", "a.service", "a.timer", "nginx/amd64", "-"]
)
PATHS = st.sampled_from(
    [
        "/etc/passwd", "/etc/shadow-", "/etc/x", "/etc/sudoers.d/x", "/etc/ssh/sshd_config", "/etc/cron.d/x",
        "/etc/systemd/system/a.service", "/etc/systemd/system/m.target.wants/a.timer", "/etc/ld.so.cache",
        "/etc/alternatives/x", "/etc/ssl/certs/x.pem", "/etc/sysctl.d/x", "/etc/nginx", "/etc/nginx/x",
        "/home/eve", "/home/eve/.profile", "/home/eve/x", "/usr/bin/nginx", "/usr/bin/x", "/usr/lib/x.so",
        "/usr/lib/python3/__pycache__/x.pyc", "/var/lib/nginx", "/var/lib/nginx/x", "/var/lib/dpkg/status",
        "/var/lib/dpkg/info/nginx.list", "/opt/a", "/opt/a/b", "/opt/a/b/c", "/opt/a/d", "/tmp/x", "/root/.ssh",
    ]
)  # fmt: skip
MODES = st.sampled_from(["0644", "0755", "4755", "0600"])


def some_file(path: str, mode: str, digest: str, target: str) -> Resource:
    return link(path, target) if target else file(path, mode=mode, sha256=digest)


FILES = st.builds(
    some_file, PATHS, MODES, st.sampled_from([A, B, C]), st.sampled_from(["", "", "", "/etc/alternatives/x", "../x"])
)
VALUES: st.SearchStrategy[Value] = st.sampled_from(
    [0, 1, 999, 1000, True, None, "", "eve", "installed", "config-files", "1.0", "1.1", "/home/eve", "/", "/usr/bin/x",
     "/usr/bin/nginx", "/usr/sbin/nologin", ("eve",), ("a", "b"), "enabled"]
)  # fmt: skip
ATTRIBUTES = st.dictionaries(
    st.sampled_from(
        [
            "uid",
            "gid",
            "directory",
            "shell",
            "members",
            "status",
            "version",
            "process",
            "state",
            "file",
            "value",
            "held",
            "aliases",
        ]
    ),
    VALUES,
    max_size=4,
)
THINGS = st.builds(Resource, st.sampled_from([*KINDS, "a_kind_of_tomorrow"]), NAMES, ATTRIBUTES)
RESOURCES = st.lists(st.one_of(FILES, THINGS), max_size=25, unique_by=lambda item: item.id)


def some_difference(item: Resource, change: Change, other: str, allowed: bool) -> Difference:
    deltas = {
        Change.ADDED: {name: Delta(None, value) for name, value in item.attributes.items()},
        Change.REMOVED: {name: Delta(value, None) for name, value in item.attributes.items()},
    }.get(change, {name: Delta(other, value) for name, value in list(item.attributes.items())[:2]})
    return Difference(kind=item.kind, key=item.key, change=change, attributes=deltas, allowed=allowed)


DIFFERENCES = st.lists(
    st.builds(
        some_difference,
        st.one_of(FILES, THINGS),
        st.sampled_from(list(Change)),
        st.sampled_from(["0644", "1.0", "x"]),
        st.booleans(),
    ),
    max_size=40,
    unique_by=lambda item: item.id,
)
EVIDENCE = st.sampled_from(
    [
        Evidence(),
        Evidence(
            package_files={"nginx/amd64": {"/usr/bin/nginx": "1" * 32, "/etc/nginx": "", "/var/lib/nginx": ""}},
            baseline_files={"nginx/amd64": ("/usr/bin/x",)},
            every_package=True,
            package_scripts={"nginx/amd64": "adduser --system eve; mkdir /opt/a/b"},
            history=(Transaction(install=(Item("nginx", "amd64", "", "1.0"),)),),
        ),
    ]
)


@given(DIFFERENCES, EVIDENCE)
def test_every_open_difference_is_in_exactly_one_mutation(differences: list[Difference], evidence: Evidence) -> None:
    mutations = fold(differences, evidence)
    told = [item.id for mutation in mutations for item in mutation.differences]
    assert len(told) == len(set(told))
    must = {item.id for item in differences if not item.allowed and item.change is not Change.UNKNOWN}
    may = {item.id for item in differences if item.allowed and item.change is not Change.UNKNOWN}
    assert must <= set(told) <= must | may
    assert all(mutation.differences for mutation in mutations)
    assert len({mutation.id for mutation in mutations}) == len(mutations)
    assert fold(differences[::-1], evidence) == mutations


@given(DIFFERENCES, EVIDENCE)
def test_the_sum_is_always_right(differences: list[Difference], evidence: Evidence) -> None:
    sums = accounting(differences, fold(differences, evidence))
    assert sums.raw == sums.folded + sums.allowed + sums.unexplained
    assert sums.raw == sum(item.change is not Change.UNKNOWN for item in differences)
    assert min(sums.folded, sums.allowed, sums.unexplained) >= 0


@given(RESOURCES)
def test_what_equals_itself_differs_in_nothing(items: list[Resource]) -> None:
    assert diff(manifest(*items), snapshot(*items)).differences == ()


@given(DIFFERENCES, EVIDENCE)
def test_noise_hides_no_mutation(differences: list[Difference], evidence: Evidence) -> None:
    """More differences elsewhere take none of the causes away that were told without them."""
    noise = Difference(kind="file", key="/zz/noise", change=Change.ADDED, attributes={"type": Delta(None, "regular")})
    before = {mutation.id: mutation.cause.type for mutation in fold(differences, evidence)}
    after = {mutation.id: mutation.cause.type for mutation in fold([*differences, noise], evidence)}
    assert before.items() <= after.items()
    assert fold([replace(noise, allowed=True), *differences], evidence) == fold(differences, evidence)
