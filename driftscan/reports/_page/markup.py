"""Jinja2's one home, and that of all HTML: whatever a template prints has its control characters made visible and is
escaped, without being asked. Markup is made by templates alone."""

import hashlib
import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from driftscan.model.amount import words_of
from driftscan.model.names import show
from driftscan.reports import _words as words

if TYPE_CHECKING:
    from jinja2 import Environment

LONGEST = 4000
"""Characters of one value that are shown; the JSON report has all of them."""
LINE = 300
"""Characters of what stands in a row, a list or a chart, and in full elsewhere."""
_FOLDER = "driftscan.reports._page"


@dataclass(frozen=True, slots=True)
class Inline:
    """A style sheet or a script that stands in the page, and the hash by which the page's policy allows it."""

    text: str

    @property
    def allowed(self) -> str:
        """As a source of a content security policy names it."""
        return f"'sha256-{b64encode(hashlib.sha256(self.text.encode()).digest()).decode()}'"


def inline(name: str) -> Inline:
    """A file of this package."""
    return Inline(files(_FOLDER).joinpath(name).read_text("utf-8"))


def data(value: object) -> str:
    """JSON that may stand in a script element: nothing in it ends the element or begins a comment."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def brief(text: str, most: int = LONGEST) -> str:
    """A text safe to show, cut with a mark where a host sends a flood."""
    more = len(text) - most
    return f"{show(text[:most])}… ({more:,} more characters)" if more > 0 else show(text)


def gist(text: str) -> str:
    """The beginning of a sentence, up to the last of its parts that fits; it stands in full elsewhere."""
    if len(text) <= LINE:
        return show(text)
    head = text[:LINE]
    end = max(head.rfind("; "), head.rfind(" ")) if head.rfind("; ") < LINE // 2 else head.rfind("; ")
    return f"{show(head[:end] if end > 0 else head)} …"


def render(template: str, values: Mapping[str, Any]) -> Iterator[str]:
    """The pieces of a page."""
    stream = environment().get_template(template).stream(values)
    stream.enable_buffering(200)
    return iter(stream)


@cache
def environment() -> "Environment":
    """Autoescape in every template; an undefined name is an error, not an empty text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415
    from markupsafe import Markup  # noqa: PLC0415

    made = Environment(
        loader=PackageLoader(_FOLDER, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: brief(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        {
            "plural": words.plural,
            "count": lambda number: f"{number:,}",
            "name": words.name,
            "value": _value,
            "when": _when,
            "long": words_of,
            "line": lambda text: brief(text, LINE),
            "gist": gist,
            "data": lambda value: Markup(data(value)),  # noqa: S704 - escaped by `data`
            "raw_inline": lambda given: Markup(given.text),  # noqa: S704 - a file of this package
        }
    )
    return made


def _value(given: Any) -> str:
    return words.value(given, 2000)


def _when(time: str | None) -> str:
    """`2026-11-20 09:12` of an RFC 3339 time, seconds left out; anything else as it is."""
    text = time or ""
    return f"{text[:10]} {text[11:16]}" if len(text) >= 20 and text[10] == "T" and text.endswith("Z") else text
