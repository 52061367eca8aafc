"""Text for a terminal: what matters most first, whole sentences, and what to do next at the end."""

from collections.abc import Iterator, Sequence

from driftscan.model.drift import Difference
from driftscan.model.finding import Action, JudgedControl, JudgedMutation, Severity, Verdict
from driftscan.model.result import NOT_COMPARED, HostResult, ImageMatch, ScanResult
from driftscan.reports import _patching_words as patching
from driftscan.reports import _words as words
from driftscan.reports._base import Report, Style
from driftscan.reports._crowd import Crowd, crowd
from driftscan.reports._terminal import Painter, columns, shown, table

SHOWN = 8
"""Differences of one mutation that are listed; `-v` lists all."""
DIFF_LINES = 8
PROBLEMS = 6
INDENT = "  "
DEEP = " " * 12


def _render(result: ScanResult, style: Style) -> Iterator[str]:
    for line in _lines(result, style):
        yield words.inert(shown(line.rstrip())) + "\n"


def _lines(result: ScanResult, style: Style) -> Iterator[str]:
    """A comparison of two targets (`diff`) is a scan without id: no fleet, and nothing that the store could explain."""
    painter = Painter(style)
    hosts = words.by_urgency(result.hosts)
    compared = not result.id
    many = None if compared or style.verbose else crowd(hosts)
    if not compared:
        yield from _fleet(result, many.listed if many else hosts, painter)
        yield from _crowd(many, painter) if many else ()
        yield from _patching(result, painter)
    known = many.known if many else frozenset()
    for one in many.full if many else hosts:
        if compared or _has_section(one) or style.verbose:
            if not compared:
                yield ""
            yield from _host(one, painter, known)
    if many and (more := len(many.told) - len(many.full)):
        rest = (
            f"{words.plural(more, 'more host')} with something to tell: -v tells it all, --report html:FILE on a page"
        )
        yield from ("", *painter.wrap(rest, ""))
    if not compared and (audited := words.audit_line(hosts)):
        yield from ("", *(painter.paint(line, "dim") for line in painter.wrap(audited, "")))
    if not compared and (command := words.following(hosts)):
        yield from ("", f"Next: {command}")


def _has_section(host: HostResult) -> bool:
    return host.verdict is not Verdict.CLEAN or bool(host.notes or host.not_baselined or words.set_aside(host))


def _crowd(many: Crowd, painter: Painter) -> Iterator[str]:
    """Of more hosts than one reads one by one: what to do with all of them, and what several have."""
    if many.listed:
        yield from painter.wrap(f"and {many.rest}", "", INDENT)
    yield ""
    yield from (painter.paint(line, "bold") for line in painter.wrap(f"{words.to_do(many.hosts)}.", ""))
    if missed := many.unscanned(words.said):
        yield from painter.wrap(missed, "", INDENT)
    if many.shared:
        yield from ("", painter.paint("On several hosts", "bold"))
    for each in many.common:
        yield from _titled(each.severity, f"{words.said(each.title)}  [{each.finding}]", painter)
        yield from painter.wrap(each.where(words.said), DEEP, DEEP + INDENT)
    if many.unlisted:
        yield painter.paint(f"{DEEP}… and {many.unlisted:,} more findings", "dim")


def _fleet(result: ScanResult, hosts: Sequence[HostResult], painter: Painter) -> list[str]:
    """The table of these hosts."""
    state = " (interrupted)" if result.interrupted else ""
    head = f"{words.reached(result.hosts)} scanned{state}, {result.mode} scan, finished {result.finished_at}"
    if not hosts:
        return [head]
    rows = [
        [
            painter.paint(words.said(one.host), "bold"),
            painter.verdict(one.verdict),
            painter.action(one.recommendation.action),
            words.finding_counts(one) or "-",
        ]
        for one in hosts
    ]
    headers = ["HOST", "VERDICT", "RECOMMENDATION", "OPEN FINDINGS"]
    plain = [[words.said(one.host), words.finding_counts(one)] for one in hosts]
    return [head, "", *table(rows, headers, _widths(plain, painter.style.width)).split("\n")]


