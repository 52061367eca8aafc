"""The effective configuration of the ssh server, computed from its files as sshd computes it (sshd_config(5)).

Files, not `sshd -T`: so a running host and an unpacked image agree. What a service file gives on sshd's command
line (`-o`) is seen in the service, not here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from driftscan.collectors._base import Collector
from driftscan.collectors._gaps import few_gaps
from driftscan.collectors._sshd_config import SOURCES, Problem, Setting, read
from driftscan.collectors._text import key, number, value
from driftscan.model.resource import Attribute, Kind, Resource
from driftscan.model.source import Captures, Gap

KIND = Kind(
    "sshd_setting",
    "An effective setting of the ssh server",
    "keyword in lower case; `keyword@criteria` within Match, such as `passwordauthentication@user deploy`",
    {
        "value": Attribute(
            str,
            "Effective value: arguments joined by a blank, several subsystems by a comma; words such as yes and no in "
            "lower case, times in seconds, `prohibit-password` for its old name",
        ),
    },
    shape=r"[^A-Z@]*(?:@.*)?",
)

DEFAULTS = {
    "addressfamily": "any",
    "allowagentforwarding": "yes",
    "allowstreamlocalforwarding": "yes",
    "allowtcpforwarding": "yes",
    "authenticationmethods": "any",
    "authorizedkeyscommand": "none",
    "authorizedkeysfile": ".ssh/authorized_keys .ssh/authorized_keys2",
    "authorizedprincipalsfile": "none",
    "banner": "none",
    "chrootdirectory": "none",
    "clientalivecountmax": "3",
    "clientaliveinterval": "0",
    "disableforwarding": "no",
    "exposeauthinfo": "no",
    "forcecommand": "none",
    "gatewayports": "no",
    "gssapiauthentication": "no",
    "hostbasedauthentication": "no",
    "ignorerhosts": "yes",
    "ignoreuserknownhosts": "no",
    "kbdinteractiveauthentication": "yes",
    "kerberosauthentication": "no",
    "logingracetime": "120",
    "loglevel": "INFO",
    "maxauthtries": "6",
    "maxsessions": "10",
    "maxstartups": "10:30:100",
    "passwordauthentication": "yes",
    "permitemptypasswords": "no",
    "permitrootlogin": "prohibit-password",
    "permittty": "yes",
    "permittunnel": "no",
    "permituserenvironment": "no",
    "permituserrc": "yes",
    "port": "22",
    "printlastlog": "yes",
    "printmotd": "yes",
    "pubkeyauthentication": "yes",
    "strictmodes": "yes",
    "syslogfacility": "AUTH",
    "tcpkeepalive": "yes",
    "trustedusercakeys": "none",
    "usedns": "no",
    "usepam": "no",
    "x11forwarding": "no",
    "x11uselocalhost": "yes",
}
"""What holds where no file says anything, for keywords whose default has been the same from OpenSSH 7.4 to 10."""

EVERYONE = "all"
"""`Match all` holds for every connection: its settings take the place of those outside Match."""

_REPEATABLE = frozenset(
    {
        "acceptenv",
        "allowgroups",
        "allowusers",
        "denygroups",
        "denyusers",
        "hostcertificate",
        "hostkey",
        "listenaddress",
        "port",
        "subsystem",
    }
)
_LAST = frozenset({"maxstartups", "persourcenetblocksize"})
"""Of these alone the last value holds, until OpenSSH 10.0."""
_UPPER = frozenset({"loglevel", "syslogfacility"})
_TIMES = frozenset({"clientaliveinterval", "logingracetime", "unusedconnectiontimeout"})
_WORDS = frozenset(
    {"yes", "no", "none", "any", "all", "local", "remote", "inet", "inet6", "delayed", "clientspecified"}
    | {"prohibit-password", "without-password", "forced-commands-only", "shosts-only", "point-to-point", "ethernet"}
)
_TIME = re.compile(r"(?:[0-9]{1,9}[sSmMhHdDwW]?){1,8}")
_TIME_PART = re.compile(r"([0-9]+)([sSmMhHdDwW]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@dataclass(slots=True)
class _Effective:
    values: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """A resource per effective setting, defaults too; nothing where there is no configuration, thus no sshd."""
    return few_gaps(_parse(captures), "sshd", "sshd_setting")


def _parse(captures: Captures) -> Iterator[Resource | Gap]:
    items = read(captures)
    if items is None:
        return
    found: dict[tuple[str, str], _Effective] = {}
    for item in items:
        if isinstance(item, Problem):
            yield Gap("sshd", item.status, item.reason, ("sshd_setting",))
        else:
            _apply(found, item)
    for keyword, text in DEFAULTS.items():
        found.setdefault((keyword, ""), _Effective([text], ["default"]))
    for keyword in [keyword for keyword, match in found if match == EVERYONE]:
        found[keyword, ""] = found.pop((keyword, EVERYONE))
    for (keyword, match), setting in sorted(found.items()):
        joined = (", " if keyword == "subsystem" else " ").join(setting.values)
        name = f"{keyword}@{match}" if match else keyword
        observed = {"source": tuple(value(source) for source in setting.sources)}
        yield Resource("sshd_setting", key(name), {"value": value(joined)}, observed)


def _apply(found: dict[tuple[str, str], _Effective], setting: Setting) -> None:
    place = found.setdefault((setting.keyword, setting.match), _Effective())
    if setting.keyword in _LAST:
        place.values.clear()
        place.sources.clear()
    if place.values and setting.keyword not in _REPEATABLE:
        return
    if len(place.values) < 1000:
        place.values.append(canonical(setting.keyword, setting.arguments))
        place.sources.append(f"{setting.path}:{setting.line}")


def canonical(keyword: str, arguments: tuple[str, ...]) -> str:
    """A setting's value in the one form that this collector uses."""
    if len(arguments) != 1:
        return " ".join(arguments)
    text = arguments[0]
    if keyword in _UPPER:
        return text.upper()
    if keyword in _TIMES and _TIME.fullmatch(text):
        return str(sum(int(part[1]) * _SECONDS[part[2].lower()] for part in _TIME_PART.finditer(text)))
    if keyword == "maxstartups" and number(text) is not None:
        return f"{text}:30:{text}"
    if text.lower() in _WORDS:
        text = text.lower()
    return "prohibit-password" if text == "without-password" else text


collector = Collector(
    name="sshd",
    version=2,
    doc="The effective configuration of the ssh server, from its files",
    kinds=(KIND,),
    sources=SOURCES,
    parse=parse,
)
