"""JSON as the contract has it (docs/formats/report.md): ASCII only, one host per line, nothing truncated."""

import hashlib
import json
import weakref
from collections.abc import Iterator

from driftscan.model.result import ScanResult
from driftscan.reports._base import Report, Style
from driftscan.reports._build import envelope, host

_digests: dict[int, str] = {}
"""Of results that were rendered whole and still live, by their identity."""


def digest(result: ScanResult) -> str:
    """SHA-256 of the bytes that a file of this format has. Rendered for it only if it was not rendered whole before."""
    if id(result) not in _digests:
        for _ in _render(result, Style()):
            pass
    return _digests[id(result)]


def _render(result: ScanResult, _style: Style) -> Iterator[str]:
    made = hashlib.sha256()
    for piece in _pieces(result):
        made.update(piece.encode("ascii"))
        yield piece
    if id(result) not in _digests:
        weakref.finalize(result, _digests.pop, id(result))
    _digests[id(result)] = made.hexdigest()


def _pieces(result: ScanResult) -> Iterator[str]:
    head = ",\n".join(f'"{name}": {_dump(value)}' for name, value in envelope(result).items())
    yield f'{{\n{head},\n"hosts": ['
    for index, one in enumerate(result.hosts):
        yield f"{',' if index else ''}\n{_dump(host(one))}"
    yield "\n]}\n"


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, allow_nan=False)


report = Report(name="json", doc="the whole result for machines (driftscan.report/1)", render=_render)