def _patching(result: ScanResult, painter: Painter) -> Iterator[str]:
    """Which images to bake anew: what is mended outside of the hosts, once for all of them."""
    if result.patching:
        yield from ("", painter.paint("Patching", "bold"))
    for image in result.patching:
        yield from painter.wrap(patching.headline(image), INDENT, INDENT * 2)
        shown = image.upgrades if painter.style.verbose else image.upgrades[:SHOWN]
        for upgrade in shown:
            yield from painter.wrap(f"bake with {patching.line(upgrade)}", INDENT * 2, INDENT * 3)
        if len(image.upgrades) > len(shown):
            yield painter.paint(f"{INDENT * 2}… and {len(image.upgrades) - len(shown):,} more packages", "dim")
        if rest := patching.rest(image):
            yield from painter.wrap(rest, INDENT * 2)
        services = image.old_code if painter.style.verbose else image.old_code[:SHOWN]
        for service in services:
            yield from painter.wrap(patching.old_code(service), INDENT * 2, INDENT * 3)
        if len(image.old_code) > len(services):
            yield painter.paint(f"{INDENT * 2}… and {len(image.old_code) - len(services):,} more services", "dim")


def _widths(plain: list[list[str]], width: int) -> list[int | None]:
    """Of the columns: the first and the last give way where the terminal is narrow, and only then."""
    left = max(width - len("unreachable  RECOMMENDATION") - 6, 28)
    host, findings = (max(columns(row[column]) for row in plain) for column in (0, 1))
    if host + findings <= left:
        return [None] * 4
    findings = max(14, min(findings, left - host))
    return [max(14, left - findings), None, None, findings]


def _host(host: HostResult, painter: Painter, known: frozenset[str]) -> list[str]:
    """`known`: findings that are told of for several hosts together; here their titles do."""
    action = host.recommendation.action
    mark = painter.action(action, action.word.upper()) if action is not Action.NONE else painter.verdict(host.verdict)
    lines = [f"{painter.paint(words.said(host.host), 'bold')}  {mark}"]
    if host.recommendation.sentence:
        lines += painter.wrap(words.said(host.recommendation.sentence), INDENT)
    if host.recommendation.counterfactual:
        lines += painter.wrap(words.said(host.recommendation.counterfactual), INDENT)
    if host.recommendation.command:
        lines.append(f"{INDENT}To replace it: {words.said(host.recommendation.command)}")
    for basis in _basis(host):
        lines += [painter.paint(line, "dim") for line in painter.wrap(basis, INDENT, INDENT * 2)]
    for error in host.errors:
        lines += painter.wrap(f"{error.kind}: {words.said(error.message)}", INDENT, INDENT * 2)
        if error.hint:
            lines += painter.wrap(words.said(error.hint), INDENT * 2)
    for judged in words.open_mutations(host):
        lines += ["", *_mutation(judged, painter, brief=judged.mutation.id in known)]
    lines += _controls(host, painter, known)
    for title, items in _remarks(host, painter.style.verbose).items():
        lines += _list(title, items, painter)
    return lines


def _basis(host: HostResult) -> list[str]:
    """What was compared, and the accounting."""
    if host.verdict in {Verdict.UNREACHABLE, Verdict.GONE}:
        return []
    image = host.image
    name = " ".join(part for part in (words.said(image.id), words.said(image.version)) if part)
    lines = []
    if NOT_COMPARED in host.notes:
        lines.append("Compared with nothing")
    elif image.match is ImageMatch.STAND_IN:
        lines.append("Compared with its own package database")
    elif image.manifest_digest:
        lines.append(
            f"Image {name or 'without a name'} ({image.match.value}), manifest {words.value(image.manifest_digest)}"
        )
    if host.accounting.raw:
        lines.append(words.accounting_line(host))
    if reading := words.reading_line(host):
        lines.append(reading)
    return lines


def _titled(severity: Severity, title: str, painter: Painter) -> list[str]:
    lead = f"{INDENT}{severity.word.upper():<8}  "
    wrapped = painter.wrap(title, lead, DEEP)
    return [wrapped[0].replace(lead, painter.severity(severity, lead), 1), *wrapped[1:]]


