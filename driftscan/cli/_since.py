"""What is new on hosts since earlier scans, for the reports of a scan."""

from dataclasses import replace
from typing import TYPE_CHECKING

from driftscan.errors import DriftscanError
from driftscan.model.result import ScanResult

if TYPE_CHECKING:
    from driftscan.store import Store


def beside_earlier(store: "Store", result: ScanResult) -> ScanResult:
    """A scan that is about to be kept, with what is new in it. As it is where the store cannot be read, which keeping
    it will tell."""
    try:
        known = store.since_known(result)
    except DriftscanError:
        return result
    return replace(result, hosts=tuple(replace(each, since=known.get(each.host)) for each in result.hosts))
