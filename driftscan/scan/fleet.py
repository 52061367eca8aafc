"""Many hosts at once: threads, a deadline per host, and no host that holds up or hides the others."""

import logging
import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import TypeAlias

from driftscan.capture.probe import render
from driftscan.compare.agreement import Witness, agreed
from driftscan.compare.cohort import Member, cohorts
from driftscan.compare.fold import folds
from driftscan.compare.identities import shared_identities
from driftscan.compare.lineage import machine_of
from driftscan.errors import DriftscanError
from driftscan.model.codec import canonical
from driftscan.model.cohort import Cohort
from driftscan.model.finding import Verdict
from driftscan.model.names import show
from driftscan.model.result import HostResult, ScanResult
from driftscan.model.snapshot import ImageRef
from driftscan.model.waiver import Waiver, WaiverState
from driftscan.policy.waive import Scanned, Waiving, state
from driftscan.scan import program
from driftscan.scan.clock import now
from driftscan.scan.continuity import mode_of
from driftscan.scan.host import Job, scan_host
from driftscan.scan.judgement import Assessment, conclude, failed, gone
from driftscan.scan.options import ScanOptions
from driftscan.scan.parallel import workers
from driftscan.scan.patching import by_image
from driftscan.scan.progress import Progress
from driftscan.scan.targets import Target

log = logging.getLogger(__name__)
_POLL = 0.2
_GRACE = 5
"""Seconds that threads have to notice that their session was ended."""

Outcomes: TypeAlias = Mapping[str, Assessment | HostResult]
Alike: TypeAlias = Mapping[tuple[str, str], Sequence[str]]
"""Path and digest of an identity -> the targets that have it."""


def scan(targets: Sequence[Target], options: ScanOptions, progress: Progress, stop: threading.Event) -> ScanResult:
    """Scan all targets. Everything the user can get wrong is checked before any connection is made (UsageError). When
    `stop` is set, sessions are ended, and hosts that have not finished are listed as such."""
    job = Job(options, targets)
    program.text()  # once, rather than by each thread
    folds()
    started = now()
    try:
        outcomes = _gather(job, targets, progress, stop)
    finally:
        job.states.close()
    alike = _alike(outcomes)
    compared = _compared(outcomes)
    outcomes = _agreed(outcomes)
    results = tuple(_conclude(outcomes, alike, compared, target) for target in targets)
    return ScanResult(
        id=secrets.token_hex(8),
        started_at=started,
        finished_at=now(),
        mode=mode_of([result.reading for result in results]).value,
        hosts=results,
        waivers=_waivers(job.waiving, results),
        patching=by_image(each for each in outcomes.values() if isinstance(each, Assessment)),
        interrupted=stop.is_set(),
        by=options.by,
        policies=job.policies_used(),
        advisories=job.deriver.used,
        probe_digest=render.digest(program.text()),
    )


def _gather(job: Job, targets: Sequence[Target], progress: Progress, stop: threading.Event) -> Outcomes:
    pool = ThreadPoolExecutor(workers(job.options.workers, targets), thread_name_prefix="scan")
    futures = {pool.submit(_one, job, target, progress, stop): target for target in targets}
    waiting: set[Future[Assessment | HostResult]] = set(futures)
    while waiting and not stop.is_set():
        _, waiting = wait(waiting, _POLL, FIRST_COMPLETED)
    if stop.is_set():
        job.end_sessions()
        pool.shutdown(wait=False, cancel_futures=True)
        wait([future for future in waiting if not future.cancelled()], _GRACE)
    else:
        pool.shutdown()
    return {
        target.spec: future.result() if future.done() and not future.cancelled() else failed(target, _INTERRUPTED)
        for future, target in futures.items()
    }


_INTERRUPTED = DriftscanError("the scan was interrupted before this host was finished", "Scan it again.")


def _one(job: Job, target: Target, progress: Progress, stop: threading.Event) -> Assessment | HostResult:
    progress.started(target.name)
    outcome: Assessment | HostResult
    if target.host is not None and target.host.gone:
        outcome = gone(target)
    else:
        try:
            outcome = scan_host(job, target, progress)
        except DriftscanError as error:
            outcome = failed(target, _INTERRUPTED if stop.is_set() else error)
        except Exception as error:  # what one host says must not cost the results of the others
            log.debug("scan of %s", target.name, exc_info=True)
            outcome = failed(target, _bug(error))
    progress.finished(target.name, outcome if isinstance(outcome, HostResult) else conclude(outcome))
    return outcome


