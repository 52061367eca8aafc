"""Words and orders that the reports for people share. Everything that a host said goes through `show`."""

import re
import shlex
from collections import Counter
from collections.abc import Collection, Iterable

from driftscan.model.drift import Change, Difference, Grade, Mutation
from driftscan.model.finding import Action, JudgedControl, JudgedMutation, Result, State, Verdict
from driftscan.model.names import show
from driftscan.model.resource import Value
from driftscan.model.result import HostResult, Mode
from driftscan.model.snapshot import CollectorStatus
from driftscan.reports._build import plain

SIGNS = {Change.ADDED: "+", Change.REMOVED: "-", Change.MODIFIED: "~", Change.UNKNOWN: "?"}
VALUE_WIDTH = 60
PROSE, NAME = 2_000, 20_000
"""Characters of what a host said, and of a name, that reports for people show. A path of 4,096 bytes fits, each written
as its code."""
RETURNED = "it was there before this host was replaced, and came back: a replacement does not end it"
UNSCANNED = (Verdict.UNREACHABLE, Verdict.INCOMPLETE)
_TO_DO = {
    Action.QUARANTINE: "Quarantine {}",
    Action.REBAKE: "Rebake the image of {}",
    Action.REPLACE: "Replace {}",
    Action.ROTATE: "Rotate {} in the next window",
    Action.INVESTIGATE: "Investigate {}",
    Action.OBSERVE: "Observe {}",
}
_WITH = {Verdict.FINDINGS: "with findings"}
_NOT_SEEN = {Verdict.UNREACHABLE: "not known", Verdict.GONE: "not known", Verdict.INCOMPLETE: "none seen"}
_COMMAND = re.compile(r"^(\s*):(?=:[A-Za-z][A-Za-z_-]*(?:\s.*)?::)|#(?=#[A-Za-z]*\[)")
"""What logs of pipelines obey: lines that begin with `::word ...::` (GitHub's runner strips blanks before it), and
`##[word]` or `##vso[...]` anywhere (GitHub's, Azure's, TeamCity's). No address of IPv6 is such a word."""


def reached(hosts: Collection[HostResult]) -> str:
    """How many hosts there are, and how many of them were reached if not all were."""
    every = plural(len(hosts), "host")
    count = sum(host.verdict.reached for host in hosts)
    return every if count == len(hosts) else f"{count:,} of {every}"


def to_do(hosts: Collection[HostResult]) -> str:
    """What to do, in one sentence without a point."""
    counts = Counter(host.recommendation.action for host in hosts)
    asked = [action for action in _TO_DO if counts[action]]
    if not asked:
        return "Nothing to do" if hosts else "No host was scanned"
    first = _TO_DO[asked[0]].format(plural(counts[asked[0]], "host"))
    others = [_TO_DO[action].format(f"{counts[action]:,}").lower() for action in asked[1:]]
    return f"{', '.join([first, *others[:-1]])} and {others[-1]}" if others else first


def by_verdict(hosts: Iterable[HostResult]) -> str:
    """`2 clean, 3 with findings`; empty where there is no host."""
    counts = Counter(host.verdict for host in hosts)
    return ", ".join(f"{counts[each]:,} {_WITH.get(each, each.value)}" for each in Verdict if counts[each])


def by_urgency(hosts: tuple[HostResult, ...]) -> list[HostResult]:
    """The strongest recommendation first, then the worst finding, then what was not scanned, then by name as it is
    shown, which is the same after a report was read back."""
    return sorted(
        hosts,
        key=lambda one: (
            -one.recommendation.action,
            -max(one.open_severities(), default=-1),
            one.verdict not in UNSCANNED,
            show(one.host),
        ),
    )


def telling(items: tuple[Difference, ...]) -> list[Difference]:
    """What says most first: packages, users, services, listeners; the files that come with them after."""
    return sorted(items, key=lambda item: item.kind == "file")


def open_mutations(host: HostResult) -> list[JudgedMutation]:
    """The worst first."""
    found = [judged for judged in host.mutations if judged.state is State.OPEN]
    return sorted(found, key=lambda judged: (-judged.severity, -judged.action, judged.urgency, judged.mutation.id))


