"""What the probe takes out of data before it leaves the target. Standard library of Python 3.6 to 3.14; imports nothing
of driftscan."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMES = re.compile(rb"\$[0-9a-zA-Z_-]{1,16}\$")
SECRET_VALUE = re.compile(
    rb"(?i)((?!passwd:[ \t]+(?:files|compat|db|nis|ldap|sss|systemd|winbind)\b)"
    rb"(?:pass(?:word|wd|phrase)?|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?"
    rb"|auth(?!(?:ors?|ority|oritative|tok_[a-z_]*|info_unavail|_err|_enable)[ \t]*[=:]))"
    rb"[A-Za-z0-9_-]*\"?[ \t]*[=:][ \t]*)(\"[^\"\n]*\"|'[^'\n]*'|[^\s\"'#;&|]+)"
)
"""No secrets are authors, what PAM's controls name (`new_authtok_reqd=done`, authinfo_unavail, auth_err), the switches
of kernel parameters (`net.sctp.auth_enable`), and the services that nsswitch.conf(5) asks (`passwd: files systemd`)."""
SECRET_OPTION = re.compile(
    rb"(?im)((?:^|(?<=[\s\"']))--?(?:pass(?:word|wd|phrase)?|secret|token|api[_-]?key)[A-Za-z0-9_-]*[ \t]+)([^\s-]\S*)"
)
BOOT_PASSWORD = re.compile(
    rb"(password(?:_pbkdf2)?[ \t]+(?:\"[^\"\n]*\"|'[^'\n]*'|[^\s\"']+)[ \t]+)(?!\$\{GRUB2_PASSWORD\}[ \t]*(?:\n|$))[^\n]+"
)
BOOT_HASH = re.compile(rb"grub\.pbkdf2\.[^\s\"']*")
URL_CREDENTIALS = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*://)[^/\s:@]*:[^/\s@]+@")


def redact_shadow(data: bytes) -> bytes:
    """Password fields of shadow(5) reduced to their state and scheme."""
    lines = []
    for line in data.split(b"\n"):
        parts = line.split(b":")
        if len(parts) > 1:
            parts[1] = password_state(parts[1])
        lines.append(b":".join(parts))
    return b"\n".join(lines)


def password_state(field: bytes) -> bytes:
    """`empty`, `locked`, or the scheme of the hash, behind `!` where it is locked."""
    bare = field.lstrip(b"!*")
    if not field:
        return b"empty"
    if not bare or bare == b"x":
        return b"locked"
    scheme = SCHEMES.match(bare)
    return (b"!" if bare != field else b"") + (scheme.group(0) if scheme else b"des")


def redact_secrets(data: bytes) -> bytes:
    """Values after password=, --token and the like, and credentials in URLs."""
    data = SECRET_VALUE.sub(rb"\1<redacted>", data)
    data = SECRET_OPTION.sub(rb"\1<redacted>", data)
    return URL_CREDENTIALS.sub(rb"\1<redacted>@", data)


def redact_boot(data: bytes) -> bytes:
    """As `redact_secrets`, and passwords of GRUB's configuration and their hashes."""
    data = BOOT_PASSWORD.sub(rb"\1<redacted>", data)
    return redact_secrets(BOOT_HASH.sub(b"<redacted>", data))


REDACT: "dict[str, Callable[[bytes], bytes]]" = {
    "": lambda data: data,
    "shadow": redact_shadow,
    "secrets": redact_secrets,
    "boot": redact_boot,
}
