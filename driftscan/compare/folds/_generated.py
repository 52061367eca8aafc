"""Files that package operations write beside the package's own: the package system's state, and what triggers and
install scripts regenerate. They follow an operation; without one they are differences like all others."""

import re
from collections.abc import Iterable, Iterator, Mapping
from posixpath import normpath

from driftscan.compare.attributes import is_executable
from driftscan.compare.evidence import Evidence
from driftscan.compare.folds._proof import rule
from driftscan.compare.folds.service import unit_of
from driftscan.compare.pool import Pool, actual, text
from driftscan.model.drift import Change, Difference
from driftscan.model.proof import INFO, Rank

_STATE = (
    *("/var/lib/apt", "/var/cache/apt", "/var/log/apt", "/var/cache/debconf", "/var/cache/man", "/var/lib/ucf"),
    *("/var/lib/dpkg/alternatives", "/var/lib/dpkg/triggers", "/var/lib/dpkg/updates", "/etc/alternatives"),
    *(f"/var/lib/systemd/deb-systemd-{name}" for name in ("helper-enabled", "helper-masked", "user-helper-enabled")),
    *("/var/lib/rpm", "/usr/lib/sysimage/rpm", "/var/lib/dnf", "/var/cache/dnf", "/var/cache/yum"),
    *("/var/lib/apk", "/lib/apk/db", "/usr/lib/apk/db"),
    *("/var/lib/pam", "/var/cache/fontconfig", "/var/lib/update-notifier", "/var/lib/needrestart"),
)
_FILES = re.compile(
    r"/etc/ld\.so\.cache|/var/cache/ldconfig/aux-cache|/var/log/(?:dpkg|alternatives)\.log(?:\.\d.*)?"
    r"|/var/lib/dpkg/(?:status|available|diversions|statoverride|lock|lock-frontend|cmethopt)(?:-old|-new)?"
    r"|/boot/(?:initrd\.img|initramfs)-[^/]+|/var/lib/initramfs-tools(?:/[^/]+)?"
    r"|/usr/share/mime/(?!packages/).*|/usr/share/icons/[^/]+/icon-theme\.cache|/usr/share/info/dir(?:\.old)?"
    r"|/usr/share/glib-2\.0/schemas/gschemas\.compiled|/usr/share/applications/mimeinfo\.cache"
    r"|/usr/lib/[^/]+/(?:gconv/gconv-modules\.cache|gio/modules/giomodule\.cache|gdk-pixbuf-2\.0/[^/]+/loaders\.cache)"
    r"|/usr/lib/udev/hwdb\.bin|/etc/udev/hwdb\.bin|/usr/lib/locale/locale-archive|/var/lib/systemd/catalog/database"
    r"|/usr/lib/modules/[^/]+/modules\.(?:alias|builtin(?:\.alias)?|dep|devname|softdep|symbols|weakdep)(?:\.bin)?"
    r"|/etc/mailcap|/etc/shells(?:-old)?|/var/lib/shells\.state"
)
_KERNEL = re.compile(r"(?:/boot)?/(?:vmlinuz|initrd\.img)(?:\.old)?")
"""Links to the newest kernel and the one before, which linux-update-symlinks(1) makes."""
_LOADED = re.compile(
    r"/boot/.+|/etc/ld\.so\.cache|/usr/lib/modules/.+"
    r"|/usr/lib/[^/]+/(?:gconv/gconv-modules\.cache|gio/modules/giomodule\.cache|gdk-pixbuf-2\.0/[^/]+/loaders\.cache)"
)
"""Of these, what a kernel, a loader or a library takes code from."""
_ALTERNATIVES = "/etc/alternatives/"
_OWN_STATE = ("/var/lib/", "/var/cache/", "/var/log/", "/var/spool/")
"""Where what a package makes in its own directories is its state: what lies in /var/www is served."""
_SCRIPTS = ("preinst", "postinst", "prerm", "postrm", "config")
"""What dpkg and debconf run of a package (deb-postinst(5) and its fellows)."""
_PACKAGED = re.compile(
    r"/etc/alternatives/[^/]+|(?:/usr)?/(?:s?bin|lib|lib32|lib64|libexec|share|games)/.+|/etc/.+|/run/.+\.sock"
)
_BYTECODE = re.compile(r"/usr/(?:lib|share)/(?!local/).+/__pycache__(?:/[^/]+\.pyc)?")