def failed_controls(host: HostResult) -> list[JudgedControl]:
    """The open ones, the worst first."""
    found = [judged for judged in host.controls if judged.result is Result.FAIL and judged.state is State.OPEN]
    return sorted(found, key=lambda judged: (-judged.severity, -judged.action, judged.id))


def undecided_controls(host: HostResult) -> list[JudgedControl]:
    """Those whose facts could not be had."""
    return sorted((judged for judged in host.controls if judged.result is Result.UNKNOWN), key=lambda judged: judged.id)


def finding_counts(host: HostResult) -> str:
    """`2 critical, 1 low`; empty when nothing is open."""
    counts = Counter(host.open_severities())
    return ", ".join(f"{counts[severity]} {severity.word}" for severity in sorted(counts, reverse=True))


def findings_of(host: HostResult) -> str:
    """The same, and where nothing is open what that is worth: of a host that was not scanned nobody knows."""
    return finding_counts(host) or _NOT_SEEN.get(host.verdict, "none")


def waived(host: HostResult) -> int:
    """How many findings waivers accept."""
    return _states(host)[State.WAIVED]


def _states(host: HostResult) -> Counter[State]:
    states = Counter([judged.state for judged in host.mutations])
    states.update(judged.state for judged in host.controls if judged.result is Result.FAIL)
    return states


def set_aside(host: HostResult) -> str:
    """`2 waived, 1 allowed`; empty when there is none."""
    states = _states(host)
    return ", ".join(f"{states[state]} {state.value}" for state in (State.WAIVED, State.ALLOWED) if states[state])


def accounting_line(host: HostResult) -> str:
    """`raw = folded + allowed + unexplained` in figures."""
    counts = host.accounting
    return (
        f"{plural(counts.raw, 'difference')} = {counts.folded:,} folded into mutations"
        f" + {counts.allowed:,} allowed by zones + {counts.unexplained:,} unexplained"
    )


def reading_line(host: HostResult) -> str:
    """How much of the files a quick scan read; empty after a full one."""
    if host.reading.mode is not Mode.QUICK:
        return ""
    files, since = host.files, f" (all at {host.reading.since})" if host.reading.since else ""
    return f"Content of {files.hashed:,} of {plural(files.hashed + files.stat_only, 'file')} read{since}"


def audit_line(hosts: Iterable[HostResult]) -> str:
    """What the quick scans of some hosts are worth against whoever forges metadata; empty where all were full."""
    quick = [host.reading for host in hosts if host.reading.mode is Mode.QUICK]
    if not quick:
        return ""
    # rounded as the JSON report has it, so that what is read back reads the same
    probability, within = min((round(reading.probability, 6), reading.within) for reading in quick)
    return (
        "Quick: of files whose metadata had not moved a secret share was read. One whose metadata was forged is found"
        f" by one scan with a probability of {probability:.1%}, by {within} for sure, by --full at once."
    )


def attribution_line(mutation: Mutation) -> str:
    """`by deploy at 2026-11-20T10:00:00Z (recorded): apt install nginx`; empty when nothing is known."""
    given = mutation.attribution
    if given.grade is Grade.NONE:
        return ""
    words = [f"by {said(given.actor)}" if given.actor else "", f"at {said(given.at)}" if given.at else ""]
    told = " ".join([word for word in words if word] or ["evidence"])
    return f"{told} ({given.grade.value})" + (f": {said(given.command)}" if given.command else "")


def cohort_line(judged: JudgedMutation) -> str:
    """How common it is among the hosts of the image, and whether it came back; empty when nothing is known."""
    told = [judged.cohort.sentence] if judged.cohort else []
    told += [RETURNED] if judged.returned else []
    return ". ".join(line[0].upper() + line[1:] for line in told)


