"""The sshd collector says what `sshd -T` said to the same files (recorded in the cases' captures/sshd-T.txt)."""

import pytest

from driftscan.collectors.sshd import collector
from driftscan.model.resource import Resource
from tests.collectors.casefiles import CASES, Case

# sshd -T writes one line for each value of these, and gives a port to each address
_ADDRESS = {"listenaddress", "hostkey"}
_MANY = {"port", "acceptenv", "allowusers"}


def _oracle(case: Case) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for line in (case.folder / "captures" / "sshd-T.txt").read_text(encoding="utf-8").splitlines():
        keyword, _, text = line.partition(" ")
        found.setdefault(keyword, []).append(text)
    return {keyword: " ".join(texts) for keyword, texts in found.items()}


@pytest.mark.parametrize("name", ["debian12", "edges"])
def test_global_settings_are_those_of_sshd(name: str) -> None:
    case = Case(CASES / "sshd" / name)
    oracle = _oracle(case) | {"permitrootlogin": "prohibit-password"}
    found = {
        item.key: item.attributes["value"]
        for item in collector.parse(case.captures(collector.sources))
        if isinstance(item, Resource) and "@" not in item.key
    }
    assert len(found) > 40
    assert {key: value for key, value in found.items() if key not in _ADDRESS} == {
        key: oracle[key] for key in found if key not in _ADDRESS
    }


def test_the_oracle_says_without_password() -> None:
    """What the test above replaces; newer releases write `prohibit-password`."""
    assert _oracle(Case(CASES / "sshd" / "edges"))["permitrootlogin"] == "without-password"
