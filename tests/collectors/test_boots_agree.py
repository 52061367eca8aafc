"""Two boots of one image give equal attributes, but for what names the host: recorded from real hosts."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from driftscan.collectors._base import Collector
from driftscan.model.resource import Resource, Value
from driftscan.plugins import discover
from tests.collectors.casefiles import Case

BOOTS = Path(__file__).parent / "boots"
COLLECTORS = discover("driftscan.collectors", "collector", Collector)
OWN = {
    "network_interfaces": {("interface", "eth0"), ("address", "eth0")},
}
"""What names the host: kind and beginning of the key."""


def attributes(collector: str, boot: str) -> Mapping[tuple[str, str], Mapping[str, Value]]:
    found = COLLECTORS[collector]
    case = Case(BOOTS / collector / boot)
    resources = [item for item in found.parse(case.captures(found.sources)) if isinstance(item, Resource)]
    own = OWN.get(collector, set())
    return {r.id: r.attributes for r in resources if (r.kind, r.key.partition("/")[0]) not in own}


@pytest.mark.parametrize("collector", sorted(folder.name for folder in BOOTS.iterdir()))
def test_equal(collector: str) -> None:
    first, again = attributes(collector, "first-boot"), attributes(collector, "rebooted")
    assert first == again
    assert first or collector == "processes"