def _bug(error: Exception) -> DriftscanError:
    what = f"a bug in driftscan: {type(error).__name__}: {show(str(error)[:200])}"
    return DriftscanError(what, "Please report it, with the output of the same command and --debug.")


def _alike(outcomes: Outcomes) -> Alike:
    found: dict[tuple[str, str], list[str]] = {}
    for spec, outcome in outcomes.items():
        if isinstance(outcome, Assessment):
            for identity in outcome.identities.items():
                found.setdefault(identity, []).append(spec)
    return found


def _compared(outcomes: Outcomes) -> Mapping[str, Mapping[str, Cohort]]:
    """What hosts of one image say of each other's mutations, by target and mutation. Those in their first boot are not
    yet what they will be."""
    of_image: dict[str, list[Member]] = {}
    for spec, outcome in outcomes.items():
        if isinstance(outcome, Assessment) and outcome.settled and outcome.image.manifest_digest:
            member = Member(
                name=spec,
                mutations=outcome.mutations,
                labels=outcome.context.labels,
                view=outcome.view,
                history=outcome.history,
            )
            of_image.setdefault(outcome.image.manifest_digest, []).append(member)
    found: dict[str, Mapping[str, Cohort]] = {}
    for members in of_image.values():
        found.update(cohorts(members))
    return found


def _agreed(outcomes: Outcomes) -> Outcomes:
    """The same after hosts were heard on what others upgraded. What comes of it depends on who was scanned together, so
    neither history nor cohorts know it."""
    hosts = [
        Witness(
            spec=spec,
            name=outcome.target.name,
            machine=canonical(machine_of(outcome.identities, outcome.context.labels) or spec).decode(),
            mutations=outcome.mutations,
        )
        for spec, outcome in outcomes.items()
        if isinstance(outcome, Assessment) and outcome.settled
    ]
    heard = agreed(hosts)
    return {
        spec: replace(outcome, mutations=heard[spec]) if isinstance(outcome, Assessment) and spec in heard else outcome
        for spec, outcome in outcomes.items()
    }


def _conclude(
    outcomes: Outcomes, alike: Alike, compared: Mapping[str, Mapping[str, Cohort]], target: Target
) -> HostResult:
    """The result of one host, with what it shares with others of the same scan."""
    own = outcomes[target.spec]
    if isinstance(own, HostResult):
        return own
    own = replace(own, cohorts=compared.get(target.spec, {}))
    specs = {spec for identity in own.identities.items() for spec in alike[identity]} - {target.spec}
    sharing = (outcomes[spec] for spec in sorted(specs))
    others = {
        other.target.name: other.identities
        for other in sharing
        if isinstance(other, Assessment) and not _at_another_time(own.target, other.target)
    }
    shared = shared_identities(own.identities, (), others) if own.identities else ()
    return conclude(replace(own, mutations=(*own.mutations, *shared)) if shared else own)


def _at_another_time(one: Target, other: Target) -> bool:
    """Whether both are recordings of one host."""
    return one.past and other.past and one.name == other.name


def _waivers(waiving: Waiving, results: Sequence[HostResult]) -> tuple[tuple[Waiver, WaiverState], ...]:
    """Every waiver with its state, by what was wholly seen."""
    scanned = [
        Scanned(
            host=result.host,
            labels=result.labels,
            image=ImageRef(result.image.id, result.image.version),
            used=frozenset(waiver.origin for waiver in _accepting(result)),
        )
        for result in results
        if result.verdict in {Verdict.CLEAN, Verdict.FINDINGS}
    ]
    return tuple((waiver, state(waiver, waiving.today, scanned)) for waiver in waiving.waivers)


def _accepting(result: HostResult) -> Iterator[Waiver]:
    yield from (judged.waiver for judged in result.mutations if judged.waiver is not None)
    yield from (judged.waiver for judged in result.controls if judged.waiver is not None)
