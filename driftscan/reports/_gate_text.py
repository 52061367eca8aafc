"""The gate's result for people: a changelog of the image, what nobody declared, what of the fleet would be lost, and
the verdict last, where the eye ends."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from driftscan.model.declared import Entry
from driftscan.model.drift import CauseType, Difference, Uncompared
from driftscan.model.finding import Result, Verdict
from driftscan.model.gate import (
    UNDECLARED,
    Explained,
    Fate,
    Fleet,
    GateResult,
    GateVerdict,
    Ground,
    HandFix,
    ImageChange,
    Open,
    PartFate,
)
from driftscan.model.names import show
from driftscan.reports import _words as words
from driftscan.reports._base import Style
from driftscan.reports._changelog import headline
from driftscan.reports._terminal import Painter

SHOWN = 20
"""Differences of one change that are listed; `-v` lists all. What is not explained is listed wholly."""
HOSTS = 6
EXAMPLE = 80
"""Characters of a key that is named as an example."""
INDENT = "  "
DEEP = " " * 6
OTHER_SECTION = "Other"
PACKAGES = "Packages"
_SECTIONS = (
    (PACKAGES, ("package-", "language-")),
    ("Services and jobs", ("service-", "scheduled-", "listener-", "process-", "library-", "container-")),
    ("Accounts and access", ("account-", "access-", "certificate-")),
    (
        "System and settings",
        ("os-", "kernel-", "sysctl-", "mount-", "network-", "firewall-", "name-", "configuration-"),
    ),
    ("Files", ("file-", "binary-", "privilege-")),
)
GROUNDS = {
    Ground.NAMED: "named",
    Ground.CONTENT: "with the declared content",
    Ground.ARCHIVE: "as the package archive has it",
    Ground.DATABASE: "with the package's MD5",
    Ground.LISTED: "of the package, which has no digest of them",
    Ground.GENERATED: "that the package operation wrote",
    Ground.FOLLOWS: "that follow from declared files",
}
FATES = {
    Fate.CONTAINED: "in the candidate",
    Fate.PARTLY: "partly in the candidate",
    Fate.LOST: "lost",
    Fate.OTHER: "the candidate has a third value",
    Fate.UNSEEN: "not to be seen in the candidate",
}
_LOOKS = {
    GateVerdict.PASSED: "bold green",
    GateVerdict.FAILED: "bold red",
    GateVerdict.INCOMPLETE: "bold magenta",
}


def render(result: GateResult, style: Style) -> Iterator[str]:
    """Lines with their newline."""
    for line in _lines(result, Painter(style)):
        yield words.inert(line.rstrip()) + "\n"


def section_of(cause: CauseType) -> str:
    """Under which heading of the changelog a change stands."""
    return next((name for name, starts in _SECTIONS if cause.value.startswith(starts)), OTHER_SECTION)


def sections(changes: Iterable[ImageChange]) -> dict[str, list[ImageChange]]:
    """The changes of a changelog by heading, by title within one; those of which nothing is explained are not in it."""
    found: dict[str, list[ImageChange]] = {}
    for change in sorted(changes, key=lambda each: each.judged.mutation.title):
        if change.explained:
            found.setdefault(section_of(change.judged.mutation.cause.type), []).append(change)
    order = [*(name for name, _ in _SECTIONS), OTHER_SECTION]
    return {name: found[name] for name in order if name in found}


def accounting_line(result: GateResult) -> str:
    """`raw = zoned + declared + residual + unproved` in figures."""
    return (
        f"{words.plural(result.raw, 'difference')} = {result.zoned:,} accepted by zones + {result.declared:,} declared"
        f" + {result.residual:,} not explained + {result.unproved:,} not checked"
    )


def approved_name(result: GateResult) -> str:
    """`web.manifest (web 7)`."""
    image = " ".join(part for part in (result.image.id, result.image.version) if part)
    return show(result.approved) + (f" ({show(image)})" if image else "")


def grounds_line(explained: Sequence[Explained]) -> str:
    """How well the parts of a change are founded: `14 with the package's MD5, 2 that the package operation wrote`."""
    counts = Counter(each.ground for each in explained)
    return ", ".join(f"{counts[ground]:,} {GROUNDS[ground]}" for ground in Ground if counts[ground])


def fleet_line(fleet: Fleet) -> str:
    """`Replacing these 14 hosts reverts 3 hand fixes: 2 are in the candidate, 1 would be lost`."""
    hosts = "this host" if len(fleet.hosts) == 1 else f"these {len(fleet.hosts):,} hosts"
    if not fleet.fixes:
        return f"Replacing {hosts} reverts no hand fix"
    said = {
        Fate.CONTAINED: ("is in the candidate", "are in the candidate"),
        Fate.PARTLY: ("is partly in it", "are partly in it"),
        Fate.LOST: ("would be lost", "would be lost"),
        Fate.OTHER: ("has a third value there", "have a third value there"),
        Fate.UNSEEN: ("cannot be seen there", "cannot be seen there"),
    }
    counts = {fate: len(fleet.of(fate)) for fate in Fate}
    told = [f"{count} {said[fate][count > 1]}" for fate, count in counts.items() if count]
    noun = "hand fix" if len(fleet.fixes) == 1 else "hand fixes"
    return f"Replacing {hosts} reverts {len(fleet.fixes):,} {noun}: {', '.join(told)}"


def age_line(fleet: Fleet) -> str:
    """Of when the scans are that this is known from."""
    times = sorted(one.scanned_at for one in fleet.hosts)
    if not times:
        return ""
    span = times[0] if times[0] == times[-1] else f"from {times[0]} to {times[-1]}"
    return f"As the last scans knew them ({span}): what was done since is not told"


def uncompared_lines(result: GateResult) -> list[str]:
    """What one of the two images does not speak of, a line for each image."""
    told = []
    for baked, side in ((True, "candidate"), (False, "approved image")):
        items = [_missed(each) for each in result.uncompared if each.baked is baked]
        if items:
            told.append(f"Not known of the {side}: {', '.join(items)}")
    return told


def _missed(item: Uncompared) -> str:
    """`listen (12)`, `file.flags (3, such as /etc/motd)`."""
    some = f", such as {words.short(item.example, EXAMPLE)}" if "." in item.what or ":" in item.what else ""
    return f"{show(item.what)} ({item.count:,}{some})"


def doubts(fleet: Fleet) -> dict[str, tuple[str, ...]]:
    """Hosts of which less is known than of the others, by why."""
    partly = tuple(one.host for one in fleet.hosts if one.verdict == Verdict.INCOMPLETE.value)
    told = {
        "Not wholly scanned, so more may have been done to them": partly,
        "Never scanned, so nothing is known of them": fleet.never_scanned,
    }
    return {said: names for said, names in told.items() if names}


def _lines(result: GateResult, painter: Painter) -> Iterator[str]:
    yield painter.paint(f"{show(result.candidate)} against {approved_name(result)}", "bold")
    if brief := headline(result):
        yield from painter.wrap(f"{brief}.", INDENT)
    yield from _changelog(result, painter)
    yield from _residual(result, painter)
    yield from _unproved(result, painter)
    yield from _identities(result, painter)
    yield from _controls(result, painter)
    yield from _unused(result, painter)
    yield from _remarks(result, painter)
    yield from _fleet(result.fleet, painter)
    yield ""
    yield from painter.wrap(accounting_line(result))
    because = f": {'; '.join(result.reasons)}" if result.reasons else ""
    verdict = f"{result.verdict.value.upper()}{because}"
    yield from (painter.paint(line, _LOOKS[result.verdict]) for line in painter.wrap(show(verdict), "", INDENT))
    if following := next_step(result):
        yield f"Next: {following}"


def next_step(result: GateResult) -> str:
    """What to do now."""
    if result.residual:
        return "declare what is meant (--declared FILE, docs/formats/declared.md), or build the image without it"
    if not_carried := result.fleet.of(Fate.LOST, Fate.OTHER, Fate.PARTLY):
        return f"driftscan explain {not_carried[0].id}"
    if result.verdict is GateVerdict.PASSED and not result.candidate.startswith("manifest:"):
        return f"driftscan bake {show(result.candidate)} -o NEW.manifest"
    return ""


def _head(title: str, painter: Painter) -> Iterator[str]:
    yield ""
    yield painter.paint(title, "bold")


def _changelog(result: GateResult, painter: Painter) -> Iterator[str]:
    reasons = {entry.origin: entry for entry in result.entries}
    for name, changes in sections(result.changes).items():
        yield from _head(name, painter)
        for change in changes:
            yield from _changed(change, reasons, painter)


def _changed(change: ImageChange, entries: dict[str, Entry], painter: Painter) -> Iterator[str]:
    yield from painter.wrap(show(change.judged.mutation.title), INDENT, DEEP)
    for origin in change.reasons:
        yield from (
            painter.paint(line, "dim")
            for line in painter.wrap(f"{show(entries[origin].reason)}  ({show(origin)})", DEEP, DEEP + INDENT)
        )
    if len(change.explained) > 1:
        yield from painter.wrap(
            f"{words.plural(len(change.explained), 'difference')}: {grounds_line(change.explained)}",
            DEEP,
            DEEP + INDENT,
        )
    if painter.style.verbose:
        for each in change.explained:
            yield from _item(each.difference, "", painter)


def _residual(result: GateResult, painter: Painter) -> Iterator[str]:
    changes = [change for change in result.changes if change.residual]
    if changes:
        yield from _head(f"Not explained: {words.plural(result.residual, 'difference')}", painter)
    for change in changes:
        yield from _finding(change, painter)
        for each in change.residual:
            yield from _item(each.difference, "" if each.why == UNDECLARED else each.why, painter)


def _finding(change: ImageChange, painter: Painter) -> Iterator[str]:
    judged = change.judged
    lead = f"{INDENT}{judged.severity.word.upper():<8}  "
    first, *more = painter.wrap(f"{show(judged.mutation.title)}  [{judged.mutation.id}]", lead, " " * len(lead))
    yield first.replace(lead, painter.severity(judged.severity, lead), 1)
    yield from more


def _unproved(result: GateResult, painter: Painter) -> Iterator[str]:
    if not result.unproved:
        return
    said = "of declared packages, with content that was not compared with the package database"
    yield from _head(f"Not checked: {words.plural(result.unproved, 'file')} {said}", painter)
    every = [each for change in result.changes for each in change.unproved]
    yield from _cut(every, painter)


def _cut(items: Sequence[Open], painter: Painter) -> Iterator[str]:
    shown = items if painter.style.verbose else items[:SHOWN]
    for each in shown:
        yield from _item(each.difference, "", painter)
    if len(items) > len(shown):
        yield painter.paint(f"{DEEP}… and {len(items) - len(shown):,} more", "dim")


def _item(item: Difference, why: str, painter: Painter) -> Iterator[str]:
    yield f"{DEEP}{words.SIGNS[item.change]} {item.kind} {words.name(item.key)}"
    if (told := words.summary_of(item)) and not item.text:
        yield from painter.wrap(told, DEEP + INDENT * 2)
    for note in (item.why, why):
        if note:
            yield from (painter.paint(line, "dim") for line in painter.wrap(show(note), DEEP + INDENT * 2))
    yield from _diff_text(item, DEEP + INDENT * 2, painter)


def _diff_text(item: Difference, indent: str, painter: Painter) -> Iterator[str]:
    looks = {"+": "green", "-": "red"}
    for line in item.text.split("\n"):
        if line[:1] in looks:
            yield painter.paint(f"{indent}{show(line)}", looks[line[0]])


def _identities(result: GateResult, painter: Painter) -> Iterator[str]:
    if result.identities:
        yield from _head("Identities of the approved image", painter)
    for judged in result.identities:
        yield from painter.wrap(f"{show(judged.mutation.title)}  [{judged.mutation.id}]", INDENT, DEEP)


def _controls(result: GateResult, painter: Painter) -> Iterator[str]:
    for title, wanted in (("failed", Result.FAIL), ("could not be decided", Result.UNKNOWN)):
        found = sorted(
            (one for one in result.controls if one.result is wanted), key=lambda one: (-one.severity, one.id)
        )
        if found:
            yield from _head(f"{words.plural(len(found), 'control')} {title}", painter)
        for one in found:
            yield from painter.wrap(f"{one.severity.word.upper():<8}  {show(one.title)}  [{one.id}]", INDENT, DEEP * 2)
            for line in one.evidence[:2]:
                yield from painter.wrap(show(line), DEEP * 2)


def _unused(result: GateResult, painter: Painter) -> Iterator[str]:
    if result.unused:
        yield from _head("Declared, and not in the candidate", painter)
    for entry in result.unused:
        yield from painter.wrap(f"{show(entry.title)}  ({show(entry.origin)})", INDENT, DEEP)


def _remarks(result: GateResult, painter: Painter) -> Iterator[str]:
    gaps = [f"{each.collector}: {show(each.reason)}" for each in result.gaps]
    remarks = {
        "Not looked at": gaps,
        "Not compared": uncompared_lines(result),
        "Notes": [show(note) for note in result.notes],
    }
    for title, items in remarks.items():
        if items:
            yield from _head(title, painter)
        for item in dict.fromkeys(items):
            yield from painter.wrap(item, INDENT, DEEP)


def _fleet(fleet: Fleet, painter: Painter) -> Iterator[str]:
    if fleet.hosts or fleet.never_scanned:
        yield from _head("Hand fixes of the fleet", painter)
    if fleet.hosts:
        yield from painter.wrap(f"{fleet_line(fleet)}.", INDENT)
        yield from (painter.paint(line, "dim") for line in painter.wrap(f"{age_line(fleet)}.", INDENT))
    for said, names in doubts(fleet).items():
        yield from painter.wrap(f"{said}: {some(names)}.", INDENT)
    yield from _fixes(fleet.fixes, painter)
    if fleet.by_image:
        yield from _head("On all hosts since their first scan (the image makes it, or it came before)", painter)
        yield from _fixes(fleet.by_image, painter)
    if fleet.suspicious:
        yield from _head("Not to be carried over: policy wants these quarantined", painter)
        yield from _fixes(fleet.suspicious, painter)


def _fixes(fixes: Sequence[HandFix], painter: Painter) -> Iterator[str]:
    for fix in fixes:
        look = "green" if fix.fate is Fate.CONTAINED else "yellow"
        lead = f"{INDENT}{fix.fate.value.upper():<9}  "
        first, *more = painter.wrap(f"{show(fix.title)}  [{fix.id}]", lead, " " * len(lead))
        yield first.replace(lead, painter.paint(lead, look), 1)
        yield from more
        by = f", by {show(', '.join(fix.actors))}" if fix.actors else ""
        yield from painter.wrap(f"on {words.plural(len(fix.hosts), 'host')}: {some(fix.hosts)}{by}", " " * len(lead))
        yield from _parts(fix, " " * len(lead), painter)


def _parts(fix: HandFix, indent: str, painter: Painter) -> Iterator[str]:
    if fix.fate is Fate.CONTAINED and not painter.style.verbose:
        return
    shown = fix.parts if painter.style.verbose else [part for part in fix.parts if part.fate is not Fate.CONTAINED]
    for part in shown if painter.style.verbose else shown[:SHOWN]:
        yield from painter.wrap(part_line(part), indent, indent + INDENT)
        yield from _diff_text(part.difference, indent + INDENT, painter)
    if len(shown) > SHOWN and not painter.style.verbose:
        yield f"{indent}… and {len(shown) - SHOWN:,} more"
    for line in fix.build if painter.style.verbose else fix.build[:SHOWN]:
        yield painter.paint(f"{indent}build: {show(line)}", "cyan")


def part_line(part: PartFate) -> str:
    """`~ sysctl vm.swappiness: current_value 60 → 10; the candidate has 60`."""
    item = part.difference
    told = "" if item.text else words.summary_of(item)
    has = ""
    if part.fate in {Fate.OTHER, Fate.PARTLY}:
        found = ", ".join(f"{name} {words.value(value)}" for name, value in sorted(part.found.items()))
        has = f" ({found})" if found else " (it is not there)"
    return (
        f"{words.SIGNS[item.change]} {item.kind} {words.name(item.key)}{f': {told}' if told else ''};"
        f" {FATES[part.fate]}{has}"
    )


def some(names: Sequence[str]) -> str:
    """The first names, and how many more."""
    more = f" and {len(names) - HOSTS:,} more" if len(names) > HOSTS else ""
    return show(", ".join(names[:HOSTS])) + more
