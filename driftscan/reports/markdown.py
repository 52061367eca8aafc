"""Markdown for tickets and pull requests. Whatever a host said stands in code spans or is escaped: no HTML, no
mention of a user, no link, no broken table, on any Markdown that the reader may have (CommonMark 0.31, GFM)."""

import re
from collections.abc import Iterator, Sequence

from driftscan.model.drift import Difference
from driftscan.model.finding import JudgedControl, JudgedMutation, Verdict
from driftscan.model.names import show
from driftscan.model.result import HostResult, ScanResult
from driftscan.reports import _patching_words as patching
from driftscan.reports import _words as words
from driftscan.reports._base import Report, Style
from driftscan.reports._crowd import Crowd, crowd

SHOWN = 20
"""Differences of one mutation that are listed; the JSON report has all."""
DIFF_LINES = 60
_SPECIAL = re.compile(r"([\\`*_\[\]#|~>])")
_LIST_MARK = re.compile(r"^(\s*\d*)([-+.)])")
_CODE_UNSAFE = {"`": "\\x60", "<": "\\x3c", "|": "\\x7c"}


def _render(result: ScanResult, _style: Style) -> Iterator[str]:
    for line in _lines(result):
        yield words.inert(show(line)) + "\n"


def code(text: str) -> str:
    """A code span. What could end it, a table's cell, or begin HTML in a careless renderer becomes `\\xNN`."""
    safe = "".join(_CODE_UNSAFE.get(char, char) for char in words.short(text, words.NAME))
    return f"`{safe or ' '}`"


def key(text: str) -> str:
    """A resource's key as a code span, told apart from every other key also where white space is shown as one."""
    return code(words.name(text))


def prose(text: str) -> str:
    """Running text: Markdown's characters are escaped, `<` and `&` are entities, and what platforms turn into
    mentions, references and links even in plain text (`@name`, `#1`, `://`) is broken by a `\\xNN`."""
    safe = words.said(text).replace("://", ":\\x2f/").replace("@", "\\x40")
    safe = re.sub(r"#(?=\w)", r"\\x23", safe)
    safe = _LIST_MARK.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", safe.replace("&", "&amp;")))
    return safe.replace("<", "&lt;")


def _lines(result: ScanResult) -> Iterator[str]:
    hosts = words.by_urgency(result.hosts)
    yield "# driftscan"
    yield ""
    state = ", interrupted" if result.interrupted else ""
    yield f"{words.plural(len(hosts), 'host')}, {result.mode} scan, finished {result.finished_at}{state}"
    yield ""
    many = crowd(hosts) if result.id else None
    yield from _table(many.listed if many else hosts)
    yield from _crowd(many) if many else ()
    if audited := words.audit_line(hosts):
        yield from ("", prose(audited))
    yield from _patching(result)
    known = many.known if many else frozenset()
    for one in many.full if many else hosts:
        if one.verdict is not Verdict.CLEAN:
            yield ""
            yield from _host(one, known)
    if many and (more := len(many.told) - len(many.full)):
        yield from (
            "",
            f"{words.plural(more, 'more host')} with something to tell: the JSON report and the page have all.",
        )
    if result.id and (command := words.following(hosts)):  # one without id is a comparison, which no store explains
        yield from ("", f"Next: {code(command)}")


def _table(hosts: Sequence[HostResult]) -> Iterator[str]:
    if hosts:
        yield "| Host | Verdict | Recommendation | Open findings |"
        yield "| --- | --- | --- | --- |"
    for one in hosts:
        action = one.recommendation.action.word
        found = words.findings_of(one) + (f" ({count} waived)" if (count := words.waived(one)) else "")
        yield f"| {code(one.host)} | {one.verdict.value} | {action} | {found} |"


def _crowd(many: Crowd) -> Iterator[str]:
    """Of more hosts than one reads one by one: what to do with all of them, and what several have."""
    if many.listed:
        yield from ("", f"and {many.rest}")
    yield from ("", f"{words.to_do(many.hosts)}.")
    if missed := many.unscanned(code):
        yield from ("", missed)
    if many.shared:
        yield from ("", "## On several hosts", "")
    for each in many.common:
        yield f"- **{each.severity.word}**: {prose(each.title)} (finding {code(each.finding)}) {each.where(code)}"
    if many.unlisted:
        yield f"- … and {many.unlisted:,} more findings"


def _word(text: str) -> str:
    """A word of ours; one that is none, in a report by somebody else, as code."""
    return text if re.fullmatch("[a-z][a-z_-]*", text) else code(text)


