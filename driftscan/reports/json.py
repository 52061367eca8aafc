"""JSON as the contract has it (docs/formats/report.md): ASCII only, one host per line, nothing truncated."""

import json

from driftscan.model.result import ScanResult
from driftscan.reports._base import Out, Report, Style
from driftscan.reports._build import envelope, host


def _render(result: ScanResult, out: Out, _style: Style) -> None:
    """Written host by host, so that a report of ten thousand hosts needs the memory of one."""
    head = ",\n".join(f'"{name}": {_dump(value)}' for name, value in envelope(result).items())
    out.write(f'{{\n{head},\n"hosts": [')
    out.writelines(f"{',' if index else ''}\n{_dump(host(one))}" for index, one in enumerate(result.hosts))
    out.write("\n]}\n")


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, allow_nan=False)


report = Report(name="json", doc="the whole result for machines (driftscan.report/1)", render=_render)
