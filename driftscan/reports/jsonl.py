"""JSON lines: the first line is the scan, each further line a host, for pipes that must not wait or hold it all."""

import json
from collections.abc import Iterator

from driftscan.model.result import ScanResult
from driftscan.reports._base import Report, Style
from driftscan.reports._build import envelope, host


def _render(result: ScanResult, _style: Style) -> Iterator[str]:
    yield json.dumps(envelope(result), ensure_ascii=True, allow_nan=False) + "\n"
    for one in result.hosts:
        yield json.dumps(host(one), ensure_ascii=True, allow_nan=False) + "\n"


report = Report(name="jsonl", doc="the scan on the first line, then one host per line", render=_render)
