"""What people ask first, answered in a line each: is this still the image, what happened, who did it, would a
replacement help."""

from collections import Counter
from collections.abc import Iterable, Sequence

from driftscan.model.drift import CauseType
from driftscan.model.finding import Action, CureCause, JudgedMutation, State, Verdict
from driftscan.model.result import HostResult, ImageMatch
from driftscan.reports import _words as words
from driftscan.reports._page.items import Happening, Row
from driftscan.reports._page.markup import LINE, brief

FIRST = 3
"""Causes and people that are named."""
_NO_DRIFT = frozenset(
    {
        CauseType.IDENTITY_SHARED,
        CauseType.IMAGE_UNKNOWN,
        CauseType.HOST_KEY_CHANGED,
        CauseType.COVERAGE_FELL,
        CauseType.LOG_MISSING,
        CauseType.INTERACTIVE_LOGIN,
    }
)
"""Causes of findings that say nothing of whether a host is as it was baked."""
_STANDS = {
    "differs": (
        "{} is no longer the image that it was baked from",
        "{} are no longer the image that they were baked from",
    ),
    "is": ("{} still is", "{} still are"),
    "accepted": ("{} is but for what somebody accepts", "{} are but for what somebody accepts"),
    "partly": ("{} is as far as it could be seen", "{} are as far as they could be seen"),
    "no manifest": ("{} has no manifest to be held against", "{} have no manifest to be held against"),
    "settling": ("{} is settling", "{} are settling"),
    "gone": ("{} is gone", "{} are gone"),
    "unknown": ("of {} nothing is known", "of {} nothing is known"),
}
"""How a host stands to its image -> that of one and of several, in the order in which it is told."""


def answers(
    rows: Sequence[Row], causes: Sequence[tuple[str, int, int]], happenings: Iterable[Happening]
) -> list[tuple[str, str]]:
    """(question, answer); what has no answer is not asked. `causes`: (cause, mutations, hosts), the most common
    first."""
    asked = (
        ("Still the image?", _still([row.host for row in rows])),
        ("What happened?", _happened(causes)),
        ("What is new?", _news([row.host for row in rows])),
        ("Who?", _who(happenings)),
        ("Replace?", _cured([row.host for row in rows])),
    )
    return [(question, answer) for question, answer in asked if answer]


def _still(hosts: Sequence[HostResult]) -> str:
    counts = Counter(_stands(host) for host in hosts)
    told: list[str] = []
    for how, (one, several) in _STANDS.items():
        if counts[how]:
            told.append((one if counts[how] == 1 else several).format(_number(counts[how], len(hosts), first=not told)))
    said = "; ".join(told)
    return said[:1].upper() + said[1:]


def _number(number: int, of: int, *, first: bool) -> str:
    if number == of:
        return "the host" if of == 1 else f"all {of:,} hosts"
    return f"{number:,} of {of:,} hosts" if first else f"{number:,}"


def _stands(host: HostResult) -> str:
    if host.verdict in {Verdict.UNREACHABLE, Verdict.SETTLING, Verdict.GONE}:
        return "unknown" if host.verdict is Verdict.UNREACHABLE else host.verdict.value
    if host.image.match in {ImageMatch.UNKNOWN, ImageMatch.STAND_IN}:
        return "no manifest"
    drift = {judged.state for judged in host.mutations if judged.mutation.cause.type not in _NO_DRIFT}
    if State.OPEN in drift:
        return "differs"
    if not host.whole:
        return "partly"
    return "accepted" if drift else "is"


def _happened(causes: Sequence[tuple[str, int, int]]) -> str:
    told = [f"{cause} on {words.plural(hosts, 'host')}" for cause, _, hosts in causes[:FIRST]]
    more = len(causes) - FIRST
    return ", ".join(told) + (f" and {words.plural(more, 'more cause')}" if more > 0 else "")


def _news(hosts: Sequence[HostResult]) -> str:
    """Beside earlier scans; empty where a store knew none of the hosts."""
    known = [host for host in hosts if host.since is not None]
    if not known:
        return ""
    new = [sum(found in host.since.new for found in _open_ids(host)) for host in known if host.since]
    went = sum(len(host.since.resolved) for host in known if host.since)
    told = []
    if sum(new):
        told.append(f"{words.plural(sum(new), 'finding')} on {words.plural(sum(map(bool, new)), 'host')}")
    if went:
        told.append(f"{went:,} went")
    if strange := len(hosts) - len(known):
        told.append(f"of {words.plural(strange, 'host')} no earlier scan tells")
    return "; ".join(told) if sum(new) or went else "; ".join(["Nothing since earlier scans", *told])


def _open_ids(host: HostResult) -> Iterable[str]:
    yield from (judged.mutation.id for judged in words.open_mutations(host))
    yield from (judged.finding for judged in words.failed_controls(host))


def _who(happenings: Iterable[Happening]) -> str:
    found: dict[str, set[int]] = {}
    known = total = 0
    for row, judged in ((row, judged) for each in happenings for row, judged in each.sightings if _is_open(judged)):
        total += 1
        actor = judged.mutation.attribution.actor
        if actor:
            known += 1
            found.setdefault(brief(actor, LINE), set()).add(row.number)
    ranked = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    told = [f"{actor} on {words.plural(len(hosts), 'host')}" for actor, hosts in ranked[:FIRST]]
    if len(ranked) > FIRST:
        told.append(f"{len(ranked) - FIRST:,} others")
    if total - known:
        of = "any of them" if not known else f"{total - known:,} of {words.plural(total, 'mutation')}"
        told.append(f"{'no' if told else 'No'} log tells who made {of}")
    return "; ".join(told)


def _is_open(judged: JudgedMutation) -> bool:
    return judged.state is State.OPEN


def _cured(hosts: Sequence[HostResult]) -> str:
    """Of hosts of which somebody has to do something."""
    bad = [host.recommendation.cure for host in hosts if host.recommendation.action >= Action.ROTATE]
    told = []
    if cured := sum(cure.replacement_cures is True for cure in bad):
        told.append(f"A replacement cures {words.plural(cured, 'host')}")
    lasting = Counter(cure.cause for cure in bad if cure.replacement_cures is False)
    for cause, number in sorted(lasting.items(), key=lambda item: (-item[1], item[0])):
        where = "" if cause is CureCause.UNKNOWN else f": the fault lies with the {cause.value}"
        told.append(f"{'it' if told else 'A replacement'} does not cure {words.plural(number, 'host')}{where}")
    if unknown := sum(cure.replacement_cures is None for cure in bad):
        told.append(f"{'of' if told else 'Of'} {words.plural(unknown, 'host')} nobody knows")
    return "; ".join(told)