def problems(host: HostResult) -> list[str]:
    """What could not be looked at, one line each: torn, collectors with gaps, collectors that failed."""
    lines = [f"torn: {said(reason)}" for reason in host.torn]
    for coverage in sorted(host.coverage, key=lambda one: one.name):
        for gap in coverage.gaps:
            hidden = f" (hides {said(', '.join(gap.hides))})" if gap.hides else ""
            lines.append(f"{coverage.name}: {gap.status.value}: {said(gap.reason)}{hidden}")
        if coverage.status is CollectorStatus.FAILED and not coverage.gaps:
            lines.append(f"{coverage.name}: failed")
    if host.files.unreadable:
        lines.append(f"{plural(host.files.unreadable, 'file')} could not be read")
    if host.files.raced:
        lines.append(f"{plural(host.files.raced, 'file')} changed while being read")
    return lines


def summary_of(item: Difference) -> str:
    """What changed in one resource: `mode 0644 → 0600, size 10 → 12`; nothing for what is wholly new or gone."""
    if item.change is not Change.MODIFIED:
        return ""
    return ", ".join(
        f"{name} {value(delta.expected)} → {value(delta.actual)}" for name, delta in sorted(item.telling.items())
    )


def short(text: str, limit: int) -> str:
    """A host's text on one line, safe to show, and cut with a mark that says how much is missing."""
    text = plain(text)
    shown = show(text[: limit + 1])  # of a megabyte only the beginning is looked at
    if len(shown) <= limit and len(text) <= limit:
        return shown
    return f"{shown[:limit]}… (of {len(text):,} characters)"


def said(text: str) -> str:
    """What a host said, in running text: safe to show, and cut where no person would read on."""
    return short(text, PROSE)


def value(given: Value, width: int = VALUE_WIDTH) -> str:
    """A value on one line: digests by their first digits, long text cut with a mark, none as `absent`."""
    if given is None:
        return "absent"
    if isinstance(given, bool):
        return "yes" if given else "no"
    if isinstance(given, tuple):
        text = "[" + ", ".join(value(item, width) for item in given) + "]"
    elif isinstance(given, str):
        text = show(given[: width + 80]) or "''"
        if len(text) in {64, 71} and set(text.removeprefix("sha256:")) <= set("0123456789abcdef"):
            return text.removeprefix("sha256:")[:12] + "…"
    elif isinstance(given, int):
        text = str(given)
    else:
        shown = sorted(((show(name), item) for name, item in given.items()), key=lambda pair: pair[0])
        text = "{" + ", ".join(f"{name}: {value(item, width)}" for name, item in shown) + "}"
    return text if len(text) <= width else text[: width - 1] + "…"


def name(key: str) -> str:
    """A key safe to show and told apart from every other: what prints nothing of its own (other white space, invisible
    characters) is written as its code, and a key with blanks stands in quotes."""
    text = short(key, NAME)
    if text.isascii() and " " not in text:
        return text
    spelled = "".join(char if char.isprintable() else _code(char) for char in text)
    return '"' + spelled.replace('"', '\\"').replace("  ", " \\x20") + '"' if " " in text else spelled


def _code(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def inert(line: str) -> str:
    """A line that no log of a pipeline takes for a command: what would be one has its first character as its code."""
    return _COMMAND.sub(lambda found: f"{found[1]}\\x3a" if found[1] is not None else "\\x23", line)


_ON_FILE = ("snapshot:", "capture:")


def following(hosts: list[HostResult]) -> str:
    """The next command, of hosts by urgency: for the worst finding, else for a host that was not reached; empty when
    there is neither. What is on file is kept in no store, so that nothing of it can be explained."""
    for one in hosts:
        mutations, failed = open_mutations(one), failed_controls(one)
        if (mutations or failed) and not one.target.startswith(_ON_FILE):
            finding = mutations[0].mutation.id if mutations else failed[0].finding
            return f"driftscan explain {said(shlex.quote(finding))}"
    missed = next((one for one in hosts if one.verdict is Verdict.UNREACHABLE), None)
    return f"driftscan doctor {_target(missed)}" if missed else ""


def _target(host: HostResult) -> str:
    """As the command line takes it: a host of an inventory together with it."""
    inventory = host.origin.rpartition(":")[0]
    return said(shlex.join([host.target, "-i", inventory] if inventory else [host.target]))


def plural(count: int, noun: str) -> str:
    """`1 host`, `1,200 hosts`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