def _mutation(judged: JudgedMutation, painter: Painter, *, brief: bool) -> list[str]:
    mutation = judged.mutation
    lines = _titled(judged.severity, f"{words.said(mutation.title)}  [{mutation.id}]", painter)
    who = words.attribution_line(mutation)
    if who:
        lines += painter.wrap(who, DEEP, DEEP + INDENT)
    if brief:
        return lines
    if common := words.cohort_line(judged):
        lines += painter.wrap(words.said(common), DEEP, DEEP + INDENT)
    told = words.telling(mutation.differences)
    shown = told if painter.style.verbose else told[:SHOWN]
    for item in shown:
        lines += _difference(item, painter)
    hidden = len(mutation.differences) - len(shown)
    if hidden:
        lines.append(painter.paint(f"{DEEP}… and {hidden:,} more", "dim"))
    return lines


def _difference(item: Difference, painter: Painter) -> list[str]:
    lines = [f"{DEEP}{words.SIGNS[item.change]} {item.kind} {words.name(item.key)}"]
    told = words.summary_of(item)
    if told and not item.text:
        lines += painter.wrap(told, DEEP + INDENT)
    if item.why:
        lines += painter.wrap(words.said(item.why), DEEP + INDENT)
    if item.text:
        lines += _diff_text(item.text, painter)
    return lines


def _diff_text(text: str, painter: Painter) -> list[str]:
    """The changed lines alone; their surroundings are in `driftscan explain`."""
    looks = {"+": "green", "-": "red"}
    changed = [line for line in text.split("\n") if line[:1] in looks and not line.startswith(("+++", "---"))]
    shown = changed if painter.style.verbose else changed[:DIFF_LINES]
    lines = [painter.paint(f"{DEEP}{INDENT}{words.said(line)}", looks[line[0]]) for line in shown]
    if len(changed) > len(shown):
        lines.append(painter.paint(f"{DEEP}{INDENT}… and {len(changed) - len(shown):,} more lines", "dim"))
    return lines


def _controls(host: HostResult, painter: Painter, known: frozenset[str]) -> list[str]:
    failed = words.failed_controls(host)
    if not failed:
        return []
    lines = ["", f"{INDENT}{painter.paint(words.plural(len(failed), 'control') + ' failed', 'bold')}"]
    for judged in failed:
        lines += _control(judged, painter, brief=judged.finding in known)
    return lines


def _control(judged: JudgedControl, painter: Painter, *, brief: bool) -> list[str]:
    lines = _titled(judged.severity, f"{words.said(judged.title)}  [{judged.id}]", painter)
    if brief:
        return lines
    shown = judged.evidence if painter.style.verbose else judged.evidence[:2]
    for line in shown:
        lines += painter.wrap(words.said(line), DEEP, DEEP + INDENT)
    if len(judged.evidence) > len(shown):
        lines.append(painter.paint(f"{DEEP}… and {len(judged.evidence) - len(shown):,} more", "dim"))
    return lines


def _remarks(host: HostResult, verbose: int) -> dict[str, list[str]]:
    """Everything beside the findings that a careful reader must know, by heading."""
    undecided = [f"{words.said(judged.title)}  [{judged.id}]" for judged in words.undecided_controls(host)]
    found = {
        "Not looked at": words.problems(host),
        "Controls that could not be decided": undecided,
        f"Not baselined ({_witness(host)})": [words.said(item) for item in host.not_baselined],
        "Notes": [words.said(note) for note in host.notes],
        "Set aside": [words.set_aside(host)] if words.set_aside(host) else [],
    }
    if verbose and host.timings:
        found["Time"] = [", ".join(f"{words.said(name)} {ms} ms" for name, ms in sorted(host.timings.items()))]
    return {title: items for title, items in found.items() if items}


def _witness(host: HostResult) -> str:
    stand_in = host.image.match is ImageMatch.STAND_IN
    return "the package database does not tell of them" if stand_in else "the manifest does not cover them"


def _list(title: str, items: list[str], painter: Painter) -> list[str]:
    lines = ["", f"{INDENT}{painter.paint(title, 'bold')}"]
    shown = items if painter.style.verbose else items[:PROBLEMS]
    for item in shown:
        lines += painter.wrap(item, INDENT * 2, INDENT * 3)
    if len(items) > len(shown):
        lines.append(painter.paint(f"{INDENT * 2}… and {len(items) - len(shown):,} more", "dim"))
    return lines


report = Report(name="text", doc="for people at a terminal", render=_render)
