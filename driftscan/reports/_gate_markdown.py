"""The gate's result as Markdown, for the pull request that brings the image: what is left, fixes, changelog."""

from collections.abc import Iterator, Sequence

from driftscan.model.drift import Difference
from driftscan.model.finding import Result
from driftscan.model.gate import UNDECLARED, Fleet, GateResult, HandFix, Open
from driftscan.reports import _changelog as changelog
from driftscan.reports import _gate_text as told
from driftscan.reports import _words as words
from driftscan.reports.markdown import SHOWN, code, diff, key, prose


def render(result: GateResult) -> Iterator[str]:
    """Lines with their newline."""
    for line in _lines(result):
        yield words.inert(line) + "\n"


def _lines(result: GateResult) -> Iterator[str]:
    yield f"# {result.verdict.value}: {code(result.candidate)}"
    yield ""
    yield f"Against {code(told.approved_name(result))}. {told.accounting_line(result)}."
    if brief := changelog.headline(result):
        yield from ("", f"In short: {brief}.")
    yield from _list("", [prose(reason) for reason in result.reasons])
    yield from _open("Not explained", [each for change in result.changes for each in change.residual], every=True)
    yield from _open("Not checked", [each for change in result.changes for each in change.unproved], every=False)
    yield from _list("Identities of the approved image", [prose(one.mutation.title) for one in result.identities])
    failed = sorted(
        (one for one in result.controls if one.result in {Result.FAIL, Result.UNKNOWN}),
        key=lambda one: (-one.severity, one.result is Result.UNKNOWN, one.id),
    )
    controls = [f"**{one.severity.word}**, {one.result.value}: {prose(one.title)} ({code(one.id)})" for one in failed]
    yield from _list("Controls", controls)
    unused = [f"{code(entry.title)} ({code(entry.origin)})" for entry in result.unused]
    yield from _list("Declared, and not in the candidate", unused)
    yield from _fleet(result.fleet)
    yield from _changelog(result)
    gaps = [f"{each.collector}: {prose(each.reason)}" for each in result.gaps]
    yield from _list("Not looked at", gaps)
    yield from _list("Not compared", [prose(line) for line in told.uncompared_lines(result)])
    yield from _list("Notes", [prose(note) for note in result.notes])
    yield from _texts(result)


def _list(title: str, items: Sequence[str]) -> Iterator[str]:
    if items:
        yield from ("", f"## {title}", "") if title else ("",)
        yield from (f"- {item}" for item in dict.fromkeys(items))


def _open(title: str, items: Sequence[Open], *, every: bool) -> Iterator[str]:
    shown = items if every else items[:SHOWN]
    lines = [f"{_item(each.difference)}: {prose(each.why)}" for each in shown]
    more = [f"… and {len(items) - len(shown):,} more"] if len(items) > len(shown) else []
    yield from _list(f"{title} ({len(items):,})", [*lines, *more] if items else [])


def _item(item: Difference) -> str:
    summary = words.summary_of(item)
    return f"{item.change.value} {item.kind} {key(item.key)}{f' ({code(summary)})' if summary else ''}"


def _changelog(result: GateResult) -> Iterator[str]:
    reasons = {entry.origin: entry.reason for entry in result.entries}
    yield from _packages(result)
    yield from _list("Services, accounts, listeners", [_fact(fact) for fact in changelog.facts(result)])
    for name, changes in told.sections(result.changes).items():
        if name == told.PACKAGES:
            continue
        yield from _list(
            name,
            [
                f"{prose(change.judged.mutation.title)}: {'; '.join(prose(reasons[each]) for each in change.reasons)}"
                for change in changes
            ],
        )


def _packages(result: GateResult) -> Iterator[str]:
    rows = changelog.packages(result)
    if rows:
        yield from ("", f"## Packages ({sum(len(row.packages) for row in rows):,})", "")
        yield from ("| Source | | Before | After | Why | Packages |", "| --- | --- | --- | --- | --- | --- |")
    for row in rows:
        before, after = (code(each) if each else "" for each in (row.before, row.after))
        why = "; ".join(f"**{each}**" if each == UNDECLARED else prose(each) for each in row.why)
        names = ", ".join(code(name) for name in row.packages)
        yield f"| {code(row.source)} | {row.done} | {before} | {after} | {why} | {names} |"


def _fact(fact: changelog.Fact) -> str:
    return f"{_item(fact.difference)}: {prose(fact.title)}"


def _texts(result: GateResult) -> Iterator[str]:
    """Last, since they are long."""
    found = changelog.texts(result)
    if found:
        yield from ("", f"## Changed texts ({len(found):,})")
    for item in found[:SHOWN]:
        yield from ("", key(item.key), "", *diff(item.text))
    if len(found) > SHOWN:
        yield from ("", f"… and {len(found) - SHOWN:,} more")


def _fleet(fleet: Fleet) -> Iterator[str]:
    if fleet.hosts:
        yield from ("", "## Hand fixes of the fleet", "", f"{told.fleet_line(fleet)}. {told.age_line(fleet)}.")
        yield from _fixes(fleet.fixes)
    for said, names in told.doubts(fleet).items():
        yield from ("", f"{said}: {', '.join(code(name) for name in names)}.")
    for title, fixes in (("On all hosts since their first scan", fleet.by_image), ("Suspicious", fleet.suspicious)):
        if fixes:
            yield from ("", f"## {title}")
            yield from _fixes(fixes)


def _fixes(fixes: Sequence[HandFix]) -> Iterator[str]:
    for number, fix in enumerate(fixes):
        if not number:
            yield ""
        hosts = words.plural(len(fix.hosts), "host")
        yield f"- **{fix.fate.value}** on {hosts}: {prose(fix.title)} ({code(fix.id)})"
        yield from (f"  - {code(line)}" for line in fix.build[:SHOWN])
