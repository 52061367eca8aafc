"""Which advisories a host's packages are affected by."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from driftscan.advisories import kernels, order
from driftscan.advisories._index import Index
from driftscan.advisories._systems import NPM, ORDERS, PYPI, of_host, python_name
from driftscan.advisories.severity import ORDER, severity
from driftscan.model.advisory import Advisory, Fix, Known
from driftscan.model.resource import Resource, Value
from driftscan.model.snapshot import Resources

_CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}", re.ASCII)
_SIGNED = re.compile(r"(linux(?:-[a-z0-9.]+)?)-signed(?:-[a-z0-9]+)?", re.ASCII)
"""Debian's and Ubuntu's signed kernels are packages of sources of their own; advisories speak of `linux`."""
_SOURCE_RPM = re.compile(r"(.+)-([^-]+)-([^-]+)\.(?:no)?src\.rpm")
_MODULE = re.compile(r"\.module[+_]")
_THERE = frozenset({"installed", "unpacked", "half-configured", "triggers-awaited", "triggers-pending", "broken"})
_DISTRIBUTIONS = ("/usr/lib/python", "/usr/lib64/python")
_DISTRIBUTION_NODE = "/usr/share/nodejs"
_HOSTS = 256
"""Sets of packages whose result is remembered: hosts of one image have the same."""
_OWN_INSTALLERS = frozenset({"pip", "uv", "poetry", "pdm", "conda"})


@dataclass(frozen=True, slots=True)
class Item:
    """A package as advisories speak of it. `systems`: the names under which they do, of which results bear the first
    (Debian's release has two). `key`, `package`, `arch`: of its resource."""

    systems: tuple[str, ...]
    name: str
    version: str
    key: str
    package: str
    arch: str


@dataclass(frozen=True, slots=True)
class Affected:
    """What advisories say of one version of a package: each with whether, and where, it is mended."""

    advisory: Advisory
    fix: Fix
    fixed: str


class Matcher:
    """Looks each version of a package up once, however many hosts have it; safe to share among threads."""

    def __init__(self, index: Index) -> None:
        """Nothing is looked up yet."""
        self._index = index
        self._found: dict[tuple[tuple[str, ...], str, str], tuple[Affected, ...]] = {}
        self._known: dict[Item, tuple[Known, ...]] = {}
        self._hosts: dict[tuple[Item, ...], tuple[Known, ...]] = {}

    def systems(self, resources: Resources) -> tuple[str, ...]:
        """The systems of a host of which the files hold advisories; empty: its packages cannot be judged."""
        version = resources.get("os_version", "-")
        names = of_host(version.attributes) if version else ()
        return tuple(name for name in names if name in self._index.systems)

    def unjudged(self, resources: Resources) -> tuple[str, ...]:
        """Kinds of packages that the host has beside those of its distribution and that no file speaks of."""
        wanted = (("python_package", PYPI), ("npm_package", NPM))
        return tuple(
            kind for kind, system in wanted if system not in self._index.systems and any(map(_own, resources.of(kind)))
        )

    def of(self, resources: Resources) -> tuple[Known, ...]:
        """All that a host is affected by, in order of package and advisory."""
        items = tuple(self._items(resources))
        whole = self._hosts.get(items)
        if whole is None:
            found: dict[tuple[str, str], Known] = {}
            for item in items:
                for known in self._of(item):
                    found.setdefault((known.key, known.advisory.id), known)
            if len(self._hosts) >= _HOSTS:
                self._hosts.clear()
            whole = self._hosts[items] = tuple(found[key] for key in sorted(found))
        return whole

    def _items(self, resources: Resources) -> Iterator[Item]:
        systems = self.systems(resources)
        if systems:
            counted = kernels.counted(resources)
            for package in resources.of("package"):
                if package.attributes.get("status") in _THERE and counted(package):
                    for name, version in _names(package, systems[0]):
                        yield _item(package, systems, name, version)
        for kind, system, plain in (("python_package", PYPI, python_name), ("npm_package", NPM, str)):
            if system in self._index.systems:
                for package in filter(_own, resources.of(kind)):
                    for version in _text(package, "version").split(", "):
                        yield _item(package, (system,), plain(_text(package, "name")), version)

    def _of(self, item: Item) -> tuple[Known, ...]:
        if item not in self._known:
            self._known[item] = tuple(_known(item, each) for each in self._affected(item))
        return self._known[item]

    def _affected(self, item: Item) -> tuple[Affected, ...]:
        """By the name of the package alone: its binary packages share it."""
        asked = (item.systems, item.name, item.version)
        if asked not in self._found:
            kind = ORDERS[item.systems[0].partition(":")[0]]
            hits = (
                found
                for system in item.systems
                for advisory in self._index.of(system, item.name)
                if (found := affected(advisory, item.version, kind)) is not None
            )
            self._found[asked] = merged(hits)
        return self._found[asked]


def affected(advisory: Advisory, version: str, kind: str) -> Affected | None:
    """Whether a version is affected (OSV schema, "Evaluation"); None: no. A version that cannot be ordered is
    affected by what names it, and by nothing else."""
    if version in advisory.versions:
        return Affected(advisory, Fix.IGNORED if advisory.ignored else Fix.NONE, "")
    less = partial(_less, kind=kind)
    for span in advisory.spans:
        if not _same_build(span.fixed, version):
            continue
        begun = not span.introduced or less(version, span.introduced) is False
        ended = less(version, span.fixed) is not True if span.fixed else False
        passed = less(span.last, version) is not False if span.last else False
        if begun and not ended and not passed:
            fix = Fix.FIXED if span.fixed else Fix.IGNORED if advisory.ignored else Fix.NONE
            return Affected(advisory, fix, span.fixed)
    return None


def _less(left: str, right: str, kind: str) -> bool | None:
    found = order.compare(left, right, kind)
    return None if found is None else found < 0


def _same_build(fixed: str, version: str) -> bool:
    """A fix in a module of RHEL 8 and 9 and its kin is for builds of the module, in the same major version: of which
    stream a package is, its version does not tell."""
    if not _MODULE.search(fixed):
        return True
    majors = [text.rpartition(":")[2].partition(".")[0] for text in (fixed, version)]
    return bool(_MODULE.search(version)) and majors[0] == majors[1]


def merged(hits: Iterable[Affected]) -> tuple[Affected, ...]:
    """Records of several files about one thing as one: those that name one CVE between them, and notices that mend
    several, all of which are there by themselves."""
    by_name: dict[str, Affected] = {}
    notices: list[tuple[frozenset[str], Affected]] = []
    for hit in sorted(hits, key=_rank):
        names = frozenset(filter(_CVE.fullmatch, (hit.advisory.id, *hit.advisory.aliases)))
        if len(names) > 1:
            notices.append((names, hit))
        else:
            name = next(iter(names), hit.advisory.id)
            by_name[name] = _joined(by_name[name], hit) if name in by_name else _by_its_cve(hit, name)
    alone = [hit for names, hit in notices if not names <= by_name.keys()]
    return (*by_name.values(), *alone)


def _rank(hit: Affected) -> tuple[bool, str]:
    """CVEs by their own name first: the others' names become aliases."""
    return not _CVE.fullmatch(hit.advisory.id), hit.advisory.id


def _by_its_cve(hit: Affected, name: str) -> Affected:
    """A distribution's own record of a CVE (`DEBIAN-CVE-2026-1234`) by the name that everybody knows."""
    told = hit.advisory
    if told.id == name or not told.id.endswith(f"-{name}"):
        return hit
    aliases = (told.id, *(other for other in told.aliases if other != name))
    return replace(hit, advisory=replace(told, id=name, aliases=aliases))


def _joined(one: Affected, other: Affected) -> Affected:
    """The first, and of the other what the first does not say. One that knows a fix is believed."""
    first, second = one.advisory, other.advisory
    names = dict.fromkeys((*first.aliases, second.id, *second.aliases))
    names.pop(first.id, None)
    fix = one if one.fix is Fix.FIXED or other.fix is not Fix.FIXED else other
    advisory = Advisory(
        id=first.id,
        aliases=tuple(names),
        ignored=first.ignored or second.ignored,
        severity=first.severity or second.severity,
        vector=first.vector or second.vector,
        published=min(filter(None, (first.published, second.published)), default=""),
        summary=first.summary or second.summary,
    )
    ignored = Fix.IGNORED in (one.fix, other.fix) and fix.fix is Fix.NONE
    return Affected(advisory, Fix.IGNORED if ignored else fix.fix, fix.fixed)


def _known(item: Item, found: Affected) -> Known:
    word, score = severity(found.advisory)
    return Known(
        advisory=found.advisory,
        system=item.systems[0],
        key=item.key,
        package=item.package,
        arch=item.arch,
        source=item.name,
        version=item.version,
        fix=found.fix,
        fixed=found.fixed,
        severity=word,
        score=score,
    )


def _names(package: Resource, system: str) -> Iterator[tuple[str, str]]:
    """(name, version) under which advisories speak of a package: dpkg's and apk's by their source, rpm's by either."""
    version, source = _text(package, "version"), _text(package, "source")
    kind = package.attributes.get("type")
    if kind == "deb":
        yield _signed(source, _text(package, "source_version") or version, version)
    elif kind == "apk":
        yield source or _text(package, "name"), version
    elif kind == "rpm":
        yield _text(package, "name"), version
        found = _SOURCE_RPM.fullmatch(source)
        if found and found[1] != _text(package, "name") and system.startswith("rocky:"):
            epoch = f"{version.partition(':')[0]}:" if ":" in version else ""
            yield found[1], f"{epoch}{found[2]}-{found[3]}"


def _signed(source: str, source_version: str, version: str) -> tuple[str, str]:
    found = _SIGNED.fullmatch(source)
    return (found[1], version) if found else (source, source_version)


def _item(package: Resource, systems: tuple[str, ...], name: str, version: str) -> Item:
    own = _text(package, "name")
    return Item(systems, name, version, package.key, own, _text(package, "arch"))


def _own(package: Resource) -> bool:
    """Whether somebody installed it beside the distribution, which mends its own packages without a new version."""
    where = _text(package, "directory")
    if package.kind == "npm_package":
        return not where.startswith(_DISTRIBUTION_NODE)
    return not where.startswith(_DISTRIBUTIONS) or bool(_OWN_INSTALLERS & set(_text(package, "installer").split(", ")))


def _text(package: Resource, column: str) -> str:
    value: Value = package.attributes.get(column)
    return value if isinstance(value, str) else ""


def latest(versions: Iterable[str], system: str) -> str:
    """The newest of some versions of a system's packages."""
    return order.latest(versions, ORDERS[system.partition(":")[0]])


def worst(severities: Iterable[str]) -> str:
    """The worst of some words; `unknown` of none."""
    return max(severities, key=ORDER.index, default="unknown")


def counts(found: Sequence[Known]) -> Mapping[Fix, int]:
    """How many advisories there are of each kind; one that is about several packages counts once."""
    return {fix: len({known.advisory.id for known in found if known.fix is fix}) for fix in Fix}
