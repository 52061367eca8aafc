"""The ways that a message goes: Apprise's services, and programs of one's own. Apprise's one home."""

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

from driftscan.alerts.channel import Channel
from driftscan.alerts.chat import is_chat, tame
from driftscan.alerts.message import MOST_LINES, Message, as_json
from driftscan.alerts.template import MOST, TemplateFaultError, render
from driftscan.model.names import show
from driftscan.transports.hook import feed

HOOK_SECONDS = 60
MOST_SAID = 300
_LINES = (MOST_LINES, 20, 10, 5, 2, 1)
"""Lines of events in a message, until a service takes it: Discord takes 2,000 characters, Teams 1,000, a pager 160."""
_CUT = "\n..."
_INSTALL = "Install it: pip install 'driftscan[alerts]'."
_LOUD = ("apprise", "urllib3", "requests", "requests_oauthlib", "oauthlib")
"""Loggers that may write what is in a URL."""


class DeliveryError(Exception):
    """A message was not taken; why, without a secret."""


class UnusableError(Exception):
    """A URL is none that Apprise knows, or there is no Apprise."""

    def __init__(self, what: str, hint: str) -> None:
        """Without the URL."""
        super().__init__(what)
        self.hint = hint


def usable(url: str) -> None:
    """UnusableError if Apprise could not take a URL; nothing is sent."""
    try:
        import apprise  # noqa: PLC0415 - 0.3 s, for those who have a channel
    except ImportError:
        raise UnusableError("the library for services (Apprise) is not installed", _INSTALL) from None
    with _quiet():
        if apprise.Apprise().add(url):
            return
    hint = "See https://appriseit.com/services for how they look; %-encode what is special in a password."
    raise UnusableError("what is there is not a URL that Apprise knows", hint)


def send(channel: Channel, message: Message) -> None:
    """Tell a channel. DeliveryError if it was not taken."""
    chat = bool(channel.url) and is_chat(channel.url)
    texts = [tame(text) if chat else text for text in map(message.short, _LINES)]
    if channel.template:
        try:
            texts = [render(channel.template, message, chat=chat)]
        except TemplateFaultError as error:
            raise DeliveryError(f"the template does not work: {error}") from None
    if not texts[0]:
        return
    if channel.command:
        _run(channel, as_json(message, channel.name, texts[0]))
    else:
        _notify(channel.url, tame(message.title) if chat else message.title, texts)


def _run(channel: Channel, data: bytes) -> None:
    status, said = feed(channel.command, data, HOOK_SECONDS)
    if status:
        last = said.decode("utf-8", "replace").strip().rpartition("\n")[2][:MOST_SAID]
        raise DeliveryError(f"{show(channel.command[0])}: {_STATUS.get(status, f'exit {status}')}: {show(last)}"[:400])


_STATUS = {124: f"did not end within {HOOK_SECONDS} s", 127: "could not be started"}


def _notify(url: str, title: str, texts: Sequence[str]) -> None:
    """With the first of the texts that the service takes."""
    import apprise  # noqa: PLC0415 - see `usable`

    service = apprise.Apprise()
    with _quiet() as said:
        taken = service.add(url) and service.notify(
            body=fitting(texts, min(_room(each, title) for each in service)),
            title=title,
            body_format=apprise.NotifyFormat.TEXT,
        )
    if not taken:
        why = _without(url, said[-1]) if said else "it said no more"
        raise DeliveryError(f"the service did not take it: {show(why)[:MOST_SAID]}")


def _room(service: Any, title: str) -> int:
    """Characters of a text that a service of Apprise takes; more would be refused, again and again. Where its URL says
    what to do with more (`overflow=split`), that is left to it."""
    if service.overflow_mode != "upstream":
        return MOST
    beside = service.title_maxlen <= 0 or service.overflow_amalgamate_title
    room: int = service.body_maxlen - (len(title) + 2 if beside else 0)
    return max(1, min(MOST, room))


def fitting(texts: Sequence[str], room: int) -> str:
    """The first of texts that fits; of the last, as many lines as do, and where there is none, its beginning."""
    for text in texts:
        if len(text) <= room:
            return text
    cut = texts[-1][: max(0, room - len(_CUT))]
    return ((cut.rpartition("\n")[0] or cut) + _CUT)[:room]


def _without(url: str, text: str) -> str:
    """What a service said, without any part of the URL that may be secret."""
    parts = {part for whole in (url, unquote(url)) for part in re.split(r"[^A-Za-z0-9_.+=-]+", whole) if len(part) > 2}
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, "...")
    return text


@contextmanager
def _quiet() -> Iterator[list[str]]:
    """What Apprise warns of, kept from all logs: a URL may stand in it."""
    said: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    loggers = [logging.getLogger(name) for name in _LOUD]
    before = [(each, each.propagate, each.level) for each in loggers]
    for each in loggers:
        each.propagate = False
        each.setLevel(logging.WARNING)
    loggers[0].addHandler(handler)
    try:
        yield said
    finally:
        loggers[0].removeHandler(handler)
        for each, propagate, level in before:
            each.propagate = propagate
            each.setLevel(level)
