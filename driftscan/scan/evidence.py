"""Follow-up questions about what differs: file lists of changed packages, digests as packages know them, logs."""

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from driftscan.capture.base import Session
from driftscan.collectors import files, packages_dpkg
from driftscan.collectors._deb822 import stanzas
from driftscan.collectors.ca_certificates import CA_CERTIFICATE, SHIPPED, shipped_in
from driftscan.compare.evidence import Evidence, dpkg_files
from driftscan.compare.witness import Missing, Witness
from driftscan.model.drift import Difference
from driftscan.model.manifest import Manifest
from driftscan.model.names import encode_name
from driftscan.model.snapshot import Resources, Snapshot
from driftscan.model.source import Captures, Glob, Member, Source, Status
from driftscan.model.state import Visit
from driftscan.model.times import SECOND, nanoseconds
from driftscan.scan import histories, logs

SOURCES: tuple[Source, ...] = (*histories.SOURCES, *logs.SOURCES)
"""What is asked whichever packages changed; of those, what everyone may read."""
UNTOLD = "no log tells of logins, not even of this scan's own"
MAX_PACKAGES = 3000
MAX_DIGESTS = 20_000
_INFO = "/var/lib/dpkg/info/"
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]{0,200}")
_PACKAGE_SYSTEMS = {"packages_rpm": "rpm", "packages_apk": "apk"}


def gather(
    session: Session,
    differences: Sequence[Difference],
    snapshot: Snapshot,
    captures: Captures,
    manifest: Manifest,
    *,
    visits: Sequence[Visit] = (),
    logins_since: int | None = None,
) -> tuple[Evidence, tuple[Difference, ...]]:
    """What folds may look at, and the differences with `md5` among what was observed of changed files. One round at
    most; nothing is asked where nothing differs, unless policy asks for logins since a time (nanoseconds). `captures`
    are those that the snapshot was parsed from; `visits` the scanner's own, which the host's logs tell of, too."""
    told = [item for item in differences if not item.allowed]
    if not told and logins_since is None:
        return Evidence(resources=snapshot.resources), tuple(differences)
    since = _oldest(told, nanoseconds(manifest.provenance.baked_at))
    packages = sorted({item.key for item in differences if item.kind == "package"})[:MAX_PACKAGES]
    info = Glob(tuple(_patterns(packages)), max_files=20_000, max_bytes=4 << 20, public=True)
    digests = files.tree((), "md5", tuple(_changed_files(differences))[:MAX_DIGESTS]) if packages else None
    system = package_system(snapshot)
    asked = (*histories.sources(system), *logs.sources(since, time.time_ns()))
    trust = [SHIPPED] if packages and any(item.kind == CA_CERTIFICATE.name for item in told) else []
    sources: list[Source] = [*asked, *([info] if packages else []), *([digests] if digests else []), *trust]
    begun = time.time_ns()
    answers = session.ask(sources)
    ended = time.time_ns()
    shown = logs.clock(answers, snapshot.resources, manifest.resources)
    ahead = shown.now - max(begun - SECOND, min(shown.now, ended)) if shown.now else 0
    witness = logs.read(answers, snapshot.resources, manifest.resources)
    if logins_since is not None:
        others = witness.without(visits, ahead).sessions
        witness = replace(witness, logins=tuple(each for each in others if each.opened >= logins_since + ahead))
        witness = witness if _tell_logins(answers, witness, visits, ahead) else _blind(witness)
    database = _texts(answers[info].members) if packages else {}
    found = Evidence(
        package_files=_package_files(packages, database, captures),
        baseline_files=manifest.package_files,
        package_scripts=_scripts(packages, database),
        authorities=shipped_in(answers) if trust else {},
        history=histories.read(answers, shown.zone),
        package_system=system,
        resources=snapshot.resources,
        witness=witness.without(visits, ahead),
    )
    known = _digests(answers, digests) if digests else {}
    return found, tuple(_with_time(_with_digest(item, known), shown) for item in differences)


def _oldest(told: Iterable[Difference], baked: int) -> int:
    """Since when something may have been done (nanoseconds since 1970): what has no ctime, at any time since the image
    was baked."""
    times = [item.observed.get("ctime") for item in told]
    return max(baked, min((time if isinstance(time, int) and time > 0 else baked for time in times), default=baked))


