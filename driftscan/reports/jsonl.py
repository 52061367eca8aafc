"""JSON lines: the first line is the scan, each further line a host, for pipes that must not wait or hold it all."""

import json

from driftscan.model.result import ScanResult
from driftscan.reports._base import Out, Report, Style
from driftscan.reports._build import envelope, host


def _render(result: ScanResult, out: Out, _style: Style) -> None:
    out.write(json.dumps(envelope(result), ensure_ascii=True, allow_nan=False) + "\n")
    out.writelines(json.dumps(host(one), ensure_ascii=True, allow_nan=False) + "\n" for one in result.hosts)


report = Report(name="jsonl", doc="the scan on the first line, then one host per line", render=_render)
