"""What driftscan, OpenSCAP and Lynis say of one minimal host, one hardened one, and one that was then broken in thirty
ways (tests/fleet/audited.py): how many of the thirty each finds, and where two that decide the same disagree.
auditors.yaml says which checks decide the same, and why they disagree; docs/reference/other-auditors.md has the last
answer."""

import fnmatch
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import yaml
from fleet import Fleet, raised
from measure import Item, LeftOutError, RefusedError, Table

from tests.fleet.audited import BREAKAGES, harden, undo
from tests.fleet.bed.host import Host
from tests.fleet.bed.machine import archive
from tests.fleet.bed.shell import run

POLICIES = ("server-hardening", "access", "exposure")
# The content for Debian 12 came with the release after it.
CONTENT = "pool/main/s/scap-security-guide/ssg-debian_0.1.76-1_all.deb"
LYNIS = "pool/main/l/lynis/lynis_3.1.4-1_all.deb"
_DATASTREAM = "usr/share/xml/scap/ssg/content/ssg-debian12-ds.xml"
_PREFIX = "xccdf_org.ssgproject.content_rule_"
TABLE = Path(__file__).with_name("auditors.yaml")

PASS, FAIL = "pass", "fail"
Results = Mapping[str, str]
"""Of one host and one program: `pass` or `fail` by check; checks that say neither are left out."""


@dataclass(frozen=True)
class Pair:
    """Checks that decide the same: ours, theirs, and why they may disagree. A peer's check is `openscap RULE`, or
    `lynis TEST` with, after a colon, a word of the line that tells of it."""

    rule: str
    peer: str
    because: str


def measure(number: int) -> Iterator[Item]:
    """Three fresh hosts of bed `number`."""
    if not shutil.which("dpkg-deb"):
        raise LeftOutError("dpkg-deb is not installed")
    with tempfile.TemporaryDirectory() as folder, raised(3, number) as fleet:
        peers = _Peers(Path(folder))
        names = dict(zip(("minimal", "hardened", "broken"), fleet.hosts, strict=True))
        for host in (names["hardened"], names["broken"]):
            harden(host)
        undo(names["broken"])
        ours = _driftscan(fleet, names)
        theirs = {name: peers.ask(host) for name, host in names.items()}
    yield _breakages(ours, theirs)
    yield from _agreement(ours, theirs, _pairs())


def _driftscan(fleet: Fleet, names: Mapping[str, Host]) -> Mapping[str, Results]:
    options = [word for policy in POLICIES for word in ("-p", policy)]
    report: Any = fleet.report(*options)
    found = {host["host"]: {c["id"]: c["result"] for c in host["controls"]} for host in report["hosts"]}
    return {name: found[host.name] for name, host in names.items()}


class _Peers:
    """OpenSCAP with all rules of its content, and Lynis with its own profile, on one host after the other."""

    def __init__(self, folder: Path) -> None:
        for name, place in (("content.deb", CONTENT), ("lynis.deb", LYNIS)):
            run("curl", "-fsSL", "-o", str(folder / name), f"{archive().rstrip('/')}/{place}")
        run("dpkg-deb", "-x", str(folder / "content.deb"), str(folder))
        self._content = _every_rule((folder / _DATASTREAM).read_text())
        self._lynis = folder / "lynis.deb"

    def ask(self, host: Host) -> Results:
        (host.root / "root/content.xml").write_text(self._content)
        shutil.copy(self._lynis, host.root / "root/lynis.deb")
        host.shell(
            "export DEBIAN_FRONTEND=noninteractive; apt-get -qq update || true;"
            " apt-get -qqy install --no-install-recommends openscap-scanner >/dev/null 2>&1;"
            " dpkg --force-depends -i /root/lynis.deb >/dev/null 2>&1;"
            " oscap xccdf eval --results /root/results.xml /root/content.xml >/dev/null 2>&1 || true;"
            " lynis audit system --quick --no-colors >/dev/null 2>&1 || true",
            timeout=600,
        )
        openscap = _openscap((host.root / "root/results.xml").read_text())
        lynis = _lynis((host.root / "var/log/lynis-report.dat").read_text(errors="replace"))
        return {**{f"openscap {key}": value for key, value in openscap.items()}, **lynis}