def _tell_logins(answers: Captures, witness: Witness, visits: Sequence[Visit], ahead: int) -> bool:
    """Whether the logs tell of logins: the one by which they were asked, if there was one, is among them."""
    if visits and visits[-1].user:
        return witness.without(visits[:-1], ahead).tells_of(visits[-1], ahead)
    return any(answers[source].data for source in (*logs.FILES.values(), logs.JOURNAL))


def _blind(witness: Witness) -> Witness:
    return replace(witness, missing=(*witness.missing, Missing("logins", UNTOLD)))


def _patterns(packages: Iterable[str]) -> Iterable[str]:
    for key in packages:
        name, _, architecture = key.partition("@")[0].partition("/")
        if _NAME.fullmatch(name) and re.fullmatch("[a-z0-9-]*", architecture):
            for suffix in ("list", "md5sums", "postinst", "preinst"):
                yield f"{_INFO}{name}.{suffix}"
                yield f"{_INFO}{name}:{architecture}.{suffix}"


def _changed_files(differences: Iterable[Difference]) -> Iterable[str]:
    for item in differences:
        if item.kind == "file" and not item.allowed and "sha256" in item.attributes:
            yield item.key


def _package_files(
    packages: Iterable[str], texts: Mapping[str, str], captures: Captures
) -> Mapping[str, Mapping[str, str]]:
    conffiles = _conffiles(captures)
    found = {}
    for key in packages:
        listing = _info(texts, key, "list")
        if listing:
            found[key] = dpkg_files(listing, _info(texts, key, "md5sums"), conffiles.get(key.partition("@")[0], {}))
    return found


def _scripts(packages: Iterable[str], texts: Mapping[str, str]) -> Mapping[str, str]:
    found = {key: _info(texts, key, "preinst") + "\n" + _info(texts, key, "postinst") for key in packages}
    return {key: text for key, text in found.items() if text.strip()}


def _texts(members: Sequence[Member]) -> Mapping[str, str]:
    return {
        member.path.decode("utf-8", "replace"): "\n".join(encode_name(line) for line in member.data.split(b"\n"))
        for member in members
        if member.status is Status.OK
    }


def _info(texts: Mapping[str, str], key: str, suffix: str) -> str:
    name, _, architecture = key.partition("@")[0].partition("/")
    return texts.get(f"{_INFO}{name}.{suffix}") or texts.get(f"{_INFO}{name}:{architecture}.{suffix}") or ""


def _conffiles(captures: Captures) -> Mapping[str, Mapping[str, str]]:
    """Package key -> conffile -> MD5 as shipped (deb-conffiles(5))."""
    status = captures[packages_dpkg.STATUS]
    if status.status is not Status.OK or status.same:  # no package differs from the manifest
        return {}
    found = {}
    wanted = frozenset({"package", "architecture", "conffiles"})
    for stanza in stanzas(captures.lines(packages_dpkg.STATUS), wanted):
        rows = (line.split() for line in stanza.get("conffiles").split("\n"))
        pairs = {row[0]: row[1] for row in rows if len(row) >= 2}
        if pairs:
            found[f"{stanza.get('package')}/{stanza.get('architecture')}"] = pairs
    return found


def _digests(answers: Captures, source: Source) -> Mapping[str, str]:
    if answers[source].status is not Status.OK:
        return {}
    table = files.table(answers[source])
    found = {resource.key: resource.attributes.get("md5") for resource in Resources(files=table.records).of("file")}
    return {key: digest for key, digest in found.items() if isinstance(digest, str)}


def _with_digest(item: Difference, known: Mapping[str, str]) -> Difference:
    digest = known.get(item.key) if item.kind == "file" else None
    return replace(item, observed={**item.observed, "md5": digest}) if digest else item


def _with_time(item: Difference, shown: logs.Clock) -> Difference:
    """What processes hold with the time at which they began, as that of the host's clock: of a listener the first, of
    what runs without a file the last of them."""
    when = {"listen": min, "library": max, "process": max}.get(item.kind)
    time_of = logs.began(item.observed, shown, when) if when else 0
    return replace(item, observed={**item.observed, "began": time_of}) if time_of else item


def package_system(snapshot: Snapshot) -> str:
    """dpkg, rpm or apk: whose packages a snapshot has, and so whose order of versions holds."""
    for coverage in snapshot.coverage:
        if coverage.name in _PACKAGE_SYSTEMS and coverage.resources:
            return _PACKAGE_SYSTEMS[coverage.name]
    return "dpkg"
