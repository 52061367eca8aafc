"""JSON as the contract has it (docs/formats/report.md): ASCII only, one host per line, nothing truncated."""

import json
from collections.abc import Iterator

from driftscan.model.result import ScanResult
from driftscan.reports._base import Report, Style
from driftscan.reports._build import envelope, host


def _render(result: ScanResult, _style: Style) -> Iterator[str]:
    head = ",\n".join(f'"{name}": {_dump(value)}' for name, value in envelope(result).items())
    yield f'{{\n{head},\n"hosts": ['
    for index, one in enumerate(result.hosts):
        yield f"{',' if index else ''}\n{_dump(host(one))}"
    yield "\n]}\n"


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, allow_nan=False)


report = Report(name="json", doc="the whole result for machines (driftscan.report/1)", render=_render)
