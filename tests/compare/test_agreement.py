"""Hosts that brought a package to one version, beside each other."""

from dataclasses import replace

from driftscan.compare import accounting, fold
from driftscan.compare.agreement import Witness, agreed
from driftscan.compare.evidence import Evidence
from driftscan.compare.transaction import Item, Transaction
from driftscan.model.drift import Difference, Grade, Mutation
from driftscan.model.proof import Rank
from tests.compare.building import A, B, C, added, file, modified

GOOD = "1" * 32
KEY = "tool/amd64"
HISTORY = (
    Transaction(start="2026-11-20T06:00:00Z", command="apt upgrade", upgrade=(Item("tool", "amd64", "1", "2"),)),
)
EVIDENCE = Evidence(package_files={KEY: {"/usr/bin/tool": GOOD, "/usr/lib/x": GOOD}}, history=HISTORY)


def differing(content: str, version: str = "2") -> tuple[Difference, ...]:
    return (
        modified("package", KEY, version=("1", version)),
        modified("file", "/usr/bin/tool", {"md5": GOOD}, sha256=(A, content)),
        modified("file", "/usr/lib/x", {"md5": GOOD}, sha256=(A, B)),
    )


def host(name: str, content: str, *more: Difference, machine: str = "", version: str = "2") -> Witness:
    """A host whose database vouches for whatever it has."""
    found = fold([*differing(content, version), *more], EVIDENCE)
    return Witness(spec=f"ssh://{name}", name=name, machine=machine or name, mutations=found)


def by_cause(mutations: tuple[Mutation, ...]) -> dict[str, Mutation]:
    return {str(mutation.cause.type): mutation for mutation in mutations}


def ranks(mutations: tuple[Mutation, ...]) -> dict[Rank, int]:
    proof = by_cause(mutations)["package-upgraded"].proof
    assert proof is not None
    return dict(proof.files)


def test_others_say_the_same() -> None:
    found = agreed([host("a", B), host("b", B)])
    assert set(found) == {"ssh://a", "ssh://b"}
    (only,) = found["ssh://a"]
    assert only.proof is not None
    assert (only.proof.rank, ranks(found["ssh://a"])) == (Rank.HOST, {Rank.HOST: 2})
    assert only.cause.detail == "2 files match other hosts with that version"


def test_one_that_others_contradict_is_promoted_and_nothing_is_lost() -> None:
    found = agreed([host("a", C), host("b", B), host("c", B)])
    trojan = by_cause(found["ssh://a"])["binary-changed"]
    assert trojan.cause.subject == "/usr/bin/tool"
    assert "other hosts with version 2 have another content (b, c)" in trojan.cause.detail
    assert (trojan.attribution.grade, trojan.attribution.command) == (Grade.CONTRADICTED, "apt upgrade")
    assert ranks(found["ssh://a"]) == {Rank.HOST: 1}
    assert accounting(differing(C), found["ssh://a"]).folded == 3
    assert set(by_cause(found["ssh://b"])) == {"package-upgraded"}
    assert ranks(found["ssh://b"]) == {Rank.HOST: 1, Rank.DATABASE: 1}, "one that is contradicted is not proved"


def test_of_two_that_contradict_each_other_nobody_knows_which_is_right() -> None:
    found = agreed([host("a", C), host("b", B)])
    assert all("binary-changed" in by_cause(mutations) for mutations in found.values())


def test_settings_and_state_may_be_each_hosts_own() -> None:
    lists = replace(EVIDENCE, package_files={KEY: {"/etc/tool/own": ""}})

    def with_own(name: str, content: str) -> Witness:
        items = [differing(B)[0], modified("file", "/etc/tool/own", sha256=(A, content))]
        return Witness(spec=name, name=name, machine=name, mutations=fold(items, lists))

    assert agreed([with_own("a", B), with_own("b", C)]) == {}
    assert ranks(agreed([with_own("a", B), with_own("b", B)])["a"]) == {Rank.HOST: 1}


def test_who_is_not_clean_otherwise_is_not_heard() -> None:
    stranger = added(file("/usr/bin/other", mode="0755"))
    assert agreed([host("a", B), host("b", B, stranger)]).keys() == {"ssh://b"}
    assert "binary-changed" not in by_cause(agreed([host("a", B), host("b", C, stranger)]).get("ssh://a", ()))


def test_other_versions_and_other_names_of_one_machine_say_nothing() -> None:
    assert agreed([host("a", B), host("b", C, version="3")]) == {}
    assert agreed([host("a", B, machine="one"), host("a-again", B, machine="one")]) == {}
    assert agreed([host("a", B)]) == {}


def test_what_outsiders_proved_is_no_matter_of_votes() -> None:
    proved = host("a", B)
    (operation,) = proved.mutations
    assert operation.proof is not None
    settled = replace(operation, proof=replace(operation.proof, claims={}))
    assert agreed([replace(proved, mutations=(settled,)), host("b", C)]) == {}
