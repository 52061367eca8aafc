"""What else there is to say of one finding: how old it is, what would be advised without it, how much was looked at.
From the report's JSON, whichever driftscan wrote it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from driftscan.model.names import show
from driftscan.model.times import utc
from driftscan.reports import _words as words

Json = Mapping[str, Any]
MOST = 3
MOST_GAPS = 5


@dataclass(frozen=True, slots=True)
class Seen:
    """By which scans, as far as the store knows: RFC 3339, or empty."""

    first: str = ""
    last: str = ""
    resolved: str = ""
    """The first scan that would have seen it and did not."""
    returned: int = 0
    returned_at: str = ""


UNSEEN = Seen()


@dataclass(frozen=True, slots=True)
class Found:
    """A finding on one host. `scan` and `host` are as in the report; `finding` is a mutation, or a control's result."""

    scan: Json
    host: Json
    finding: Json
    seen: Seen = UNSEEN
    carried: tuple[tuple[str, str], ...] = ()
    """(label, text): what becomes of it with the next image, where that was asked."""

    @property
    def id(self) -> str:
        """The fingerprint."""
        return str(self.finding.get("finding") or self.finding["id"])

    @property
    def is_control(self) -> bool:
        """Whether it is a control's result and not a mutation."""
        return "result" in self.finding


def age(found: Found) -> dict[str, str | None]:
    """When it was first and last seen by a scan, when what differs last changed there (ctime, which only the kernel
    sets: the earliest and the latest), and the latest time that its content claims (mtime, which anyone may set)."""
    changed, claimed = _times(found, "ctime"), _times(found, "mtime")
    return {
        "first_seen": found.seen.first or None,
        "last_seen": found.seen.last or None,
        "resolved_at": found.seen.resolved or None,
        "returned_at": found.seen.returned_at or None,
        "changed_first": utc(changed[0]) if changed else None,
        "changed_last": utc(changed[-1]) if changed else None,
        "content_of": utc(claimed[-1]) if claimed else None,
        "logged": None if found.is_control else found.finding["attribution"]["at"],
    }


def _times(found: Found, name: str) -> list[int]:
    """Of files. A directory changes with whatever comes and goes in it: it counts only where nothing else does."""
    items = [item for item in found.finding.get("differences", ()) if item.get("observed")]
    told = [item for item in items if item["attributes"].get("type", {}).get("actual") != "directory"] or items
    times = (item["observed"].get(name) for item in told)
    return sorted(time for time in times if isinstance(time, int) and time > 0 and utc(time))


def age_rows(found: Found) -> Iterator[tuple[str, str]]:
    """The same for a person."""
    known = age(found)
    first, last = known["changed_first"], known["changed_last"]
    if first and last:
        yield "changed", first if first == last else f"{first} to {last}"
    if known["content_of"] and known["content_of"] != last:
        yield "says it is of", f"{known['content_of']} (mtime, which can be set to anything)"
    if found.seen.first:
        yield "first seen", f"{found.seen.first}, last {found.seen.last}"
    if found.seen.returned:
        times = "once" if found.seen.returned == 1 else f"{found.seen.returned} times"
        yield "came back", f"{times} after it was gone, last by the scan of {found.seen.returned_at}"
    if found.seen.resolved:
        yield "since then", f"the scan of {found.seen.resolved} no longer found it"


def without(found: Found) -> str:
    """What would be advised if this finding were not there."""
    advice = found.host["recommendation"]
    action, because = advice["action"], advice["because"]
    state, result = found.finding["state"], found.finding.get("result", "fail")
    if state != "open" or result != "fail":
        return f"still {action}: what is {state if state != 'open' else result} is no ground for it"
    if not because:
        verdict = found.host["verdict"]
        unseen = "the host could not be scanned wholly"
        return f"still {action}: {unseen if verdict == 'findings' else f'it is what {verdict} hosts get'}"
    others = [each for each in because if each != found.id]
    if found.id in because and not others:
        return str(advice["counterfactual"])
    names = ", ".join(others[:MOST]) + (f" and {len(others) - MOST} more" if len(others) > MOST else "")
    too = ", too" if found.id in because else ""
    return f"still {action}: {names} {'asks' if len(others) == 1 else 'ask'} for it{too}"


def coverage_rows(host: Json) -> Iterator[tuple[str, str]]:
    """How much of the host was looked at."""
    coverage = host["coverage"]
    files, reading = coverage["files"], coverage.get("reading", {})
    counts = [f"{words.plural(files['seen'], 'file')} seen", f"{files['hashed']:,} read in this scan"]
    counts += [f"{files[name]:,} {word}" for name, word in _LOST.items() if files.get(name)]
    yield "coverage", ", ".join(counts)
    if reading.get("mode") == "quick":
        within = reading["within_scans"]
        yield "quick scan", f"the others by their metadata; every file is read within {within} scans"
    gaps = list(_gaps(coverage))
    for gap in gaps[:MOST_GAPS]:
        yield "not seen", gap
    if len(gaps) > MOST_GAPS:
        yield "not seen", f"and {len(gaps) - MOST_GAPS} more: see the report"


_LOST = {"unreadable": "unreadable", "raced": "changed while being read", "excluded": "not looked at, by zones"}


def _gaps(coverage: Json) -> Iterator[str]:
    for reason in coverage.get("torn_because", ()):
        yield f"torn: {show(reason)}"
    for name, collector in sorted(coverage["collectors"].items()):
        for gap in collector["gaps"]:
            hidden = f" (hides {show(', '.join(gap['hides']))})" if gap["hides"] else ""
            yield f"{show(name)}: {show(gap['reason'])}{hidden}"
        if collector["status"] == "failed" and not collector["gaps"]:
            yield f"{show(name)}: failed"


def waiver_rows(finding: Json) -> Iterator[tuple[str, str]]:
    """What accepts a finding, and what speaks of it and does not."""
    waiver = finding.get("waiver")
    if waiver:
        ticket = f", {show(waiver['ticket'])}" if waiver["ticket"] else ""
        told = f"until {waiver['expires']} by {show(waiver['owner'])}{ticket}: {show(waiver['reason'])}"
        yield "waived", f"{told} ({show(waiver['origin'])})"
    yield from (("not waived", show(why)) for why in finding.get("waivers_considered", ()))