def _patching(result: ScanResult) -> Iterator[str]:
    if result.patching:
        yield from ("", "## Patching")
    for image in result.patching:
        yield from ("", f"{prose(patching.headline(image))}", "")
        for upgrade in image.upgrades:
            yield f"- bake with {prose(patching.line(upgrade))}"
        if rest := patching.rest(image):
            yield f"- {prose(rest)}"
        for service in image.old_code:
            yield f"- {prose(patching.old_code(service))}"


def _host(host: HostResult, known: frozenset[str]) -> Iterator[str]:
    """`known`: findings that are told of for several hosts together; here their titles do."""
    yield f"## {code(host.host)}: {host.recommendation.action.word}"
    yield ""
    yield prose(host.recommendation.sentence)
    if host.recommendation.counterfactual:
        yield prose(host.recommendation.counterfactual)
    if host.recommendation.command:
        yield from ("", f"To replace it: {code(host.recommendation.command)}")
    if host.accounting.raw:
        yield from ("", f"{words.accounting_line(host)}.")
    if reading := words.reading_line(host):
        yield from ("", f"{reading}.")
    for error in host.errors:
        yield from ("", f"- **{_word(error.kind)}**: {prose(error.message)}")
        if error.hint:
            yield f"  - {prose(error.hint)}"
    for judged in words.open_mutations(host):
        yield ""
        yield from _mutation(judged, brief=judged.mutation.id in known)
    failed = words.failed_controls(host)
    if failed:
        yield from ("", "### Failed controls", "")
        for control in failed:
            yield from _control(control, brief=control.finding in known)
    for title, items in _remarks(host).items():
        yield from ("", f"### {title}", "")
        yield from (f"- {item}" for item in items)


def _mutation(judged: JudgedMutation, *, brief: bool) -> Iterator[str]:
    mutation = judged.mutation
    yield f"### {judged.severity.word}: {prose(mutation.title)}"
    yield ""
    yield f"Finding {code(mutation.id)}, {words.plural(mutation.explains, 'resource')}"
    who = mutation.attribution
    if words.attribution_line(mutation):
        parts = [f"by {code(who.actor)}" if who.actor else "", f"at {code(who.at)}" if who.at else ""]
        ran = f": {code(who.command)}" if who.command else ""
        yield f"{' '.join(part for part in parts if part) or 'evidence'} ({who.grade.value}){ran}"
    if brief:
        return
    if common := words.cohort_line(judged):
        yield prose(common)
    yield ""
    shown = words.telling(mutation.differences)[:SHOWN]
    for item in shown:
        yield from _difference(item)
    if len(mutation.differences) > len(shown):
        yield f"- … and {len(mutation.differences) - len(shown):,} more"


def _difference(item: Difference) -> Iterator[str]:
    told = words.summary_of(item) if not item.text else ""
    why = f", {prose(item.why)}" if item.why else ""
    yield f"- {item.change.value} {_word(item.kind)} {key(item.key)}{f': {code(told)}' if told else ''}{why}"
    if item.text:
        yield from ("", *(f"  {line}" for line in diff(item.text)), "")


def diff(text: str) -> Iterator[str]:
    """A unified diff as a block of code."""
    lines = text.rstrip("\n").split("\n")
    yield "```diff"
    for line in lines[:DIFF_LINES]:
        yield "".join(_CODE_UNSAFE.get(char, char) for char in words.said(line))
    yield "```"
    if len(lines) > DIFF_LINES:
        yield f"… and {len(lines) - DIFF_LINES:,} more lines"


def _control(judged: JudgedControl, *, brief: bool) -> Iterator[str]:
    yield f"- **{judged.severity.word}**: {prose(judged.title)} ({code(judged.id)}, finding {code(judged.finding)})"
    for line in () if brief else judged.evidence[:SHOWN]:
        yield f"  - {prose(line)}"


def _remarks(host: HostResult) -> dict[str, list[str]]:
    undecided = [f"{prose(judged.title)} ({code(judged.id)})" for judged in words.undecided_controls(host)]
    found = {
        "Not looked at": [prose(line) for line in words.problems(host)],
        "Controls that could not be decided": undecided,
        "Not baselined": [code(item) for item in host.not_baselined],
        "Notes": [prose(note) for note in host.notes],
        "Set aside": [words.set_aside(host)] if words.set_aside(host) else [],
    }
    return {title: items for title, items in found.items() if items}


report = Report(name="markdown", doc="for tickets and pull requests", render=_render)
