"""What driftscan and AIDE tell of what a person did on one host: recall, precision, mutations per act, and attribution.
tally.py has the rules of counting, docs/accuracy.md the figures. No costs, and no ratios: one run is one answer."""

import dataclasses
import shutil
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from acts import ACTOR, ACTS, prepare
from fleet import Fleet, raised, settled
from measure import Item, LeftOutError, RefusedError, Table
from tally import NOBODY, OTHER_ACTOR, OTHER_COMMAND, RIGHT, Act, Tally, judge, tally

from tests.fleet.aide import Aide
from tests.fleet.bed.host import Host
from tests.fleet.bed.shell import attempt

PAUSE = 3
"""Seconds between two acts."""
EXCLUDED = ("/run", "/tmp", "/var/cache", "/var/log", "/var/tmp")
"""What AIDE is spared, in its favour: what changes by itself on every host."""
_MERGED = ("/bin/", "/lib/", "/sbin/")
"""Links to directories of /usr, through which packages of Debian may call their files."""
GRADES = ("recorded", "consistent", "guessed", "contradicted", "none")

Json = dict[str, Any]


def measure(number: int) -> Iterator[Item]:
    """A fresh host of bed `number`, baked; then its acts."""
    if not shutil.which("aide"):
        raise LeftOutError("AIDE is not installed (Debian: aide)")
    with raised(1, number, prepare) as fleet:
        host = fleet.hosts[0]
        aide = Aide(fleet.folder, EXCLUDED)
        aide.record(host.root)
        yield f"One fresh host, baked from itself alone and recorded by AIDE; {settled()}."
        yield _control(fleet, aide, host)
        acts = [_perform(fleet, host, act) for act in ACTS]
        report = fleet.report()["hosts"][0]
        entries = _entries(aide, host)
    yield from _told(acts, report, entries)


def _control(fleet: Fleet, aide: Aide, host: Host) -> str:
    """Before anything is done. RefusedError unless driftscan finds the host clean."""
    found = fleet.report()["hosts"][0]
    if found["verdict"] != "clean":
        raise RefusedError(f"the host is not clean before the acts: {[one['title'] for one in _open(found)]}")
    entries = _entries(aide, host)
    return f"Control, before the acts: driftscan clean; AIDE {len(entries)} entries {' '.join(entries[:20])}".rstrip()


def _perform(fleet: Fleet, host: Host, act: Act) -> Act:
    """Do one by ssh and sudo, as a person would, and note the files of packages that it changed."""
    before = _package_lists(host.root)
    login = ["ssh", "-F", str(fleet.settings.ssh_config), f"{ACTOR}@{host.name}"]
    done = attempt(*login, act.command)
    if done.returncode:
        raise RefusedError(f"{act.name}: status {done.returncode}: {(done.stdout + done.stderr)[-500:]}")
    time.sleep(PAUSE)
    after = _package_lists(host.root)
    changed = [lists[name] for lists in (before, after) for name in lists if before.get(name) != after.get(name)]
    files = {path for _, text in changed for path in text.splitlines()}
    files |= {f"/usr{path}" for path in files if path.startswith(_MERGED)}
    return dataclasses.replace(act, package_files=frozenset(files))


def _package_lists(root: Path) -> Mapping[str, tuple[int, str]]:
    lists = root.glob("var/lib/dpkg/info/*.list")
    return {path.name: (path.stat().st_mtime_ns, path.read_text(errors="surrogateescape")) for path in lists}


def _entries(aide: Aide, host: Host) -> list[str]:
    found = aide.check(host.root)
    return sorted(found.added | found.removed | found.modified)


def _open(host: Json) -> list[Json]:
    return [mutation for mutation in host["mutations"] if mutation["state"] == "open"]


def _told(acts: Sequence[Act], report: Json, entries: Sequence[str]) -> Iterator[Item]:
    mutations = _open(report)
    ours = tally([{f"{d['kind']} {d['key']}" for d in one["differences"]} for one in mutations], acts)
    theirs = tally([{f"file {path}"} for path in entries], acts, lambda act: act.files)
    judged = {act.name: judge(act, ACTOR, [mutations[n]["attribution"] for n in ours.naming[act.name]]) for act in acts}
    yield _acts_table(acts, ours, theirs, mutations, judged)
    yield _summary(acts, ours, theirs, judged)
    yield _grades(acts, ours, mutations, judged)
    counts = report["accounting"]
    balanced = counts["raw"] == counts["folded"] + counts["allowed"] + counts["unexplained"]
    yield f"Conservation: {', '.join(f'{k} {v}' for k, v in counts.items())}; {'holds' if balanced else '**BROKEN**'}."
    yield f"Findings that name several acts: {_titles(mutations, ours.merged)}."
    yield f"Findings of no act: {_titles(mutations, ours.strays)}."
    yield f"AIDE's entries of no act: {', '.join(entries[n] for n in theirs.strays[:30]) or 'none'}."
    yield f"Missed: driftscan {', '.join(ours.missed) or 'none'}; AIDE {', '.join(theirs.missed) or 'none'}."


