"""`driftscan waiver add`, `list`, `lint`, `prune`, `adopt`."""

import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from driftscan import atomic
from driftscan.cli import _options as opt
from driftscan.cli._command import Argument, Call, Command, Settings
from driftscan.cli._targets import place
from driftscan.errors import DriftscanError, UsageError
from driftscan.model.finding import Action, RuleRef, Severity
from driftscan.model.names import show
from driftscan.model.snapshot import ImageRef
from driftscan.model.waiver import Waiver, WaiverState
from driftscan.reports._words import plural
from driftscan.schema_check import did_you_mean, quoted

if TYPE_CHECKING:
    from driftscan.policy.model import Policy
    from driftscan.policy.waive import Scanned, Subject

Json = Mapping[str, Any]
BAD_INPUT = 2
DEFAULT = "waivers.yaml"
_SEEN_WHOLLY = frozenset({"clean", "findings"})


@dataclass(frozen=True, slots=True)
class _Sighting:
    """One open finding of one host, as its last scan reported it."""

    host: str
    labels: Mapping[str, str]
    image: ImageRef
    title: str
    subject: "Subject"


def _lint(call: Call) -> int:
    """Each file by itself, so that one bad file does not hide the next; with policies also what they let no waiver
    accept."""
    from driftscan.waivers import load

    bad, policies = False, _policies(call)
    for path in call.settings.file:
        try:
            found = load(path)
        except DriftscanError as error:
            call.console.error(error)
            bad = True
        else:
            problems = [f"{waiver.origin}: {what}" for waiver in found for what in _idle(waiver, policies)]
            for problem in problems:
                call.console.error(UsageError(show(problem), "It accepts nothing: see docs/formats/waivers.md."))
            bad = bad or bool(problems)
            if not problems:
                call.console.note(f"{show(path)}: good, {plural(len(found), 'waiver')}")
    return BAD_INPUT if bad else 0


def _idle(waiver: Waiver, policies: "Sequence[Policy]") -> Iterator[str]:
    """Why a waiver accepts nothing whatever is found, as far as policies tell: no rule is called so, or it lasts longer
    than any of what it is of can be waived. On which hosts a policy holds is not asked."""
    from driftscan.policy.model import Context
    from driftscan.policy.waive import longest, too_long

    if not policies:
        return
    rules = {(rule.policy, rule.id): rule for policy in policies for rule in policy.rules}
    mine = [rule for names, rule in rules.items() if waiver.is_of_rule(*names)]
    if waiver.rule and not mine:
        names = [name for _, name in rules] + [f"{policy}/{name}" for policy, name in rules]
        yield f"no rule of these policies is {quoted(waiver.rule)}{did_you_mean(waiver.rule, names, all_known=False)}"
        return
    allowed, today = longest(policies, Context(labels=_named(waiver))), _today()
    severities = {rule.severity for rule in mine} if waiver.rule else set(Severity)
    said = [too_long(waiver, severity, today, allowed) for severity in sorted(severities)]
    if all(said):
        yield said[0]


def _named(waiver: Waiver) -> Mapping[str, str]:
    """The labels of the hosts that it is for, as far as it gives them one value."""
    return {name: globs[0] for name, globs in waiver.labels.items() if len(globs) == 1}


def _policies(call: Call) -> "tuple[Policy, ...]":
    from driftscan.policy.load import load
    from driftscan.scan.parsing import kinds

    return load(call.settings.policy, kinds()) if call.settings.policy else ()


