"""What an image's build would have to do to carry a hand fix over, where a line can say it and be right.

All names come from a host: they are quoted for a shell, and what a shell could not be given in one line is not.
"""

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping

from driftscan.compare.folds.service import unit_of
from driftscan.model.drift import Change, Difference
from driftscan.model.names import show
from driftscan.model.resource import Value

_VERBS = {"enabled": "enable", "disabled": "disable", "masked": "mask"}
_MODE_LENGTH = 8


def build_lines(items: Iterable[Difference], *, rpm: bool = False) -> tuple[str, ...]:
    """Lines of shell, comments among them, for what of one hand fix is missing; none where none would be honest. The
    links that a command for a unit makes have no line of their own."""
    rows = sorted(items, key=lambda item: (item.kind == "file", item.id))
    said = {row.kind: tuple(_lines(row, rpm)) for row in rows if row.kind != "file"}
    written = [
        line
        for row in rows
        if not (said.get("service") and row.kind == "file" and _is_link(row) and unit_of(row.key))
        for line in _lines(row, rpm)
    ]
    return tuple(dict.fromkeys(written))


def _lines(item: Difference, rpm: bool) -> Iterator[str]:
    make = _OF.get(item.kind)
    if make is not None and show(item.key) == item.key and "\\" not in item.key:
        yield from (line for line in make(item, rpm) if show(line) == line)


def _is_link(item: Difference) -> bool:
    return "target" in item.attributes


def _now(item: Difference) -> Mapping[str, Value]:
    return {name: delta.actual for name, delta in item.attributes.items()}


def _package(item: Difference, rpm: bool) -> Iterator[str]:
    name = item.key.partition("/")[0]
    tool = "dnf" if rpm else "apt-get"
    if item.change is Change.REMOVED:
        yield f"{tool} remove -y -- {shlex.quote(name)}"
        return
    version = _now(item).get("version")
    if isinstance(version, str) and version:
        wanted = f"{name}-{version}" if rpm else f"{name}={version}"
        yield f"{tool} install -y -- {shlex.quote(wanted)}"


def _sysctl(item: Difference, _rpm: bool) -> Iterator[str]:
    now = _now(item)
    value = now.get("current_value", now.get("config_value"))
    if isinstance(value, str) and item.change is not Change.REMOVED:
        yield f"echo {shlex.quote(f'{item.key} = {value}')} >> /etc/sysctl.d/60-image.conf"


def _service(item: Difference, _rpm: bool) -> Iterator[str]:
    verb = _VERBS.get(str(_now(item).get("unit_file_state")))
    if verb and item.change is not Change.REMOVED:
        yield f"systemctl {verb} -- {shlex.quote(item.key)}"


def _user(item: Difference, _rpm: bool) -> Iterator[str]:
    now = _now(item)
    name = shlex.quote(item.key)
    if item.change is Change.REMOVED:
        yield f"userdel -- {name}"
    elif item.change is Change.ADDED:
        options = [("uid", "--uid"), ("directory", "--home-dir"), ("shell", "--shell")]
        given = [f"{flag} {shlex.quote(str(now[key]))}" for key, flag in options if now.get(key) not in (None, "")]
        yield " ".join(["useradd", *given, "--", name])


def _group(item: Difference, _rpm: bool) -> Iterator[str]:
    name = shlex.quote(item.key)
    if item.change is Change.REMOVED:
        yield f"groupdel -- {name}"
    elif item.change is Change.ADDED:
        yield f"groupadd --gid {shlex.quote(str(_now(item).get('gid')))} -- {name}"


def _file(item: Difference, _rpm: bool) -> Iterator[str]:
    """Content is not here to be given: what it must be is, and the modes are."""
    now, path = _now(item), shlex.quote(item.key)
    if item.change is Change.REMOVED:
        delta = item.attributes.get("type")
        yield f"rmdir -- {path}" if delta and delta.expected == "directory" else f"rm -f -- {path}"
        return
    if isinstance(digest := now.get("sha256"), str):
        yield f"# {path}: take its content from a host that has it; sha256 {digest}"
    if isinstance(target := now.get("target"), str):
        yield f"ln -sfn -- {shlex.quote(target)} {path}"
    if now.get("type") == "directory":
        yield f"mkdir -p -- {path}"
    if isinstance(mode := now.get("mode"), str) and mode.isdigit() and len(mode) <= _MODE_LENGTH:
        yield f"chmod {mode} -- {path}"
    if item.change is Change.MODIFIED and {"uid", "gid"} & set(now):
        owner, group = (str(now[name]) if isinstance(now.get(name), int) else "" for name in ("uid", "gid"))
        yield f"chown {owner}{':' + group if group else ''} -- {path}"


_OF: Mapping[str, Callable[[Difference, bool], Iterator[str]]] = {
    "package": _package,
    "sysctl": _sysctl,
    "service": _service,
    "user": _user,
    "group": _group,
    "file": _file,
}
