"""GitHub Actions: annotations, one per rule over all hosts, since a step may show ten errors, ten warnings and ten
notices, and no more ("Workflow commands", docs.github.com). Every line of this report is a command of ours: what a host
said stands inside one, escaped, so that no text of a host is a command."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from driftscan.model.finding import Severity
from driftscan.model.names import show
from driftscan.model.result import HostResult, ScanResult
from driftscan.reports import _findings as finding
from driftscan.reports import _words as words
from driftscan.reports._base import Report, Style
from driftscan.reports._findings import Finding, Place

PER_LEVEL = 10
NAMED = 5
"""Hosts, and titles, of one rule that are named."""
LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "notice",
    Severity.INFO: "notice",
}


@dataclass(slots=True)
class _Group:
    """The open findings of one rule, on all hosts. `titles` keeps order and says each once."""

    place: Place
    severity: Severity
    hosts: int = 0
    findings: int = 0
    named: list[str] = field(default_factory=list)
    titles: dict[str, None] = field(default_factory=dict)

    def add(self, host: HostResult, titles: list[str]) -> None:
        self.hosts += 1
        self.findings += len(titles)
        if len(self.named) < NAMED:
            self.named.append(words.short(host.host, 100))
        for title in titles:
            if len(self.titles) < NAMED:
                self.titles[title] = None


def _render(result: ScanResult, _style: Style) -> Iterator[str]:
    for line in _lines(result):
        yield show(line.removesuffix("\n")) + "\n"


def _lines(result: ScanResult) -> Iterator[str]:
    missed, groups = _grouped(result)
    lines = {"error": [_missed(missed)] if missed else [], "warning": [], "notice": []}
    for rule, group in sorted(groups.items(), key=lambda item: (-item[1].severity, -item[1].hosts, item[0])):
        lines[LEVELS[group.severity]].append(_annotation(rule, group))
    for level, of_level in lines.items():
        shown = of_level if len(of_level) <= PER_LEVEL else of_level[: PER_LEVEL - 1]
        yield from shown
        if len(of_level) > len(shown):
            more = words.plural(len(of_level) - len(shown), "more rule")
            yield command(level, {"title": "driftscan"}, f"{more} with findings: see the summary, or another report.")
    yield command("notice" if len(lines["notice"]) < PER_LEVEL else "debug", {"title": "driftscan"}, _summary(result))


def command(name: str, properties: dict[str, str], message: str) -> str:
    """A workflow command, escaped as GitHub's toolkit does it (actions/toolkit, packages/core/src/command.ts)."""
    said = message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    given = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{name} {given}::{said}\n"


def _property(text: str) -> str:
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return escaped.replace(":", "%3A").replace(",", "%2C")


def _grouped(result: ScanResult) -> tuple[_Group | None, dict[str, _Group]]:
    missed: _Group | None = None
    groups: dict[str, _Group] = {}
    for host in result.hosts:
        if why := finding.unscanned(host):
            missed = missed or _Group(finding.place(None, host), Severity.HIGH)
            missed.add(host, [why[0]])
        for rule, found in _by_rule(host).items():
            first = found[0]
            group = groups.setdefault(rule, _Group(finding.place(first, host), first.severity))
            group.severity = max(group.severity, first.severity)
            group.add(host, [f"{one.title} [{one.id}]" for one in found])
    return missed, groups


def _by_rule(host: HostResult) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    if host.counts:
        for one in finding.findings(host):
            if one.open:
                found.setdefault(words.short(one.rule.id, 200), []).append(one)
    return found


def _annotation(rule: str, group: _Group) -> str:
    title = f"{group.severity.word}: {rule} on {words.plural(group.hosts, 'host')}"
    more = [f"… {words.plural(group.findings, 'finding')} in all"] if group.findings > len(group.titles) else []
    lines = [*group.titles, *more, f"Hosts: {_hosts(group)}"]
    return command(LEVELS[group.severity], {**_where(group.place), "title": title}, "\n".join(lines))


def _missed(group: _Group) -> str:
    title = f"{words.plural(group.hosts, 'host')} not, or not wholly, scanned"
    return command(
        "error", {**_where(group.place), "title": title}, "\n".join((*group.titles, f"Hosts: {_hosts(group)}"))
    )


def _hosts(group: _Group) -> str:
    left = group.hosts - len(group.named)
    return ", ".join(group.named) + (f" and {left:,} more" if left else "")


def _where(place: Place) -> dict[str, str]:
    """Only a file of the repository can carry an annotation."""
    return {"file": words.short(place.file, 300), "line": str(place.line)} if place.own else {}


def _summary(result: ScanResult) -> str:
    open_findings = sum(len(host.open_severities()) for host in result.hosts)
    state = ", interrupted" if result.interrupted else ""
    waived = sum(map(words.waived, result.hosts))
    aside = f", {waived:,} waived" if waived else ""
    return f"{words.reached(result.hosts)} scanned{state}, {words.plural(open_findings, 'open finding')}{aside}."


report = Report(
    name="github", doc="annotations of GitHub Actions, and the step's summary", render=_render, summary="markdown"
)
