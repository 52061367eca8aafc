"""Metrics for Prometheus' node_exporter (textfile collector), in its text format 0.0.4: one series per host and thing,
never one per finding."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime

from driftscan.model.finding import Action, Severity, Verdict
from driftscan.model.result import HostResult, ScanResult
from driftscan.reports import _findings as finding
from driftscan.reports import _words as words
from driftscan.reports._base import Report, Style

_LABEL = 200
_ACTIONS = ", ".join(f"{int(action)} {action.word}" for action in Action)


def _render(result: ScanResult, _style: Style) -> Iterator[str]:
    yield from _of_the_scan(result)
    names = _names(result)
    for name, doc, values in FAMILIES:
        yield f"# HELP driftscan_host_{name} {doc}\n# TYPE driftscan_host_{name} gauge\n"
        for host, label in zip(result.hosts, names, strict=True):
            for labels, value in values(host):
                more = "".join(f',{key}="{word}"' for key, word in labels.items())
                yield f'driftscan_host_{name}{{host="{label}"{more}}} {value}\n'


def escape(text: str) -> str:
    """A label's value (Prometheus, exposition formats: backslash, quote and line feed are escaped)."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _of_the_scan(result: ScanResult) -> Iterator[str]:
    verdicts = Counter(host.verdict for host in result.hosts)
    started, finished = _seconds(result.started_at), _seconds(result.finished_at)
    yield from _family("scan_timestamp_seconds", "When the last scan ended.", [("", finished)])
    yield from _family("scan_duration_seconds", "How long it took.", [("", finished - started)])
    yield from _family("scan_interrupted", "1 if it was interrupted.", [("", int(result.interrupted))])
    counted = [(f'{{verdict="{verdict.value}"}}', verdicts[verdict]) for verdict in Verdict]
    yield from _family("hosts", "Hosts of the last scan by verdict.", counted)


def _family(name: str, doc: str, values: list[tuple[str, int]]) -> Iterator[str]:
    yield f"# HELP driftscan_{name} {doc}\n# TYPE driftscan_{name} gauge\n"
    for labels, value in values:
        yield f"driftscan_{name}{labels} {value}\n"


def _names(result: ScanResult) -> list[str]:
    """A label for each host: its name, and where another has the same one, or where it is too long, what tells them
    apart; a series that stands twice would cost all of them."""
    shown = [words.short(host.host, _LABEL) for host in result.hosts]
    counts = Counter(shown)
    return [
        escape(name if counts[name] == 1 and len(host.host) <= _LABEL else f"{name} {finding.fingerprint(host, '')}")
        for host, name in zip(result.hosts, shown, strict=True)
    ]


def _seconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp())


Values = Callable[[HostResult], list[tuple[dict[str, str], int]]]


def _severities(host: HostResult) -> list[tuple[dict[str, str], int]]:
    counts = Counter(host.open_severities())
    return [({"severity": severity.word}, counts[severity]) for severity in Severity]


def _gaps(host: HostResult) -> list[tuple[dict[str, str], int]]:
    return [({}, sum(len(coverage.gaps) for coverage in host.coverage))]


def _files(host: HostResult) -> list[tuple[dict[str, str], int]]:
    ways = ("hashed", "stat_only", "unreadable", "raced")
    return [({"read": way}, getattr(host.files, way)) for way in ways]


FAMILIES: tuple[tuple[str, str, Values], ...] = (
    ("verdict", "1 for the verdict of the last scan.", lambda host: [({"verdict": host.verdict.value}, 1)]),
    ("findings", "Open findings by severity.", _severities),
    ("recommendation", f"What to do: {_ACTIONS}.", lambda host: [({}, int(host.recommendation.action))]),
    ("whole", "1 if the host was wholly scanned, 0 if not.", lambda host: [({}, int(host.whole))]),
    ("gaps", "What could not be looked at.", _gaps),
    ("files", "Files by how they were read.", _files),
)

report = Report(
    name="prometheus",
    doc="metrics for node_exporter's textfile collector",
    render=_render,
    screen=False,
    shared=True,
)
