"""How drift moved, for the reports of a scan and for `trend`."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from driftscan.errors import DriftscanError
from driftscan.model.result import ScanResult
from driftscan.model.times import text_of
from driftscan.model.trend import DAYS, Overview, overview

if TYPE_CHECKING:
    from driftscan.store import Store


def until_scan(store: "Store", result: ScanResult) -> Overview | None:
    """Until a scan that is about to be kept, which is part of it. None where no scan was kept before it, or the store
    cannot be read, which keeping the scan will tell."""
    until = datetime.fromisoformat(result.started_at)
    try:
        since = beginning(store, until)
        return overview(store.spells_with(result, text_of(since)), since, until) if since is not None else None
    except DriftscanError:
        return None


def beginning(store: "Store", until: datetime) -> datetime | None:
    """From when on drift is told: for DAYS, or since the first scan that is kept; None where none was before `until`.
    IncompleteError if the store cannot be read."""
    first = store.first_scan()
    if not first or datetime.fromisoformat(first) >= until:
        return None
    return max(until - timedelta(days=DAYS), datetime.fromisoformat(first))
