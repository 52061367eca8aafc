"""`driftscan birth`."""

import json
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from driftscan.cli import _options as opt
from driftscan.cli._command import Argument, Call, Command
from driftscan.cli._progress import ConsoleProgress
from driftscan.cli._prompt import prompter
from driftscan.cli._targets import chosen, scan_options
from driftscan.errors import UsageError
from driftscan.model.birth import Ground
from driftscan.model.names import show

if TYPE_CHECKING:
    from driftscan.model.birth import Birth, BirthRecord
    from driftscan.scan.delivery import Delivery

_WORDS = {
    Ground.DECLARED: "declared by user data",
    Ground.PACKAGE: "of packages that user data ask for",
    Ground.FIRST_BOOT: "made in first boot, where user data run commands",
    Ground.RUNNING: "of the running host, of which the manifest says nothing",
    Ground.ZONE: "left to first boot by zones",
    Ground.HAND: "accepted by hand",
}
_MOST_NAMES = 10


def _run(call: Call) -> int:
    from driftscan.scan.birth import Wish, bear
    from driftscan.scan.host import Job

    settings = call.settings
    if bool(settings.accept) != bool(settings.reason):
        raise UsageError("--accept and --reason belong together", "Say why what is accepted is right.")
    targets = chosen(call, settings.target)
    if any(target.host is None and target.scheme != "local" for target in targets):
        raise UsageError("a birth is of a running host", "Name hosts of an inventory, ssh://host, or local.")
    job = Job(scan_options(call, prompter(call.console, threading.Event())), targets)
    progress = ConsoleProgress(call.console, len(targets))
    try:
        wish = Wish(accept=settings.accept, reason=settings.reason, again=settings.again)
        deliveries = bear(targets, job, wish, progress)
    finally:
        job.states.close()
        progress.close()
    _check_accepted(settings.accept, deliveries)
    lines = [_json(deliveries)] if settings.json else _text(deliveries, settings.quiet, settings.verbose)
    call.console.writelines(line + "\n" for line in lines)
    return exit_code(deliveries)


def exit_code(deliveries: "Iterable[Delivery]") -> int:
    """1: something at birth is accounted for by nothing, or a birth is in doubt; 3: a host has no birth on record."""
    deliveries = tuple(deliveries)
    if any(each.undeclared or (each.birth is not None and each.birth.doubts) for each in deliveries):
        return 1
    return 3 if any(each.birth is None for each in deliveries) else 0


def _check_accepted(wanted: Sequence[str], deliveries: "Iterable[Delivery]") -> None:
    """An id that no host has is most likely a slip."""
    known = {name for each in deliveries for name in each.accepted}
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise UsageError(
            f"--accept: no host has {', '.join(map(show, unknown))} at its birth; the others were accepted",
            "See the ids with `driftscan birth --again`, or in the last scan.",
        )


