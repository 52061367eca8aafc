"""The text of small non-secret files under /etc, so that a changed setting can be shown as a diff.

What every user of the host may read is taken to be no secret; secret values in it are redacted on the target all the
same. What zones call secret or derived, and key material by name, is left out whatever its mode.
"""

import re
import stat
from collections.abc import Iterable, Mapping

from driftscan.capture.base import Session
from driftscan.model.matching import Matcher
from driftscan.model.names import decode_name, encode_name
from driftscan.model.source import Glob, Member, Redact, Status
from driftscan.model.zone import ZoneClass

MAX_BYTES = 64 << 10
MAX_FILES = 20_000
_ROUND = 500
_NEVER = re.compile(
    r"shadow|\.(key|pem|p12|pfx|jks|keytab|crt)$|/ssl/private/|ssh_host_|/id_[a-z0-9]+$|secret|password"
)
_KEPT_OUT = frozenset({ZoneClass.SECRET, ZoneClass.DERIVED, ZoneClass.IDENTITY, ZoneClass.FREE, ZoneClass.EXTERNAL})


def all_texts(session: Session, zones: Matcher) -> Mapping[str, str]:
    """Path -> text of every such file of a target."""
    glob = Glob(("/etc/**",), MAX_FILES, MAX_BYTES, Redact.SECRETS, public=True)
    capture = session.ask([glob])[glob]
    return _kept(capture.members, zones) if capture.status is Status.OK else {}


def texts_of(session: Session, paths: Iterable[str], zones: Matcher) -> Mapping[str, str]:
    """Path -> text of those paths that are such files now."""
    wanted = [path for path in sorted(set(paths)) if path.startswith("/etc/") and _may_keep(path, zones)][:_ROUND]
    if not wanted:
        return {}
    names = (decode_name(path) for path in wanted)
    patterns = tuple(_literal(name.decode()) for name in names if _is_text(name))
    glob = Glob(patterns, MAX_FILES, MAX_BYTES, Redact.SECRETS, public=True)
    return _kept(session.ask([glob])[glob].members, zones)


def _kept(members: Iterable[Member], zones: Matcher) -> dict[str, str]:
    found = {}
    for member in members:
        key = encode_name(member.path)
        public = stat.S_ISREG(member.mode) and member.mode & stat.S_IROTH and member.link is None
        if public and member.status is Status.OK and b"\0" not in member.data and _may_keep(key, zones):
            try:
                found[key] = member.data.decode("utf-8")
            except UnicodeDecodeError:
                continue
    return found


def _may_keep(key: str, zones: Matcher) -> bool:
    if _NEVER.search(key):
        return False
    zone = zones.zone_of("file", key)
    return zone is None or zone.zone not in _KEPT_OUT


def _is_text(name: bytes) -> bool:
    try:
        name.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _literal(path: str) -> str:
    return re.sub(r"[*?\[]", lambda match: f"[{match[0]}]", path)