def _every_rule(content: str) -> str:
    """The content with all rules selected, also those that it takes for not applicable in containers: in its favour."""
    content = re.sub(r'<(?:[a-z0-9.-]*:)?platform idref="[^"]*"\s*/>', "", content)

    def select(found: re.Match[str]) -> str:
        tag = found.group(0)
        # The probe for SELinux ends the whole run where there is none.
        return tag if "sebool" in tag or "selinux" in tag else tag.replace('selected="false"', 'selected="true"')

    return re.sub(r"<[a-z0-9.-]*:?(?:Rule|Group) [^>]*>", select, content)


def _openscap(results: str) -> Results:
    found = {}
    for element in ET.fromstring(results).iter():
        if element.tag.endswith("}rule-result"):
            (result,) = (child.text or "" for child in element if child.tag.endswith("}result"))
            if result in {PASS, FAIL}:
                found[element.get("idref", "").removeprefix(_PREFIX)] = result
    return found


def _lynis(report: str) -> Results:
    """`lynis TEST` for each test that ran; `lynis LINE` for each line that tells of one, always a fault."""
    ran = re.search(r"^tests_executed=(.*)$", report, re.MULTILINE)
    if not ran:
        raise RefusedError("Lynis did not end")
    found = {f"lynis {test}": PASS for test in ran.group(1).split("|") if test}
    for line in re.findall(r"^(?:warning|suggestion|details)\[\]=(.*)$", report, re.MULTILINE):
        found[f"lynis {line.split('|')[0]}"] = FAIL
        found[f"lynis {line}"] = FAIL
    return found


def _said(results: Results, check: str) -> str | None:
    """What a peer says of one of its checks; None: it does not decide it here."""
    test, _, word = check.partition(":")
    if not word:
        return results.get(test)
    if test not in results:
        return None
    return FAIL if any(key.startswith(f"{test}|") and word in key for key in results) else PASS


def _breakages(ours: Mapping[str, Results], theirs: Mapping[str, Results]) -> Table:
    table: Any = yaml.safe_load(TABLE.read_text())["breakages"]
    rows = []
    counts = [0, 0, 0]
    for breakage in BREAKAGES:
        peers = table.get(breakage.name, [])
        found = [
            [rule for rule in breakage.fails if _turned(ours, rule)],
            [one for one in peers if one.startswith("openscap ") and _turned(theirs, one)],
            [one for one in peers if one.startswith("lynis ") and _turned(theirs, one)],
        ]
        counts = [count + bool(names) for count, names in zip(counts, found, strict=True)]
        cells = (", ".join(name.split(" ", 1)[-1] for name in names) or "-" for names in found)
        rows.append((breakage.name, *cells))
    rows.append(("found", *(f"{count} of {len(BREAKAGES)}" for count in counts)))
    return Table(("what was broken", "driftscan", "OpenSCAP", "Lynis"), tuple(rows))


def _turned(results: Mapping[str, Results], check: str) -> bool:
    said = [_said(results[name], check) for name in ("hardened", "broken")]
    return said == [PASS, FAIL]


def _pairs() -> Sequence[Pair]:
    table: Any = yaml.safe_load(TABLE.read_text())
    return [Pair(row["rule"], peer, _why(peer, table["reasons"])) for row in table["same"] for peer in row["peers"]]


def _why(peer: str, reasons: Sequence[Mapping[str, str]]) -> str:
    return next((each["because"] for each in reasons if fnmatch.fnmatchcase(peer, each["peer"])), "")


def _agreement(ours: Mapping[str, Results], theirs: Mapping[str, Results], pairs: Sequence[Pair]) -> Iterator[Item]:
    both = [(pair, name, ours[name].get(pair.rule), _said(theirs[name], pair.peer)) for pair in pairs for name in ours]
    decided = [one for one in both if one[2] in {PASS, FAIL} and one[3] is not None]
    apart = [one for one in decided if one[2] != one[3]]
    yield (
        f"{len({one[0] for one in decided})} pairs of checks that decide the same, {len(decided)} answers:"
        f" {len(decided) - len(apart)} agree, {len(apart)} do not."
    )
    rows: dict[Pair, list[str]] = {}
    for pair, name, mine, other in apart:
        rows.setdefault(pair, []).append(f"{name}: {mine}, {other}")
    yield Table(
        ("rule", "peer's check", "driftscan, peer", "why"),
        tuple((p.rule, p.peer, "; ".join(said), p.because or "**not explained**") for p, said in rows.items()),
    )