def _list(call: Call) -> int:
    from driftscan.policy.waive import state
    from driftscan.reports._terminal import table
    from driftscan.waivers import load

    waivers = [waiver for path in call.settings.file for waiver in load(path)]
    today, scanned = _today(), _scanned(_last_hosts(call), waivers)
    told = sorted(((state(waiver, today, scanned), waiver) for waiver in waivers), key=_soonest)
    if call.settings.json:
        call.console.write(json.dumps([_as_json(waiver, word) for word, waiver in told], indent=2) + "\n")
        return 0
    rows = [
        [
            word.value,
            waiver.expires.isoformat(),
            show(waiver.what),
            _where(waiver),
            show(waiver.owner),
            show(waiver.reason),
        ]
        for word, waiver in told
    ]
    widths = [None, None, None, 30, 24, max(20, call.console.width - 100)]
    call.console.write(table(rows, ["STATE", "UNTIL", "WHAT", "WHERE", "OWNER", "REASON"], widths) + "\n")
    return 0


def _soonest(item: tuple[WaiverState, Waiver]) -> tuple[bool, date, str]:
    return item[0] in {WaiverState.ACTIVE, WaiverState.EXPIRING}, item[1].expires, item[1].origin


def _prune(call: Call) -> int:
    from driftscan.policy.waive import state
    from driftscan.waivers import load, parse, pruned

    today, hosts = _today(), list(_last_hosts(call))
    gone = {WaiverState.EXPIRED, WaiverState.VOID, *([WaiverState.UNUSED] if call.settings.unused else [])}
    for path in call.settings.file:
        target = os.path.realpath(path)
        with atomic.alone(target):
            waivers = load(path)
            scanned = _scanned(hosts, waivers)
            told = [(state(waiver, today, scanned), waiver) for waiver in waivers]
            out = [(word, waiver) for word, waiver in told if word in gone]
            kept = pruned(_text(path), path, {_line(waiver) for _, waiver in out})
            if len(parse(kept, path)) != len(told) - len(out):
                raise UsageError(f"{show(path)}: is not written as one waiver after another", "Take them out by hand.")
            if out:
                atomic.write(target, [kept.encode()])
        for word, waiver in out:
            call.console.write(f"{show(waiver.origin)}: {word.value}: {show(waiver.what)} {_where(waiver)}\n")
        call.console.note(f"{show(path)}: {len(out)} of {plural(len(told), 'waiver')} taken out")
    return 0


def _text(path: str) -> str:
    """What stands in a file of waivers, with its own ends of lines; nothing if there is none, or nothing in it.
    UsageError if it is no file of waivers."""
    from driftscan.waivers import load

    if not os.path.lexists(path) or (os.path.isfile(path) and not Path(path).read_bytes().strip()):
        return ""
    load(path)
    return Path(path).read_bytes().decode("utf-8-sig")


def _line(waiver: Waiver) -> int:
    return int(waiver.origin.rpartition(":")[2])


def _add(call: Call) -> int:
    settings = call.settings
    wanted = [each for each in _sightings(call) if _is_meant(each, settings.finding, settings.host)]
    ids = {each.subject.finding for each in wanted}
    if len(ids) != 1:
        what = f"{len(ids)} findings begin with it" if ids else "no host's last scan has it open"
        raise UsageError(f"{show(settings.finding)}: {what}", "See `driftscan scan`, and give the whole id.")
    waivers = _waivers(wanted, settings, _policies(call), capped=False)
    _append(call, waivers, wanted)
    return 0


def _is_meant(each: _Sighting, finding: str, host: str | None) -> bool:
    return each.subject.finding.startswith(finding) and host in {None, each.host}


def _adopt(call: Call) -> int:
    settings = call.settings
    every = list(_sightings(call))
    severe = [each for each in every if each.subject.action is Action.QUARANTINE]
    left = [each for each in every if each not in severe]
    adopted = _waivers(left, settings, _policies(call), capped=True)
    for finding, title in sorted({(each.subject.finding, each.title) for each in severe}):
        call.console.warn(f"not adopted, it is to be quarantined: {show(title)} [{finding}]")
    kept = {waiver.finding for waiver in adopted}
    for finding, title in sorted({(each.subject.finding, each.title) for each in left}):
        if finding not in kept:
            call.console.warn(f"not adopted, policy lets it not be waived: {show(title)} [{finding}]")
    if not adopted:
        call.console.note("driftscan: the last scans have no open finding that could be adopted")
        return 0
    _append(call, adopted, left)
    return 0


