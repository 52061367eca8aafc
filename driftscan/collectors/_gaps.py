"""Keeps a hostile file from filling reports with gaps."""

from collections.abc import Iterable, Iterator

from driftscan.model.resource import Resource
from driftscan.model.source import Gap, Status

MAX_GAPS = 100


def few_gaps(items: Iterable[Resource | Gap], collector: str, *kinds: str) -> Iterator[Resource | Gap]:
    """The same items with at most MAX_GAPS gaps; one more that hides all of the kinds stands for the rest."""
    count = 0
    for item in items:
        if isinstance(item, Gap):
            count += 1
            if count > MAX_GAPS:
                continue
        yield item
    if count > MAX_GAPS:
        yield Gap(collector, Status.TRUNCATED, f"{count - MAX_GAPS} more gaps of this collector", kinds)
