"""Everything known about one finding, as text for a person. It is made from the report's JSON, so that a finding of
the store and one of a report file are told in the same words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from driftscan.cli._by_hand import commands, quote
from driftscan.model.names import show
from driftscan.reports import _words as words
from driftscan.reports._base import Style
from driftscan.reports._terminal import Painter

Json = Mapping[str, Any]
SIGNS = {"added": "+", "removed": "-", "modified": "~", "unknown": "?"}
INDENT = "  "
HEAD = 16
_TIMES = frozenset({"atime", "btime", "ctime", "mtime"})
_LAST = 253402300800 * 10**9
"""The end of the year 9999, in nanoseconds."""


@dataclass(frozen=True, slots=True)
class Found:
    """A finding on one host. `scan` and `host` are as in the report; `finding` is a mutation, or a control's result."""

    scan: Json
    host: Json
    finding: Json
    history: tuple[tuple[str, str], ...] = ()
    """(label, text) from earlier scans, where they are known."""

    @property
    def id(self) -> str:
        """The fingerprint."""
        return str(self.finding.get("finding") or self.finding["id"])

    @property
    def is_control(self) -> bool:
        """Whether it is a control's result and not a mutation."""
        return "result" in self.finding


def explain(found: Found, style: Style) -> Iterator[str]:
    """Lines without their newline."""
    painter = Painter(style)
    severity = str(found.finding["severity"])
    yield from painter.wrap(painter.paint(f"{found.id}  {severity}: {show(found.finding['title'])}", "bold"))
    yield from _table(painter, _control_facts(found) if found.is_control else _mutation_facts(found))
    yield from _table(painter, iter(found.history))
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
    yield "cause", f"{cause['type']}: {words.name(cause['subject'])}{detail}"
    yield "who", f"{show(given['actor'] or 'not known')} ({given['grade']})"
    if given["command"]:
        yield "command", show(given["command"])
    if given["at"]:
        yield "when", show(given["at"])
    if proof := mutation.get("proof"):
        yield "proof", f"{proof['rank']}: {show(proof.get('worth', ''))}".removesuffix(": ")
        if proof["origins"]:
            yield "told by", show(", ".join(proof["origins"]))
    if mutation.get("cohort"):
        yield "how common", show(mutation["cohort"].get("sentence", mutation["cohort"]["class"]))
    if mutation.get("returned"):
        yield "came back", words.RETURNED
    yield "rule", _rule(mutation["rule"])
    yield "asks for", str(mutation.get("action", "-"))


def _control_facts(found: Found) -> Iterator[tuple[str, str]]:
    control = found.finding
    yield "state", f"{control['state']}, result {control['result']}"
    yield "rule", _rule({"id": control["id"], **control["rule"]})
    for catalogue, ids in sorted(control["refs"].items()):
        yield show(catalogue), show(", ".join(ids))
    if control.get("fix"):
        yield "fix", show(control["fix"])
    yield "asks for", str(control.get("action", "-"))


def _host_facts(found: Found) -> Iterator[tuple[str, str]]:
    host, advice = found.host, found.host["recommendation"]
    image = host["image"]
    cure = {True: "yes", False: "no", None: "not known"}[advice["cure"]["replacement_cures"]]
    yield "host", f"{words.name(host['host'])} ({show(host['target'])}), {host['verdict']}"
    yield "image", f"{show(' '.join([image['id'], image['version']]).strip()) or 'not named'} ({image['match']})"
    yield "scan", f"{show(found.scan['id'])}, finished {found.scan['finished_at']}"
    yield "recommended", f"{advice['action']}: {show(advice['sentence'])}"
    if advice["counterfactual"]:
        yield "otherwise", show(advice["counterfactual"])
    yield "would cure it", f"{cure} (the fault lies in: {advice['cure']['cause']})"
    if advice.get("command"):
        yield "to replace it", show(advice["command"])


def _rule(rule: Json) -> str:
    place = f" ({show(rule['file'])}:{rule['line']})" if rule["file"] else ""
    return f"{show(rule['id'])}{place}" if rule["id"] else "none"


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
    if name in _TIMES and isinstance(value, int) and 0 < value < _LAST:
        return datetime.fromtimestamp(value // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return _full(value)


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


def _by_hand(found: Found, painter: Painter) -> Iterator[str]:
    typed = commands((item["kind"], item["key"]) for item in _telling(found.finding["differences"]))
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
