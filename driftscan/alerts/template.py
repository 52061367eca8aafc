"""Templates of messages: Jinja2 in its sandbox. They make plain text, so nothing is escaped as HTML; but every value is
made safe to show on one line, and for chat services calls nobody."""

from driftscan.alerts.chat import tame
from driftscan.alerts.message import Message
from driftscan.model.names import show

MOST = 1 << 16
"""Characters of a message."""


class TemplateFaultError(Exception):
    """A template is none, or asks for what there is not."""


class _Lines(str):
    """Text of our own, whose line breaks are meant."""

    __slots__ = ()


def render(template: str, message: Message, *, chat: bool = False) -> str:
    """The text that a template makes of a message; `chat`: for a service of which people are called by what stands in a
    text. What the template itself says stays. TemplateFaultError if it makes none."""
    from jinja2 import StrictUndefined, TemplateError  # noqa: PLC0415 - for those who have templates
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415

    def safe(value: object) -> object:
        if not isinstance(value, str):
            return value
        shown = str(value) if type(value) is _Lines else show(value)
        return tame(shown) if chat else shown

    environment = ImmutableSandboxedEnvironment(
        autoescape=False,
        undefined=StrictUndefined,
        finalize=safe,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    values = {
        "title": message.title,
        "text": _Lines(message.text),
        "cohorts": message.cohorts,
        "lines": message.lines,
        "events": message.events,
        "next": message.next,
        "worst": message.worst,
        "expired": message.expired,
    }
    try:
        return environment.from_string(template).render(values)[:MOST].strip()
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, RecursionError) as error:
        raise TemplateFaultError(show(f"{type(error).__name__}: {error}"[:300])) from None
