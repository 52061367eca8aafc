"""Everything known about one finding, as text for a person. It is made from the report's JSON, so that a finding of
the store and one of a report file are told in the same words."""

from collections.abc import Iterator
from typing import Any

from driftscan.cli._by_hand import commands, of_logs, quote
from driftscan.cli._grounds import Found, Json, age_rows, coverage_rows, waiver_rows, without
from driftscan.model.names import show
from driftscan.model.times import utc
from driftscan.reports import _words as words
from driftscan.reports._base import Style
from driftscan.reports._terminal import Painter

SIGNS = {"added": "+", "removed": "-", "modified": "~", "unknown": "?"}
INDENT = "  "
HEAD = 16
NOT_COMPARED = "not told: it is compared with no other hosts of the image, or too few could tell"
_TIMES = frozenset({"atime", "began", "btime", "ctime", "mtime", "written"})


def explain(found: Found, style: Style) -> Iterator[str]:
    """Lines without their newline."""
    painter = Painter(style)
    severity = str(found.finding["severity"])
    yield from painter.wrap(painter.paint(f"{found.id}  {severity}: {show(found.finding['title'])}", "bold"))
    yield from _table(painter, _control_facts(found) if found.is_control else _mutation_facts(found))
    yield from _table(painter, iter(found.carried))
    yield ""
    yield from _table(painter, _host_facts(found))
    if found.is_control:
        yield from _section(painter, "What was found", map(show, found.finding["evidence"]))
    else:
        yield from _section(painter, "Evidence", map(show, found.finding["attribution"]["evidence"]))
        yield from _differences(found.finding["differences"], painter)
    yield from _by_hand(found, painter)


def _mutation_facts(found: Found) -> Iterator[tuple[str, str]]:
    mutation = found.finding
    cause, given = mutation["cause"], mutation["attribution"]
    detail = f" ({show(cause['detail'])})" if cause["detail"] else ""
    yield "state", str(mutation["state"])
    yield from waiver_rows(mutation)
    yield "cause", f"{cause['type']}: {words.name(cause['subject'])}{detail}"
    yield "who", f"{show(given['actor'] or 'not known')} ({given['grade']})"
    if given["command"]:
        yield "command", show(given["command"])
    if given["at"]:
        yield "when", show(given["at"])
    yield from age_rows(found)
    if proof := mutation.get("proof"):
        yield "proof", f"{proof['rank']}: {show(proof.get('worth', ''))}".removesuffix(": ")
        if proof["origins"]:
            yield "told by", show(", ".join(proof["origins"]))
    cohort = mutation.get("cohort")
    yield "how common", show(cohort.get("sentence", cohort["class"])) if cohort else NOT_COMPARED
    if mutation.get("returned"):
        yield "came back", words.RETURNED
    yield from _rule(mutation["rule"])
    yield "asks for", str(mutation.get("action", "-"))
    yield "without it", show(without(found))


def _control_facts(found: Found) -> Iterator[tuple[str, str]]:
    control = found.finding
    yield "state", f"{control['state']}, result {control['result']}"
    yield from waiver_rows(control)
    yield from age_rows(found)
    yield from _rule({"id": control["id"], **control["rule"]})
    for catalogue, ids in sorted(control["refs"].items()):
        yield show(catalogue), show(", ".join(ids))
    if control.get("fix"):
        yield "fix", show(control["fix"])
    yield "asks for", str(control.get("action", "-"))
    yield "without it", show(without(found))


def _host_facts(found: Found) -> Iterator[tuple[str, str]]:
    host, advice = found.host, found.host["recommendation"]
    image = host["image"]
    cure = {True: "yes", False: "no", None: "not known"}[advice["cure"]["replacement_cures"]]
    yield "host", f"{words.name(host['host'])} ({show(host['target'])}), {host['verdict']}"
    yield "image", f"{show(' '.join([image['id'], image['version']]).strip()) or 'not named'} ({image['match']})"
    yield "scan", f"{show(found.scan['id'])}, finished {found.scan['finished_at']}"
    yield from coverage_rows(host)
    yield "recommended", f"{advice['action']}: {show(advice['sentence'])}"
    if advice["counterfactual"]:
        yield "otherwise", show(advice["counterfactual"])
    yield "would cure it", f"{cure} (the fault lies in: {advice['cure']['cause']})"
    if advice.get("command"):
        yield "to replace it", show(advice["command"])


