"""What the page's script searches and filters by, as plain data: numbers where the page has numbers."""

from collections.abc import Iterable
from typing import Any

from driftscan.model.finding import Action, Severity, Verdict
from driftscan.reports._page.items import Asked, Happening, Row
from driftscan.reports._page.markup import brief
from driftscan.reports._page.view import View


def index(view: View) -> dict[str, Any]:
    """`hosts`: [action, verdict, worst severity or -1, open findings, text] of each host by its number; `mutations`:
    [cause, severity, text, hosts]; `controls`: [text, hosts]; `axes`: [name, values, value of each host]."""
    return {
        "actions": [action.word for action in Action],
        "verdicts": [verdict.value for verdict in Verdict],
        "severities": [severity.word for severity in Severity],
        "hosts": [_host(row) for row in view.rows],
        "mutations": [_mutation(each) for each in view.happenings],
        "controls": [_control(each) for each in view.controls],
        "axes": [_axis(name, values) for name, values in view.axes],
    }


def _host(row: Row) -> list[Any]:
    host = row.host
    severities = host.open_severities()
    return [
        int(host.recommendation.action),
        list(Verdict).index(host.verdict),
        max(severities, default=-1),
        len(severities),
        _text([host.host, host.target, row.image, *(host.labels[name] for name in sorted(host.labels))]),
    ]


def _mutation(given: Happening) -> list[Any]:
    mutation = given.mutation
    cause = mutation.cause
    text = _text([mutation.title, mutation.id, cause.type.value, cause.subject])
    return [cause.type.value, int(given.severity), text, [row.number for row in given.rows]]


def _control(given: Asked) -> list[Any]:
    hosts = {row.number for found in given.evidence.values() for row, _ in found}
    return [_text([given.first.title, given.first.id]), sorted(hosts)]


def _axis(name: str, values: list[str]) -> list[Any]:
    known = sorted(set(values), key=brief)
    numbers = {value: number for number, value in enumerate(known)}
    return [brief(name), [brief(value) for value in known], [numbers[value] for value in values]]


def _text(parts: Iterable[str]) -> str:
    """As it is shown, in small letters."""
    return " ".join(brief(part) for part in parts if part).lower()
