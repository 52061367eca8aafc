"""Packages of rpm, from the query of its own program: the database's formats change, the query does not.

Measured with rpm 4.18: a query of a database that does not exist creates one, and a query by root touches
SQLite's shared-memory file. So rpm is asked only where a database is, and as user 65534 where that works.
"""

from collections.abc import Iterator

from driftscan.collectors._base import Collector
from driftscan.collectors._package import PACKAGE, Package, resources
from driftscan.collectors._text import number, value
from driftscan.model.resource import Resource, Value
from driftscan.model.source import Captures, Command, Gap, Glob, Line, Status

_TAGS = ("NAME", "EPOCH", "VERSION", "RELEASE", "ARCH", "SOURCERPM", "VENDOR", "INSTALLTIME")
_FORMAT = r"\t".join(f"%{{{tag}}}" for tag in _TAGS) + r"\n"
_SCRIPT = f"""q='{_FORMAT}'
for d in /usr/lib/sysimage/rpm /var/lib/rpm; do
for f in rpmdb.sqlite Packages.db Packages; do
[ -s "${{2-}}$d/$f" ] || continue
[ $# -eq 0 ] && [ "$(id -u)" = 0 ] &&
setpriv --reuid=65534 --regid=65534 --clear-groups rpm --dbpath "$d" -qa --queryformat "$q" 2>/dev/null && exit 0
rpm "$@" --dbpath "$d" -qa --queryformat "$q"
exit
done
done"""

DATABASE = Glob(
    tuple(
        f"{directory}/{name}"
        for directory in ("/usr/lib/sysimage/rpm", "/var/lib/rpm")
        for name in ("rpmdb.sqlite", "Packages.db", "Packages")
    ),
    content=False,
)
QUERY = Command(("sh", "-c", _SCRIPT, "rpm"), rooted="--root", max_bytes=32 << 20)
"""The option `--root` and its directory, if any, are appended and become rpm's."""

_NONE = "(none)"


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """Every package, gpg-pubkey pseudo packages too; nothing where there is no rpm database."""
    if not any(member.status is Status.OK for member in captures.members(DATABASE)):
        yield from (
            Gap("packages_rpm", member.status, "the rpm database could not be looked at", ("package",))
            for member in captures.members(DATABASE)[:1]
        )
        return
    if captures[QUERY].status is not Status.OK:
        status, detail = captures[QUERY].status, captures[QUERY].detail or "rpm -qa gave no list"
        status = Status.UNSUPPORTED if status is Status.ABSENT else status
        yield Gap("packages_rpm", status, f"the rpm database could not be asked: {detail}", ("package",))
        return
    packages: list[Package] = []
    gaps: list[Gap] = []
    for line in captures.lines(QUERY):
        package = _package(line)
        if package is not None:
            packages.append(package)
        elif len(gaps) < 100:
            gaps.append(Gap("packages_rpm", Status.FAILED, f"rpm -qa line {line.number}: no package row", ("package",)))
    if not packages and not gaps:
        gaps.append(
            Gap("packages_rpm", Status.FAILED, "the rpm database is there, and rpm names no package", ("package",))
        )
    yield from resources(packages)
    yield from gaps


def _package(line: Line) -> Package | None:
    fields = line.text.split("\t")
    if len(fields) != len(_TAGS):
        return None
    name, epoch, version, release, arch, source, vendor, installed = (
        "" if field == _NONE else field for field in fields
    )
    if not name or not version or (epoch and number(epoch) is None):
        return None
    whole = (f"{epoch}:" if epoch else "") + version + (f"-{release}" if release else "")
    attributes: dict[str, Value] = {
        "source": value(source),
        "status": "installed",
        "maintainer": value(vendor),
        "type": "rpm",
    }
    seconds = number(installed)
    observed: dict[str, Value] = {} if seconds is None else {"install_time": seconds}
    return Package(name, arch or "none", whole, attributes, observed, pinned=name == "gpg-pubkey")


collector = Collector(
    name="packages_rpm",
    version=1,
    doc="RPM packages, as rpm itself lists them",
    kinds=(PACKAGE,),
    sources=(DATABASE, QUERY),
    parse=parse,
)