def _rule(rule: Json) -> Iterator[tuple[str, str]]:
    place = f" ({show(rule['file'])}:{rule['line']})" if rule["file"] else ""
    yield "rule", f"{show(rule['id'])}{place}" if rule["id"] else "none"
    if rule.get("why"):
        yield "why", show(rule["why"])


def _table(painter: Painter, rows: Iterator[tuple[str, str]]) -> Iterator[str]:
    for label, text in rows:
        lead = f"{INDENT}{label:<{HEAD}}"
        if len(lead) > HEAD + len(INDENT):
            lead += " "
        yield from painter.wrap(text, lead, INDENT + " " * HEAD)


def _section(painter: Painter, title: str, items: Iterator[str]) -> Iterator[str]:
    lines = list(items)
    if lines:
        yield from ("", painter.paint(title, "bold"))
        for line in lines:
            yield from painter.wrap(line, INDENT, INDENT * 2)


def _differences(items: list[Json], painter: Painter) -> Iterator[str]:
    yield from ("", painter.paint(words.plural(len(items), "difference"), "bold"))
    for item in _telling(items):
        yield f"{INDENT}{SIGNS[item['change']]} {item['kind']} {words.name(item['key'])}"
        zone = f"zone {item['zone']}" + (f": {show(item['zone_reason'])}" if item.get("zone_reason") else "")
        yield from (painter.paint(line, "dim") for line in painter.wrap(zone, INDENT * 3, INDENT * 4))
        if item.get("why"):
            yield from painter.wrap(show(item["why"]), INDENT * 3)
        for name, delta in sorted(item["attributes"].items()):
            yield from _attribute(name, delta, str(item["change"]))
        if item.get("observed"):
            seen = ", ".join(f"{show(name)} {_seen(name, value)}" for name, value in sorted(item["observed"].items()))
            yield from painter.wrap(f"seen there: {seen}", INDENT * 3, INDENT * 4)
        looks = {"+": "green", "-": "red", "@": "cyan"}
        for line in item.get("text", "").rstrip("\n").split("\n"):
            if line:
                yield INDENT * 3 + painter.paint(show(line), looks.get(line[0], "dim"))


def _telling(items: list[Json]) -> list[Json]:
    """As reports order them: files after what brought them."""
    return sorted(items, key=lambda item: item["kind"] == "file")


def _attribute(name: str, delta: Json, change: str) -> Iterator[str]:
    """One line where only one side can have a value, else both, one below the other, so that the eye can compare."""
    label = f"{INDENT * 3}{show(name):<15} "
    if change in {"added", "removed"}:
        yield label + _full(delta["actual" if change == "added" else "expected"])
        return
    yield f"{label}expected {_full(delta['expected'])}"
    yield f"{' ' * len(label)}actual   {_full(delta['actual'])}"


def _seen(name: str, value: Any) -> str:
    """Evidence; times of files are kept in nanoseconds and read as dates."""
    told = utc(value) if name in _TIMES and isinstance(value, int) and value > 0 else ""
    return told or _full(value)


def _full(value: Any) -> str:
    """A value of the report, never shortened."""
    if value is None:
        return "absent"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "[" + ", ".join(_full(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{show(name)}: {_full(value[name])}" for name in sorted(value)) + "}"
    return show(str(value)) or "''"


def by_hand(found: Found) -> list[str]:
    """Commands by which a person sees on the host what differs, and what its logs say of it."""
    if found.is_control:
        return commands((item["kind"], item["key"]) for item in found.finding.get("about", ()))
    seen = commands((item["kind"], item["key"]) for item in _telling(found.finding["differences"]))
    return [*seen, *(each for each in of_logs(found.finding["attribution"]) if each not in seen)]


def _by_hand(found: Found, painter: Painter) -> Iterator[str]:
    typed = by_hand(found)
    if typed:
        yield from ("", painter.paint(f"To see it by hand{_login(str(found.host['target']))}", "bold"))
        yield from (INDENT + command for command in typed)


def _login(target: str) -> str:
    if not target.startswith("ssh://"):
        return ""
    user, at, place = target.removeprefix("ssh://").rstrip("/").rpartition("@")
    host, colon, port = place.rpartition(":") if not place.endswith("]") else (place, "", "")
    name = (host if colon else place).strip("[]")
    way = f"-p {port} " if port not in {"", "22"} and colon else ""
    return f" (ssh {way}{quote(user + at + name)})"
