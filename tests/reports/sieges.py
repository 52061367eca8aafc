"""Results of scans in which hosts lie: one hostile text at every place that a host can fill."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

from driftscan.model.drift import Attribution, Cause, CauseType, Change, Delta, Difference, Grade
from driftscan.model.names import encode_name
from driftscan.model.proof import Proof, Rank
from driftscan.model.result import HostErrorRecord, HostResult, ScanResult
from driftscan.model.snapshot import CollectorCoverage, CollectorStatus
from driftscan.model.source import Gap, Status
from driftscan.reports._back import scan_result
from driftscan.reports._build import report
from tests.reports import samples

TEXTS = (
    *(name.decode("utf-8", "surrogateescape") for name in samples.HOSTILE),
    "::error file=x,line=1::pwned",
    "x\r\n::stop-commands::pwned\n##[error]pwned",
    "##[add-mask]pwned",
    "=cmd|'/c calc'!A1",
    "\uff1d1+1",
    "\t=1+1",
    " @SUM(1)",
    "'=1+1",
    "]]></failure></testsuites><x>&#0;",
    '"/><script>alert(1)</script>',
    'a" } 1\ndriftscan_hosts 666\n',
    "[x](javascript:alert(1)) {0}",
    "\ud800 \udfff \udcff lone",
    "\ufffe\uffff\ufeff",
    "\u202e\u2066gpj.exe\u2069",
    "\x1b]52;c;cHduZWQ=\x07\x9b31m",
    "\u6f22\u5b57" * 40 + "e\u0301" * 40,
)
"""What a host can say, to be rendered in every format: none of it may run, break out, or be lost without a mark."""
LONG = ("A" * (1 << 20), "=" + "<x> " * (1 << 18))
"""A megabyte of it, without and with blanks."""


def besieged(text: str) -> HostResult:
    """A host that says this at every place that it can fill."""
    host = samples.attacked()
    given = host.mutations[0].mutation
    changed = Difference(
        kind="user",
        key=encode_name(text.encode("utf-8", "surrogateescape")) if _is_bytes(text) else "k",
        change=Change.MODIFIED,
        attributes={"gecos": Delta(text, {text: (text, None, 3)})},
        why=text,
        text=f"-{text}\n+{text}\n",
        observed={"mtime": text},
    )
    lying = replace(
        given,
        title=text,
        cause=Cause(CauseType.BINARY_ADDED, text, text),
        attribution=Attribution(Grade.GUESSED, text, text, "2026-11-20T09:30:00Z", (text,)),
        differences=(changed,),
        proof=Proof(files={Rank.ARCHIVE: 3, Rank.LISTS: 1}, told=Rank.ARCHIVE, origins=(text,)),
    )
    return replace(
        host,
        host=text or "h",
        target=text,
        labels={"role": text},
        recommendation=replace(host.recommendation, sentence=text, command=text),
        mutations=(replace(host.mutations[0], mutation=lying),),
        controls=tuple(
            replace(one, title=text, evidence=(text,), waiver=samples.WAIVER, about=(("user", text),))
            for one in samples.drifted().controls
        ),
        coverage=(
            CollectorCoverage(
                "users", 1, ("user",), CollectorStatus.PARTIAL, 1, (Gap("users", Status.FAILED, text, (text,)),)
            ),
        ),
        not_baselined=(text,),
        notes=(text,),
        torn=(text,),
        errors=(HostErrorRecord(kind="torn", message=text, hint=text),),
    )


def siege() -> ScanResult:
    """A fleet in which each host says one of the hostile texts everywhere."""
    return samples.result(*(besieged(text) for text in TEXTS))


def flood() -> ScanResult:
    """The same with megabytes."""
    return samples.result(*(besieged(text) for text in LONG))


def _is_bytes(text: str) -> bool:
    return not re.search("[\ud800-\udc7f\udd00-\udfff]", text)


PAYLOAD = (
    "\"'`></title></style></bdi></code><img src=x onerror=pwned=1><svg onload=pwned=1></svg><script>pwned=1</script>"
    "<style>main{display:none}</style><iframe srcdoc=x></iframe><!--]]>{{7*7}}{%raw%}${7*7}\x1b]0;x\x07\u202e\u200b"
)
"""What would become an element, a style or a program in a page that writes it as it is."""
_FREE = {"labels", "refs", "attributes", "timings", "observed"}
"""Objects whose names are a host's or a policy's."""
_TOLD = {"schema", "mode", "started_at", "finished_at", "since", "until"}
"""What the schema has a form for, and reading back takes as it is."""


@cache
def everywhere(text: str) -> dict[str, Any]:
    """The fleet's report, in which this is the value of each field, and the name in each object, that may have any
    text: one that is read back is by anyone. New fields are in it by themselves."""
    data: dict[str, Any] = json.loads(json.dumps(report(samples.fleet())))
    shapes: dict[tuple[str, ...], list[tuple[Any, Any]]] = {}
    for holder, name, shape in _places(data, (), text):
        shapes.setdefault(shape, []).append((holder, name))
    for shape, places in shapes.items():
        before = [holder[name] for holder, name in places]
        if shape[-1] in _TOLD:
            continue
        for holder, name in places:
            holder[name] = text
        try:
            scan_result(data)
        except (ValueError, KeyError):  # a word of a closed list, or a date
            for (holder, name), value in zip(places, before, strict=True):
                holder[name] = value
    return data


def _places(data: Any, shape: tuple[str, ...], text: str) -> Iterator[tuple[Any, Any, tuple[str, ...]]]:
    """(what holds it, its name there, where that is) of every text."""
    if isinstance(data, dict) and shape and shape[-1] in _FREE:
        for name in list(data):
            data[text + name] = data.pop(name)
    items: Iterable[tuple[Any, Any]] = data.items() if isinstance(data, dict) else enumerate(data)
    for name, value in items:
        place = (*shape, name if isinstance(data, dict) else "*")
        if isinstance(value, str):
            yield data, name, place
        elif isinstance(value, (dict, list)):
            yield from _places(value, place, text)
