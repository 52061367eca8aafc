"""The kinds of the real collectors, and short ways to make facts."""

from collections.abc import Mapping

from driftscan.collectors._base import Collector
from driftscan.model.resource import Kind
from driftscan.plugins import discover

KINDS: Mapping[str, Kind] = {
    kind.name: kind for each in discover("driftscan.collectors", "collector", Collector).values() for kind in each.kinds
}