def generated(pool: Pool, evidence: Evidence) -> Iterator[Difference]:
    """What any operation of a package system may have written. What is executed or loaded from it follows only if it
    changed while one ran, as far as that is known: nothing proves its content."""
    for root in _STATE:
        if (item := pool.get("file", root)) is not None:
            yield item
        yield from (item for item in pool.beneath(root) if not _runs(item) and not _is_alternative(item))
    yield from (item for path in ("/var/lib/dpkg/info", "/var/lib/dpkg") if (item := pool.get("file", path)))
    spans = [span for entry in evidence.history if (span := entry.span)]
    runs = [run for entry in evidence.history if (run := entry.run)]
    for item in pool.of("file"):
        made = not _runs(item) and (_FILES.fullmatch(item.key) or _BYTECODE.fullmatch(item.key))
        newest = _KERNEL.fullmatch(item.key) and actual(item).get("type", "symlink") == "symlink"
        written = (made or newest) and (not loads_code(item.key) or _during(item, spans))
        if written or (_is_harmless_alternative(item) and _during(item, runs)):
            yield item


def loads_code(path: str) -> bool:
    """Whether a kernel, a loader or an interpreter takes code from such a file, if an operation wrote it."""
    return (_LOADED.fullmatch(path) or _BYTECODE.fullmatch(path)) is not None


def _during(item: Difference, spans: list[tuple[int, int]]) -> bool:
    """Whether it last changed while an operation ran; also where no time is known, as before the log was rotated."""
    changed = item.observed.get("ctime")
    if not isinstance(changed, int) or all(changed < start for start, _ in spans):
        return True
    return any(start <= changed <= end for start, end in spans)


def _is_alternative(item: Difference) -> bool:
    """A link that update-alternatives(1) makes, of a name of the system or in its own directory."""
    return text(item, "target").startswith(_ALTERNATIVES) or item.key.startswith(_ALTERNATIVES)


def _is_harmless_alternative(item: Difference) -> bool:
    """One of those that takes the place of no program, and leads to where packages have theirs."""
    if not _is_alternative(item):
        return False
    target, kind = text(item, "target"), item.attributes.get("type")
    came_of_a_file = item.change is Change.MODIFIED and kind is not None and kind.expected != "symlink"
    return not came_of_a_file and (item.change is Change.REMOVED or _PACKAGED.fullmatch(normpath(target)) is not None)


def state_of(pool: Pool, packages: Iterable[str], evidence: Evidence) -> Iterator[Difference]:
    """What an operation on these packages (keys `name/arch`) wrote about them and made in their own directories."""
    for key in packages:
        name = key.partition("/")[0]
        for item in pool.beneath(INFO.rstrip("/")):
            stem, _, kind = item.key.removeprefix(INFO).rpartition(".")
            if stem.partition(":")[0] == name and _is_kept(item, kind, key, evidence):
                yield item
        yield from _made_inside(pool, evidence.files_of(key))


def _is_kept(item: Difference, kind: str, package: str, evidence: Evidence) -> bool:
    """Whether dpkg keeps this of a package: by its archive, if there is one."""
    files = evidence.archived(package)
    if files is None:
        return kind in _SCRIPTS or not _runs(item)
    if kind == "list" or (kind == "md5sums" and item.key not in files):
        return not _runs(item)
    if item.change is Change.REMOVED:
        return item.key not in files
    ruling = rule(item, package, evidence)
    return ruling.rank is Rank.ARCHIVE and not ruling.against


def enabling_links(pool: Pool, units: frozenset[str]) -> Iterator[Difference]:
    """Links under /etc that enable or alias these units, and the folders of such links."""
    for root in ("/etc/systemd/system", "/etc/systemd/user", *(f"/etc/rc{level}.d" for level in "0123456S")):
        for item in pool.beneath(root):
            leads_to = text(item, "target").rpartition("/")[2]
            linked = leads_to in units or (unit_of(item.key) in units and item.change is Change.REMOVED)
            sysv = item.key.startswith("/etc/rc") and unit_of(item.key) in units
            if (
                linked
                or sysv
                or (item.key.endswith((".wants", ".requires")) and actual(item).get("type") == "directory")
            ):
                yield item


def _runs(item: Difference) -> bool:
    return is_executable(actual(item))


def _made_inside(pool: Pool, files: Mapping[str, str]) -> Iterator[Difference]:
    """What came in a directory under /var that the package owns, and links to its own files in directories that it
    owns (enabled sites and modules). Nothing that is executed."""
    for path, digest in files.items():
        if digest:
            continue
        own = path.startswith(_OWN_STATE)
        for item in pool.beneath(path) if own or path.startswith("/etc/") else ():
            if item.change is not Change.ADDED or _runs(item):
                continue
            target = text(item, "target")
            if own or (target and item.key.rpartition("/")[0] == path and leads_to(item.key, target) in files):
                yield item


def leads_to(path: str, target: str) -> str:
    """Where a link leads, without following others."""
    parts = [] if target.startswith("/") else path.split("/")[1:-1]
    for part in target.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in {"", "."}:
            parts.append(part)
    return "/" + "/".join(parts)