def _titles(mutations: Sequence[Json], numbers: Sequence[int]) -> str:
    return "; ".join(f"{mutations[n]['cause']['type']} {mutations[n]['title']}" for n in numbers) or "none"


def _acts_table(
    acts: Sequence[Act], ours: Tally, theirs: Tally, mutations: Sequence[Json], judged: Mapping[str, str]
) -> Table:
    rows = []
    for act in acts:
        given = [mutations[n] for n in ours.of(act)]
        causes = ", ".join(one["cause"]["type"] for one in given) or "**missed**"
        attributions = (one["attribution"] for one in given)
        named = "; ".join(f"{one['grade']}, {one['actor']}: `{one['command']}`" for one in attributions)
        numbers = f"{len(given)}", f"{len(theirs.of(act)):,}{'' if theirs.naming[act.name] else ' (missed)'}"
        rows.append((act.name, *numbers, f"{causes}: {judged[act.name]} ({named})".replace("|", "\\|")))
    return Table(("act", "mutations", "AIDE's entries", "cause: attribution"), tuple(rows))


def _summary(acts: Sequence[Act], ours: Tally, theirs: Tally, judged: Mapping[str, str]) -> Table:
    right = list(judged.values()).count(RIGHT)
    actor = right + list(judged.values()).count(OTHER_COMMAND)
    rows = [(title, told(acts, ours), told(acts, theirs), "") for title, told in _FIGURES.items()]
    rows.append(("acts of which the right actor is named", _share(actor, len(acts)), "0 (has none)", ""))
    rows.append(("and the right command", _share(right, len(acts)), "0 (has none)", ""))
    return Table(("figure", "driftscan", "AIDE", ""), tuple(rows))


def _recall(acts: Sequence[Act], found: Tally) -> str:
    return _share(len(acts) - len(found.missed), len(acts))


def _precision(acts: Sequence[Act], found: Tally) -> str:
    belonging = len(_belonging(acts, found))
    return _share(belonging, belonging + len(found.strays))


def _to_the_point(acts: Sequence[Act], found: Tally) -> str:
    naming = {number for findings in found.naming.values() for number in findings}
    return _share(len(naming), len(_belonging(acts, found)) + len(found.strays))


def _mean(acts: Sequence[Act], found: Tally) -> str:
    return f"{len(_belonging(acts, found)) / max(1, len(acts) - len(found.missed)):.3g}"


def _each(acts: Sequence[Act], found: Tally) -> str:
    """One that several acts share counts for each."""
    counts = [len(found.of(act)) for act in acts if found.naming[act.name]]
    return f"{statistics.median(counts):g}, {max(counts):,}" if counts else "none"


def _belonging(acts: Sequence[Act], found: Tally) -> set[int]:
    return {number for act in acts for number in found.of(act)}


_FIGURES = {
    "recall: acts that are found": _recall,
    "precision: findings that belong to an act": _precision,
    "findings that name what an act is about, not what follows": _to_the_point,
    "findings per act found, mean": _mean,
    "the same, median and most": _each,
}


def _grades(acts: Sequence[Act], ours: Tally, mutations: Sequence[Json], judged: Mapping[str, str]) -> Table:
    """How certain driftscan says it is, and how often it is right."""
    words = (RIGHT, OTHER_COMMAND, OTHER_ACTOR, NOBODY)
    counts = {grade: dict.fromkeys(words, 0) for grade in GRADES}
    for act in acts:
        grades = [mutations[n]["attribution"]["grade"] for n in ours.naming[act.name]]
        counts[max(grades, key=GRADES.index, default="none")][judged[act.name]] += 1
    rows = tuple((grade, *(str(row[word]) for word in words), "") for grade, row in counts.items())
    return Table(("lowest grade of an act", *words, ""), rows)


def _share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} ({part / whole:.1%})" if whole else "none"
