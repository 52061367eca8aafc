"""How drift moved (`model.trend.Overview`), as a report has it, and back."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from driftscan.model.trend import Line, Overview, Ranking, Stay


def built(trends: Overview) -> dict[str, Any]:
    """As plain data."""
    data = asdict(trends)
    rankings = data.pop("rankings")
    data["by"] = {each["by"]: {"lines": each["lines"], "more": each["more"]} for each in rankings}
    return data


def back(data: Mapping[str, Any]) -> Overview:
    """Of a report that fits its schema."""
    return Overview(
        since=data["since"],
        until=data["until"],
        total=_line(data["total"]),
        rankings=tuple(
            Ranking(by=by, lines=tuple(_line(each) for each in found["lines"]), more=found["more"])
            for by, found in data["by"].items()
        ),
        median=data["median"],
        p90=data["p90"],
        oldest=data["oldest"],
        stays=tuple(Stay(under=each["under"], resolved=each["resolved"], open=each["open"]) for each in data["stays"]),
    )


def _line(data: Mapping[str, Any]) -> Line:
    return Line(
        name=data["name"],
        hosts=data["hosts"],
        opened=data["opened"],
        resolved=data["resolved"],
        open=data["open"],
        series=tuple(data["series"]),
    )