def _text(deliveries: "Iterable[Delivery]", quiet: bool, verbose: bool) -> Iterator[str]:
    """Hosts of which the same is to be said together. `quiet`: only what somebody should look at, so that a mail from
    cron means something."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for each in deliveries:
        if not quiet or exit_code([each]):
            alike.setdefault(tuple(_said(each, verbose)), []).append(show(each.target.name))
    for (first, *rest), names in alike.items():
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES and not verbose else ""
        shown = names if verbose else names[:_MOST_NAMES]
        yield f"{', '.join(shown)}{more}: {first}"
        yield from (f"    {line}" for line in rest)


def _said(delivery: "Delivery", verbose: bool) -> Iterator[str]:
    birth, error = delivery.birth, delivery.error
    if delivery.outcome == "settling":
        yield "settling: first boot has not finished; nothing is recorded. Try again in a minute."
    elif birth is None:
        yield f"not recorded: {show(error.message) if error else 'not reached'}"
        if error and error.hint:
            yield show(error.hint)
    else:
        settled = f"; first boot had ended {birth.settled_at}" if birth.settled_at and verbose else ""
        known = "recorded already; --again records it anew" if delivery.outcome == "known" else "recorded"
        yield f"{known}{settled}"
        if delivery.outcome == "recorded" or verbose:
            yield from _records(birth, verbose)
        yield from (f"in doubt: {show(doubt)}" for doubt in birth.doubts)
    if delivery.undeclared:
        yield "accounted for by nothing; each stays a finding until it is accepted (--accept ID --reason TEXT):"
        for judged in delivery.undeclared:
            yield f"  {judged.severity.word:<8}  {show(judged.mutation.title)}  [{judged.mutation.id}]"


def _records(birth: "Birth", verbose: bool) -> Iterator[str]:
    for ground, words in _WORDS.items():
        records = [record for record in birth.records if record.ground is ground]
        if records:
            yield f"{len(records):,} {words}: {_counted(records)}"
            if ground is Ground.RUNNING:
                yield f"  listening: {_ports(records)}"
            if verbose:
                yield from (f"  {record.kind} {show(record.key)}  ({show(record.why)})" for record in records)


def _ports(records: "Iterable[BirthRecord]") -> str:
    """Where others may connect from outside: worth a look of whoever records a birth."""
    ports = [record.key for record in records if record.kind == "listen" and not record.key.startswith("unix/")]
    return ", ".join(map(show, ports)) or "on no port"


def _counted(records: "Iterable[BirthRecord]") -> str:
    counts = Counter(record.kind for record in records)
    return ", ".join(f"{count} {_plural(kind, count)}" for kind, count in sorted(counts.items()))


def _plural(kind: str, count: int) -> str:
    word = kind.replace("_", " ")
    return word if count == 1 else f"{word}es" if word.endswith("s") else f"{word}s"


def _json(deliveries: "Iterable[Delivery]") -> str:
    return json.dumps([_as_json(each) for each in deliveries], indent=2)


def _as_json(delivery: "Delivery") -> dict[str, Any]:
    birth, error = delivery.birth, delivery.error
    return {
        "host": delivery.target.name,
        "outcome": delivery.outcome.value,
        "taken_at": birth.taken_at if birth else None,
        "settled_at": (birth.settled_at or None) if birth else None,
        "manifest_digest": birth.manifest if birth else None,
        "user_data_sha256": (birth.user_data or None) if birth else None,
        "accepted": dict(Counter(record.ground.value for record in birth.records)) if birth else {},
        "records": [
            {"kind": record.kind, "key": record.key, "ground": record.ground.value, "why": record.why}
            for record in (birth.records if birth else ())
        ],
        "undeclared": [
            {"id": each.mutation.id, "title": each.mutation.title, "severity": each.severity.word}
            for each in delivery.undeclared
        ],
        "doubts": list(birth.doubts) if birth else [],
        "error": {"message": error.message, "hint": error.hint} if error else None,
    }


COMMAND = Command(
    name="birth",
    summary="record what hosts are when their first boot has settled, as launch inputs declare it",
    examples=(
        (
            "driftscan birth -i inventory.yaml -l 'web-*' -m web.manifest",
            "what user data declare is accepted, then sealed; hosts with the same user data vouch for each other",
        ),
        (
            "driftscan birth web-1 -i inventory.yaml -m web.manifest --accept F-2b83606b0fbe --reason 'CHG-12: agent'",
            "accept one thing that nothing accounts for",
        ),
    ),
    arguments=(Argument(name="TARGET", many=True, help="as for scan, but running hosts alone"),),
    options=(
        opt.MANIFEST,
        opt.POLICY,
        opt.ZONES,
        opt.ACCEPT_FINDING,
        opt.REASON,
        opt.AGAIN,
        opt.JSON,
        opt.WORKERS,
        opt.STORE,
        *opt.CONNECT,
    ),
    notes=(
        (
            "Later scans with the same --store judge a host by its birth: what first boot may change is sealed, and an"
            " extra line in a declared file is a finding. A host without a birth of its own is judged by what hosts"
            " with the same user data had in common."
        ),
        (
            "Exit codes: 0 all recorded; 1 something at birth is accounted for by nothing, or a birth is in doubt; 2"
            " wrong input; 3 a host was not recorded: in its first boot, not reached, torn, or not wholly seen."
        ),
    ),
    run=_run,
)
commands = (COMMAND,)
