"""Reads a file of channels, and the secrets that it names."""

import os
import shlex
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from driftscan import yaml_strict
from driftscan.alerts.channel import Channel
from driftscan.alerts.message import compose, sample
from driftscan.alerts.schema import SCHEMA
from driftscan.alerts.send import UnusableError, usable
from driftscan.alerts.template import TemplateFaultError, render
from driftscan.errors import UsageError
from driftscan.model.event import EventKind
from driftscan.model.finding import Severity
from driftscan.schema_check import quoted
from driftscan.yaml_strict import Document

_HINT = "See docs/alerts.md for the format."
MOST_SECRET = 1 << 16


@dataclass(frozen=True, slots=True)
class Alerts:
    """Who is told. `silent_after`: scans in a row that a host may miss; None: as many as is usual."""

    channels: tuple[Channel, ...] = ()
    silent_after: int | None = None


def load(path: str, environ: Mapping[str, str]) -> Alerts:
    """The channels of a file. UsageError with file:line:column for a bad one, for a secret that is not there, a program
    that cannot be run, and a template that does not work; no message has a secret in it. UsageError, too, for a file
    that everybody may write to: whoever does would run programs as this user."""
    document = yaml_strict.load(path)
    if os.stat(path).st_mode & stat.S_IWOTH:
        what = f"{quoted(path)} may be written to by everybody, and names programs that are run"
        raise UsageError(what, f"chmod o-w {shlex.quote(path)}")
    yaml_strict.check(document, SCHEMA, _HINT)
    names: set[str] = set()
    channels = []
    for index, raw in enumerate(document.data["alerts"]):
        place: yaml_strict.Path = ("alerts", index)
        if raw["name"] in names:
            raise document.error((*place, "name"), f"two channels are called {quoted(raw['name'])}", _HINT)
        names.add(raw["name"])
        channels.append(_channel(document, place, raw, environ))
    return Alerts(tuple(channels), document.data.get("silent_after"))


def _channel(
    document: Document, place: yaml_strict.Path, raw: Mapping[str, Any], environ: Mapping[str, str]
) -> Channel:
    if ("to" in raw) is ("command" in raw):
        raise document.error(place, "a channel has either `to` or `command`", _HINT)
    command = tuple(raw.get("command", ()))
    if command and shutil.which(command[0]) is None:
        what = f"{quoted(command[0])} is no program that can be run"
        raise document.error((*place, "command", 0), what, "Give its absolute path, and make it executable.")
    channel = Channel(
        name=raw["name"],
        url=_secret(document, (*place, "to"), raw["to"], environ) if "to" in raw else "",
        command=command,
        on=frozenset(map(EventKind, yaml_strict.listed(raw.get("on")))) or frozenset(EventKind),
        minimum=Severity.parse(raw.get("minimum", "info")),
        hosts=yaml_strict.listed(raw.get("hosts")),
        labels={name: yaml_strict.listed(globs) for name, globs in raw.get("labels", {}).items()},
        template=raw.get("template", ""),
        origin=f"{document.file}:{document.position(place).line}",
    )
    _try(document, place, channel)
    return channel


def _try(document: Document, place: yaml_strict.Path, channel: Channel) -> None:
    """What would fail with the first message fails now."""
    try:
        if channel.template:
            render(channel.template, compose(sample()))
    except TemplateFaultError as error:
        raise document.error((*place, "template"), f"the template does not work: {error}", _HINT) from None
    try:
        if channel.url:
            usable(channel.url)
    except UnusableError as error:
        raise document.error((*place, "to"), str(error), error.hint) from None


def _secret(document: Document, place: yaml_strict.Path, where: str, environ: Mapping[str, str]) -> str:
    """The text that is there. A file that all may read is no secret."""
    kind, _, name = where.partition(":")
    if kind == "env":
        if not environ.get(name, "").strip():
            raise document.error(place, f"{name} is not set in the environment", "Set it to a URL of Apprise.")
        return environ[name].strip()
    path = os.path.join(os.path.dirname(os.path.abspath(document.file)), os.path.expanduser(name))
    try:
        with open(path, encoding="utf-8") as file:
            if os.fstat(file.fileno()).st_mode & stat.S_IRWXO:
                raise document.error(place, f"{quoted(name)} may be read by everybody", "chmod 600 it.")
            text = file.read(MOST_SECRET).strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise document.error(place, f"{quoted(name)} cannot be read: {why}", "Put a URL of Apprise there.") from None
    if not text or "\n" in text:
        raise document.error(place, f"{quoted(name)} does not hold one line", "Put one URL of Apprise there.")
    return text