def _waivers(
    sightings: Sequence[_Sighting], settings: Settings, policies: "Sequence[Policy]", *, capped: bool
) -> list[Waiver]:
    """A waiver for each thing that was found, with the hosts that have it alike. `capped`: those that would last longer
    than their severity allows end earlier, and what cannot be waived is left out; else that is an error."""
    from driftscan.policy.model import Context
    from driftscan.policy.waive import longest, refusal

    if not settings.reason.strip() or not settings.owner.strip():
        raise UsageError("a waiver needs --reason and --owner", "Say why it is right, and who answers for it.")
    today = _today()
    expires = _expires(settings, today)
    groups: dict[tuple[str, str, tuple[str, ...]], list[_Sighting]] = {}
    for each in sightings:
        groups.setdefault((each.subject.finding, each.subject.content, _pinned(each.subject)), []).append(each)
    found = []
    for (finding, content, resources), group in sorted(groups.items(), key=_worst_first):
        allowed = [longest(policies, Context(labels=each.labels, image=each.image)) for each in group]
        days = min(mine[each.subject.severity] for mine, each in zip(allowed, group, strict=True))
        if capped and not days:
            continue
        last = min(expires, today + timedelta(days=days)) if capped else expires
        waiver = Waiver(
            finding=finding,
            content=content,
            resources=resources,
            hosts=tuple(sorted({each.host for each in group})),
            reason=settings.reason.strip(),
            owner=settings.owner.strip(),
            expires=last,
            added=today,
            ticket=settings.ticket.strip(),
        )
        for each, mine in zip(group, allowed, strict=True):
            if why := refusal(waiver, each.subject, today, mine):
                raise UsageError(f"{finding}: {why}", "Give an earlier --expires.")
        found.append(waiver)
    return found


def _worst_first(item: tuple[tuple[str, str, tuple[str, ...]], Sequence[_Sighting]]) -> tuple[Any, ...]:
    """Whoever reviews the file begins with what is severe; what is of one finding stands together."""
    what, group = item
    return -group[0].subject.severity, what, group[0].host


def _pinned(subject: "Subject") -> tuple[str, ...]:
    """What is at fault with a control, as the waiver names it; nothing where it cannot be told wholly. A wildcard in a
    key is written as the `?` that it fits."""
    if subject.finding.startswith("F-") or not subject.whole:
        return ()
    return tuple(sorted({key.replace("*", "?") for _, key in subject.about}))


def _expires(settings: Settings, today: date) -> date:
    if bool(settings.expires) == bool(settings.days):
        raise UsageError("one of --expires DAY and --days N says how long", "Nothing is waived for ever.")
    if settings.days:
        return today + timedelta(days=settings.days)
    try:
        last = date.fromisoformat(settings.expires)
    except ValueError:
        raise UsageError(f"--expires: {show(settings.expires)} is no day such as 2027-01-31") from None
    if last < today:
        raise UsageError(f"--expires: {last} is over", "Give a day to come.")
    return last


def _append(call: Call, waivers: Sequence[Waiver], of: Sequence[_Sighting]) -> None:
    """Nothing is written that could not be read again. `of`: what is accepted, told to who reviews the file."""
    from driftscan.waivers import added, parse

    path = call.settings.output
    target = os.path.realpath(path)  # a link stays one
    notes = {each.subject.finding: f"{each.subject.severity.word}: {_found(each)}" for each in of}
    with atomic.alone(target):
        more = added(_text(path), waivers, notes)
        parse(more, path)
        atomic.write(target, [more.encode()])
    for waiver in waivers:
        call.console.write(f"{show(waiver.what)} {_where(waiver)}: waived until {waiver.expires}\n")
    said = f"driftscan: {plural(len(waivers), 'waiver')} added to {show(path)}"
    call.console.note(f"{said}; review and commit it, and scan with --waivers {show(path)}")


