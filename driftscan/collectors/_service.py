"""The kind `service`, which systemd's units and the scripts of SysV and OpenRC share, and reading such scripts."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from driftscan.collectors._text import path_text
from driftscan.model.resource import Attribute, Kind
from driftscan.model.source import Captures, Glob, Member, Redact, Status

_STATES = (
    "enabled", "enabled-runtime", "linked", "linked-runtime", "masked", "masked-runtime", "static", "disabled",
    "indirect", "generated", "transient", "alias", "bad",
)  # fmt: skip

SERVICE = Kind(
    name="service",
    doc="A unit of systemd (service, socket, timer, path, mount ...), or a script of init where there is no systemd.",
    key="full unit name (`nginx.service`, `backup.timer`, `getty@tty1.service`); of a script its name",
    attributes={
        "unit_file_state": Attribute(
            str,
            "as `systemctl is-enabled` says from files: enabled, enabled-runtime, linked, masked, static, disabled,"
            " indirect, generated, transient, alias, bad, and with -runtime; of a script enabled or disabled",
            words=_STATES,
        ),
        "fragment_path": Attribute(str, "unit file or script that counts"),
        "digest": Attribute(str, "SHA-256 over the digests of the unit file and its drop-ins in their order"),
        "drop_ins": Attribute(tuple, "drop-in files in the order in which they are applied"),
        "wanted_by": Attribute(tuple, "directories that hold a link to it: `multi-user.target.wants`, `rc2.d`"),
        "aliases": Attribute(tuple, "other names that links give it"),
        "user": Attribute(str, "who runs it (User=); empty: root"),
        "exec_start": Attribute(tuple, "commands that start it, in order, secrets redacted"),
        "active_state": Attribute(
            str,
            "active, inactive, failed, or activating in a loop of restarts; missing where it is chance or not known",
            words=("active", "inactive", "failed", "activating"),
        ),
    },
)

SCRIPTS = Glob(("/etc/init.d/*",), redact=Redact.SECRETS)
RC_LINKS = Glob(("/etc/rc?.d/*", "/etc/rc.d/rc?.d/*"), content=False)

_LINK = re.compile(r"S[0-9]{2}(.+)", re.DOTALL)
_NO_SERVICE = frozenset(
    {"README", "functions", "skeleton", "rc", "rcS", "single", "boot", "halt", "reboot", ".depend.boot"}
)


@dataclass(frozen=True, slots=True)
class Script:
    """A script of /etc/init.d. `levels`: directories of links that start it."""

    name: str
    path: str
    data: bytes
    readable: bool
    levels: tuple[str, ...]


def digest_of(contents: Iterable[bytes]) -> str:
    """One digest for several texts: of their digests, so that no border between them can be moved."""
    total = hashlib.sha256()
    for content in contents:
        total.update(hashlib.sha256(content).digest())
    return f"sha256:{total.hexdigest()}"


def scripts(captures: Captures) -> Iterator[Script]:
    """The executable scripts of /etc/init.d with their run levels."""
    levels = _levels(captures.members(RC_LINKS))
    for member in captures.members(SCRIPTS):
        name = path_text(member.path.rpartition(b"/")[2])
        executable = member.link is not None or member.mode & 0o170111 > 0o100000
        if name in _NO_SERVICE or name.startswith(".") or member.mode & 0o170000 == 0o040000 or not executable:
            continue
        started = tuple(sorted(levels.get(name, ())))
        yield Script(name, path_text(member.path), member.data, member.status is Status.OK, started)


def _levels(members: Iterable[Member]) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = {}
    for member in members:
        directory, _, file = path_text(member.path).rpartition("/")
        match = _LINK.fullmatch(file)
        if match:
            found.setdefault(match[1], set()).add(directory.rpartition("/")[2])
    return found
