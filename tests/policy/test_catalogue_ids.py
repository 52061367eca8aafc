"""Ids of PCI DSS 4.0.1, ISO/IEC 27001:2022 and NIST SP 800-53 Rev. 5 that shipped rules refer to are ids of these."""

import re

import pytest

from driftscan import policy
from tests.policy.support import KINDS

# How many requirements each section of PCI DSS 4.0.1 has: 1.1 two, 1.2 eight, and so on.
PCI = {
    1: (2, 8, 3, 5, 1), 2: (2, 7, 2), 3: (2, 1, 3, 2, 1, 1, 9), 4: (2, 2), 5: (2, 3, 5, 1), 6: (2, 4, 3, 3, 6),
    7: (2, 6, 3), 8: (2, 8, 11, 3, 1, 3), 9: (2, 4, 4, 7, 1), 10: (2, 2, 4, 3, 1, 3, 3), 11: (2, 2, 3, 7, 2, 1),
    12: (4, 1, 4, 2, 3, 3, 1, 5, 2, 7),
}  # fmt: skip
PCI_PARTS = {"10.2.1": 7}
ISO = {5: 37, 6: 8, 7: 14, 8: 34}
NIST = {
    "AC": 25, "AU": 16, "CM": 14, "IA": 12, "MP": 8, "RA": 10, "SA": 23, "SC": 51, "SI": 23,
}  # fmt: skip


def pci(text: str) -> bool:
    parts = [int(part) for part in text.split(".")]
    if len(parts) == 4:
        return 1 <= parts.pop() <= PCI_PARTS.get(text.rpartition(".")[0], 0) and pci(text.rpartition(".")[0])
    first, second, third = parts
    return 1 <= second <= len(PCI.get(first, ())) and 1 <= third <= PCI[first][second - 1]


def iso(text: str) -> bool:
    found = re.fullmatch(r"A\.([5-8])\.(\d+)", text)
    return found is not None and 1 <= int(found[2]) <= ISO[int(found[1])]


def nist(text: str) -> bool:
    found = re.fullmatch(r"([A-Z]{2})-(\d+)(?:\(\d+\))?", text)
    return found is not None and 1 <= int(found[2]) <= NIST.get(found[1], 0)


@pytest.fixture(scope="module")
def referred() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for each in policy.load(list(policy.shipped()), KINDS):
        for rule in each.controls:
            for catalogue, ids in rule.refs.items():
                found.setdefault(catalogue, set()).update(ids)
    return found


def test_ids_exist(referred: dict[str, set[str]]) -> None:
    assert set(referred) == {"cis_debian_12", "nist_800_53", "pci_dss_4", "iso_27001"}
    assert [each for each in referred["pci_dss_4"] if not pci(each)] == []
    assert [each for each in referred["iso_27001"] if not iso(each)] == []
    assert [each for each in referred["nist_800_53"] if not nist(each)] == []


def test_an_id_that_does_not_exist_is_seen() -> None:
    assert not any(map(pci, ("1.2.9", "10.2.1.8", "10.2.2.1", "13.1.1")))
    assert not any(map(iso, ("A.5.38", "A.9.1", "8.2")))
    assert not any(map(nist, ("AC-26", "XX-1", "AC")))