def _found(each: _Sighting) -> str:
    """What was found: the title of a control says how it should be."""
    return each.title if each.subject.finding.startswith("F-") else f'fails "{each.title}"'


def _sightings(call: Call) -> Iterator[_Sighting]:
    """The open findings of the last scan of each host that the store knows."""
    for host in _last_hosts(call):
        about = host["host"], host.get("labels", {}), _image(host)
        for title, subject in _subjects(host, {"open"}):
            yield _Sighting(*about, title, subject)


def _subjects(host: Json, states: Collection[str]) -> "Iterator[tuple[str, Subject]]":
    """Title and rest of each finding of a host that is in one of these states."""
    for mutation in host["mutations"]:
        if mutation["state"] in states:
            yield mutation["title"], _subject(mutation, mutation["id"], mutation["rule"]["id"])
    for control in host["controls"]:
        if control["state"] in states and control["result"] == "fail":
            yield control["title"], _subject(control, control["finding"], control["id"])


def _subject(found: Json, finding: str, rule: str) -> "Subject":
    from driftscan.policy.outcome import MAX_EVIDENCE
    from driftscan.policy.waive import Subject

    about = tuple((each["kind"], each["key"]) for each in found.get("about", ()))
    return Subject(
        finding=finding,
        rule=RuleRef(rule, policy=found["rule"].get("policy", "")),
        content=found.get("content", ""),
        severity=Severity.parse(found["severity"]),
        action=Action.parse(found.get("action", "none")),
        about=about,
        whole=len(about) < MAX_EVIDENCE,
    )


def _scanned(hosts: Iterable[Json], waivers: Sequence[Waiver]) -> "list[Scanned]":
    """The hosts that were wholly seen in their last scan, with those of the waivers that accept something which was
    there. It does not matter whether that scan knew them, nor where in the file they stood then."""
    from driftscan.policy.waive import Scanned

    found = []
    for host in hosts:
        if host["verdict"] not in _SEEN_WHOLLY:
            continue
        labels, image = host.get("labels", {}), _image(host)
        mine = [
            waiver
            for waiver in waivers
            if waiver.is_for(host["host"], labels) and waiver.is_for_image(image.id, image.version)
        ]
        used = _used(mine, [subject for _, subject in _subjects(host, {"open", "waived"})])
        found.append(Scanned(host=host["host"], labels=labels, image=image, used=used))
    return found


def _used(waivers: Sequence[Waiver], subjects: "Sequence[Subject]") -> frozenset[str]:
    from driftscan.policy.waive import refusal, speaks_of

    today = _today()
    return frozenset(
        waiver.origin
        for waiver in waivers
        if any(speaks_of(waiver, subject) and not refusal(waiver, subject, today) for subject in subjects)
    )


def _image(host: Json) -> ImageRef:
    return ImageRef(host["image"]["id"], host["image"]["version"])


def _last_hosts(call: Call) -> Iterator[Json]:
    from driftscan.store import Store

    store = Store(place(call))
    reports: dict[str, Json] = {}
    for row in store.last_of_each():
        if row.report not in reports:
            reports[row.report] = json.loads(store.report(row))
        yield from (host for host in reports[row.report]["hosts"] if host["host"] == row.host)


def _where(waiver: Waiver) -> str:
    labels = [f"{name}={'|'.join(globs)}" for name, globs in sorted(waiver.labels.items())]
    image = [f"image {' or '.join(waiver.image)}"] if waiver.image else []
    hosts = list(waiver.hosts[:3]) + ([f"and {len(waiver.hosts) - 3} more"] if len(waiver.hosts) > 3 else [])
    return show(", ".join([*hosts, *labels, *image]))


