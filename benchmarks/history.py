"""A simulated month of hourly scans through the real store: its size, and what questions cost."""

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from measure import Item

HOURS = 720
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)


def measure(hosts: int, hours: int) -> Iterator[Item]:
    """Text: what was made, how large it is, what storing and asking took."""
    from driftscan.model.place import Place  # noqa: PLC0415
    from driftscan.model.trend import trend  # noqa: PLC0415
    from driftscan.store import Retention, Store  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        store = Store(place)
        month = Month(hosts, random.Random(1))
        saves = []
        for hour in range(hours):
            result = month.scan(hour)
            begun = time.perf_counter()
            store.save(result, b"%d" % hour)  # reports are files of their own: their size is that of `--report json`
            saves.append(time.perf_counter() - begun)
        size = sum(path.stat().st_size for path in Path(folder).glob("driftscan.sqlite3*"))
        now, since = BEGIN + timedelta(hours=hours), "2026-11-01T00:00:00Z"
        saves.sort()
        yield f"{hours} scans of {hosts:,} hosts; {month.begun:,} findings began, {len(month.ids):,} different ones"
        yield f"the database: {size / 1e6:.1f} MB"
        yield f"storing a scan: {saves[len(saves) // 2] * 1e3:.0f} ms (median), {saves[-1] * 1e3:.0f} at most"
        asked: dict[str, Callable[[], Any]] = {
            "`history`: the last 20 scans": lambda: store.summaries("", 20),
            "`history HOST`: its scans": lambda: store.scans_of("web-7", "", 1000),
            "`history HOST`: its findings": lambda: store.findings_of("web-7"),
            "`explain`: a finding on every host": lambda: store.find_finding("F-00"),
            "the last scan of each host": store.last_of_each,
            "`trend`: 30 days": lambda: trend(store.spells(since), BEGIN, now, "host", 30),
            "`history prune --keep-scans 24`": lambda: store.prune(Retention(scans=24), time.time()),
        }
        for name, ask in asked.items():
            begun = time.perf_counter()
            ask()
            yield f"{name}: {(time.perf_counter() - begun) * 1e3:.0f} ms"


class Month:
    """Hosts that drift: each hour one in fifty gets a finding, and one finding in a hundred goes."""

    def __init__(self, hosts: int, chance: random.Random) -> None:
        from tests.store.scans import host  # noqa: PLC0415

        self._chance = chance
        self._host = host
        self._there: list[set[str]] = [{"F-00"} for _ in range(hosts)]
        self.ids: set[str] = {"F-00"}
        self.begun = hosts

    def scan(self, hour: int) -> Any:
        """The scan of one hour."""
        from driftscan.model.result import ScanResult  # noqa: PLC0415

        for there in self._there:
            there -= {name for name in there if self._chance.random() < 0.01}
            if self._chance.random() < 0.02:
                name = f"F-{self._chance.randrange(500):03x}"
                self.begun += name not in there
                there.add(name)
                self.ids.add(name)
        at = (BEGIN + timedelta(hours=hour)).strftime("%Y-%m-%dT%H:%M:%SZ")
        hosts = tuple(self._host(f"web-{index}", *sorted(there)) for index, there in enumerate(self._there))
        return ScanResult(id=f"scan-{hour}", started_at=at, finished_at=at, mode="quick", hosts=hosts)
