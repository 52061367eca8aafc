"""Hosts of one image that are judged together are judged as each by itself."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from driftscan import policy
from driftscan.errors import UsageError
from driftscan.model.differing import differing
from driftscan.model.lines import Held, Lines
from driftscan.model.packed import Packed
from driftscan.model.patched import Patched
from driftscan.model.records import Records
from driftscan.model.resource import Value
from driftscan.model.snapshot import Snapshot
from driftscan.policy.model import Policy
from driftscan.policy.tables import Beside, Single, Tables
from tests.policy.support import Facts, loaded, manifest, snapshot

Files = dict[str, dict[str, Value]]
Changes = dict[str, dict[str, Value] | None]
NAMES = [
    *(f"/usr/bin/p{index:02}" for index in range(50)),
    *(f"/home/u/.f{index}" for index in range(12)),
    "/",
    "/etc/x",
]
COLUMNS = st.fixed_dictionaries(
    {"type": st.sampled_from(["regular", "directory"])},
    optional={
        "mode": st.sampled_from(["0644", "0666", "4755"]),
        "uid": st.sampled_from([0, 1000, 4321]),
        "gid": st.sampled_from([0, 77]),
        "capabilities": st.sampled_from(["", "cap_net_raw=ep"]),
    },
)
BASE: Files = {
    name: {"type": "regular", "mode": "0644", "uid": index % 3 // 2 * 4321, "gid": 0, "capabilities": ""}
    for index, name in enumerate(NAMES)
}
HOSTS = st.lists(st.dictionaries(st.sampled_from([*NAMES, "/usr/bin/new", "/z"]), COLUMNS | st.none(), max_size=4))
ACCOUNTS: Facts = {"user": {"u": {"uid": 1000, "gid": 0, "directory": "/home/u", "shell": "/bin/sh"}}, "group": {}}
RULES = {
    "all": 'over: file, forbid: {mode: {mode_has: "4002"}}',
    "some": "over: file, key: [/usr/bin/*, /etc/x], require: {uid: 0, capabilities: {absent: true}}, missing: fail",
    "named": 'over: file, key: [/etc/x, /usr/bin/p01, /usr/bin/new], require: {mode: "0644"}, missing: fail',
    "where": 'over: file, where: {mode: "4755"}, require: {uid: 0}, missing: pass',
    "count": 'over: file, key: "/usr/**", require: {count: {le: 49}}',
    "owners": "over: file_owner, forbid: {names: {absent: true}}",
    "examples": 'over: file_owner, require: {files: 0}, missing: pass, message: "{files} {example}"',
    "homes": 'over: home, require: {dot_files_of_others: {absent: true}, mode: "0755"}, missing: pass',
}


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> tuple[Policy, ...]:
    words = "severity: low, recommendation: observe, why: w"
    text = "".join(f"  - {{id: {name}, title: T, {body}, {words}}}\n" for name, body in RULES.items())
    return loaded(tmp_path_factory.mktemp("rules"), f"rules:\n{text}")


def host(changes: Changes) -> Snapshot:
    files = {name: columns for name, columns in {**BASE, **changes}.items() if columns is not None}
    return snapshot({**ACCOUNTS, "file": files})


@settings(max_examples=25, deadline=None)
@given(HOSTS)
@example([{"/": None}, {"/usr/bin/p00": None, "/usr/bin/p02": BASE["/usr/bin/p00"]}])  # the first of somebody's files
def test_the_answers_are_those_of_each_by_itself(rules: tuple[Policy, ...], hosts: list[Changes]) -> None:
    together = policy.Together()
    for changes in [{}, *hosts]:
        taken = host(changes)
        alone = policy.judge_controls(rules, taken, policy.Context())
        assert policy.judge_controls(rules, taken, policy.Context(), together) == alone


@settings(max_examples=15, deadline=None)
@given(HOSTS)
def test_so_are_those_of_hosts_that_were_told_their_manifest(rules: tuple[Policy, ...], hosts: list[Changes]) -> None:
    together, baked = policy.Together(), manifest({**ACCOUNTS, "file": BASE})
    for changes in hosts:
        taken = host(changes)
        context = policy.Context(manifest=baked)
        alone = policy.judge_controls(rules, taken, context)
        told = patched(taken, baked.resources.files)
        assert policy.judge_controls(rules, told, context, together) == alone


def patched(taken: Snapshot, base: Records) -> Snapshot:
    changes = list(differing(base, taken.resources.files))
    added = [(key, new) for key, _, new in changes if new is not None]
    gone = [key for key, _, new in changes if new is None]
    files = Patched(base, gone, Records([key for key, _ in added], [line for _, line in added]))
    return replace(taken, resources=replace(taken.resources, files=files))


def test_only_a_table_that_is_nearly_the_same_is_asked_beside_another() -> None:
    tables = Tables()
    first = tables.of("web", host({}).resources.files)
    assert isinstance(first, Single)
    assert isinstance(tables.of("web", host({"/": None, "/etc/x": None}).resources.files), Beside)
    assert isinstance(tables.of("db", host({"/": None}).resources.files), Single)
    far = host(dict.fromkeys(NAMES[:5])).resources.files
    assert isinstance(tables.of("web", far), Single)
    assert tables.of("web", far) is tables.of("web", far)  # now it is the one that stands for others


def test_no_more_than_a_few_tables_are_kept() -> None:
    tables = Tables()
    files = [host({}).resources.files for _ in range(9)]
    kept = [tables.of(name, each) for name, each in enumerate(files)]
    again = [tables.of(name, files[name]) is kept[name] for name in range(8, -1, -1)]
    assert again == [True] * 4 + [False] * 5


def test_a_record_that_is_damaged_is_told_with_its_file(tmp_path: Path) -> None:
    tables = Tables()
    damaged = []
    for number, mode in enumerate(('"0644"', "1.5")):
        text = b"".join(
            b'{"attributes":{"mode":%s},"key":"/%02d","kind":"file"}\n' % (m.encode(), n)
            for n, m in enumerate(['"0644"'] * 40 + [mode])
        )
        damaged.append(Packed(Lines(Held(f"{number}.snapshot", text), len(text))))
    tables.of("web", damaged[0])
    beside = tables.of("web", damaged[1])
    assert isinstance(beside, Beside)
    with pytest.raises(UsageError, match=r"1\.snapshot:41: is not a resource"):
        beside.get("/40")