def _as_json(waiver: Waiver, word: WaiverState) -> dict[str, Any]:
    return {
        "state": word.value,
        "finding": waiver.finding or None,
        "rule": waiver.rule or None,
        "content": waiver.content or None,
        "resources": list(waiver.resources),
        "hosts": list(waiver.hosts),
        "labels": {name: list(globs) for name, globs in sorted(waiver.labels.items())},
        "image": list(waiver.image),
        "reason": waiver.reason,
        "owner": waiver.owner,
        "expires": waiver.expires.isoformat(),
        "added": waiver.added.isoformat() if waiver.added else None,
        "ticket": waiver.ticket or None,
        "origin": waiver.origin,
    }


def _today() -> date:
    return datetime.now(UTC).date()


_FILES = Argument(name="FILE", many=True, least=1, help="files of waivers")
_OUTPUT = replace(opt.OUTPUT, default=DEFAULT, default_text=DEFAULT, help="the file of waivers to add to")
_CAPS = replace(opt.POLICY, help="a policy that says for how long: a shipped one or a file; repeatable")
_SAYING = (opt.REASON, opt.OWNER, opt.EXPIRES, opt.DAYS, opt.TICKET, _OUTPUT, _CAPS, opt.STORE, opt.STORE_REPORTS)
ADD = Command(
    name="waiver add",
    summary="accept a finding for a time",
    examples=(
        (
            "driftscan waiver add F-3fa9c1d2e4b5 --reason 'agent of OPS-12' --owner ops@example.net --days 30",
            "with its content now, on all hosts whose last scan has it",
        ),
    ),
    arguments=(Argument(name="FINDING", help="a finding's id or its first characters, from the last scans"),),
    options=(opt.HOST, *_SAYING),
    notes=(
        "What is accepted is pinned: the same finding with other content is open again.",
        "Exit codes: 0; 2 wrong input, or longer than the severity allows.",
    ),
    run=_add,
)
LIST = Command(
    name="waiver list",
    summary="list waivers with their state",
    examples=(("driftscan waiver list waivers.yaml", "what needs somebody first: expired, void, unused"),),
    arguments=(_FILES,),
    options=(opt.JSON, opt.STORE, opt.STORE_REPORTS),
    notes=("States: active, expiring (within 14 days), expired, unused, void (its image is run no more).",),
    run=_list,
)
LINT = Command(
    name="waiver lint",
    summary="check files of waivers",
    examples=(
        ("driftscan waiver lint waivers.yaml", "each problem with file:line:column"),
        ("driftscan waiver lint waivers.yaml -p ours.yaml", "and what that policy lets no waiver accept"),
    ),
    arguments=(_FILES,),
    options=(_CAPS,),
    notes=("Exit codes: 0 all are good; 2 some are not.",),
    run=_lint,
)
PRUNE = Command(
    name="waiver prune",
    summary="take waivers out that accept nothing any more",
    examples=(("driftscan waiver prune waivers.yaml", "those that have expired, or are for images that are gone"),),
    arguments=(_FILES,),
    options=(opt.UNUSED, opt.STORE, opt.STORE_REPORTS),
    notes=("Comments and all other waivers stay as they are written.",),
    run=_prune,
)
ADOPT = Command(
    name="waiver adopt",
    summary="accept all that the last scans found, for a time: to begin with a fleet that has drifted",
    examples=(
        (
            "driftscan waiver adopt --reason 'as we found it, OPS-40' --owner ops@example.net --days 60",
            "one waiver for each thing, with the hosts that have it; what is new stands out at once",
        ),
    ),
    options=_SAYING,
    notes=(
        "What is to be quarantined is not adopted. Each waiver ends when its severity demands it, at the latest.",
        "Exit codes: 0; 2 wrong input.",
    ),
    run=_adopt,
)
commands = (ADD, LIST, LINT, PRUNE, ADOPT)
