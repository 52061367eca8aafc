"""JUnit XML as Jenkins reads it (junit-10.xsd of its xunit plugin): a suite per host, in it one case that the host was
scanned, one per mutation, one per control. What XML 1.0 forbids is written as `show` writes it."""

import html
from collections.abc import Iterator

from driftscan.model.finding import Result, State
from driftscan.model.names import show
from driftscan.model.result import HostResult, ScanResult
from driftscan.reports import _findings as finding
from driftscan.reports import _words as words
from driftscan.reports._base import Report, Style
from driftscan.reports._findings import Finding

_NAME = 500
_FORBIDDEN = {0xFFFE: "\\ufffe", 0xFFFF: "\\uffff"}
"""Of XML 1.0 (2.2 Characters), what `show` lets through."""


def _render(result: ScanResult, _style: Style) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="driftscan">\n'
    for index, host in enumerate(result.hosts):
        yield from _suite(index, host, result)
    yield "</testsuites>\n"


def _text(text: str) -> str:
    """Text of ours, which may hold newlines, as content or between quotes."""
    return html.escape("\n".join(map(show, text.split("\n"))).translate(_FORBIDDEN))


def _shown(text: str) -> str:
    return _text(words.short(text, _NAME))


def _suite(index: int, host: HostResult, result: ScanResult) -> Iterator[str]:
    cases = [_scanned(host), *(_case(host, one) for one in finding.findings(host))]
    counts = {tag: sum(f"<{tag} " in case for case in cases) for tag in ("failure", "error", "skipped")}
    seconds = sum(host.timings.values()) / 1000
    yield (
        f'<testsuite name="{_shown(host.host)}" id="{index}" hostname="{_shown(host.host)}" tests="{len(cases)}"'
        f' failures="{counts["failure"]}" errors="{counts["error"]}" skipped="{counts["skipped"]}"'
        f' time="{seconds:.3f}" timestamp="{result.started_at.removesuffix("Z")}">\n'
    )
    yield "<properties>\n"
    for name, value in _properties(host, result):
        yield f'<property name="{name}" value="{_shown(value)}"/>\n'
    yield "</properties>\n"
    yield from cases
    yield "</testsuite>\n"


def _properties(host: HostResult, result: ScanResult) -> list[tuple[str, str]]:
    return [
        ("scan", result.id),
        ("target", host.target),
        ("image", f"{host.image.id} {host.image.version}".strip()),
        ("manifest", host.image.manifest_digest),
        ("verdict", host.verdict.value),
        ("recommendation", host.recommendation.action.word),
        ("sentence", host.recommendation.sentence),
    ]


def _scanned(host: HostResult) -> str:
    """The case that fails where nothing else could: a host that was not looked at has no other."""
    why = finding.unscanned(host)
    if why:
        inside = _outcome("error", host.verdict.value, why[0], why[1:])
    elif not host.counts:
        inside = _outcome("skipped", "", f"{host.verdict.value}: {words.short(host.recommendation.sentence, _NAME)}")
    else:
        inside = ""
    return _testcase(host, "the host was scanned", inside)


def _case(host: HostResult, one: Finding) -> str:
    name = f"{one.title} [{one.id}]" if one.result is None else f"{words.short(one.rule.id, _NAME)}: {one.title}"
    return _testcase(host, name, _judged(host, one))


def _judged(host: HostResult, one: Finding) -> str:
    if one.waived:
        return _outcome("skipped", "", f"waived: {finding.waiver_line(one.waiver)}")
    if one.state is State.ALLOWED:
        return _outcome("skipped", "", f"allowed: {words.short(one.rule.why, _NAME)}")
    if one.result is Result.NOT_APPLICABLE:
        return _outcome("skipped", "", "not applicable")
    if one.result is Result.UNKNOWN:
        return _outcome("error", "unknown", "the facts could not be had", one.lines)
    if not one.open:
        return ""
    if not host.counts:
        return _outcome("skipped", "", f"{host.verdict.value}: {one.severity.word}, not counted", _why(one))
    return _outcome("failure", one.severity.word, f"{one.title} ({one.severity.word}, {one.action.word})", _why(one))


def _why(one: Finding) -> tuple[str, ...]:
    rule = f"rule {one.rule.id}" + (f" at {one.rule.file}:{one.rule.line}" if one.rule.file else "")
    because = (words.short(one.rule.why, _NAME),) if one.rule.why else ()
    fix = (f"Fix: {one.fix}",) if one.fix else ()
    return (*one.lines, words.short(rule, _NAME), *because, *fix, f"driftscan explain {one.id}")


def _outcome(tag: str, kind: str, message: str, lines: tuple[str, ...] = ()) -> str:
    typed = f' type="{kind}"' if kind else ""
    body = _text("\n".join(lines))
    return f'<{tag}{typed} message="{_text(message)}">{body}</{tag}>\n'


def _testcase(host: HostResult, name: str, inside: str) -> str:
    head = f'<testcase classname="{_shown(host.host)}" name="{_text(name)}" time="0"'
    return f"{head}>\n{inside}</testcase>\n" if inside else f"{head}/>\n"


report = Report(
    name="junit", doc="JUnit XML for Jenkins, GitLab and others: a suite per host", render=_render, screen=False
)
