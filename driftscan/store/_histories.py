"""Histories of hosts (`model.state.History`) as text."""

import hashlib
import json
from typing import Any

from driftscan.model.codec import canonical
from driftscan.model.state import History, View


def encode(history: History) -> tuple[str, str]:
    """The text and its seal."""
    text = canonical(
        {
            "machine": dict(history.machine),
            "manifest": history.manifest,
            "young": history.young,
            "first": None if history.first is None else sorted(history.first),
            "kinds": sorted(history.view.kinds),
            "hidden": sorted(history.view.hidden),
            "last": sorted(history.last),
            "before": sorted(history.before),
        }
    )
    return text.decode(), _seal(text)


def decode(text: str, seal: str) -> History:
    """The history. ValueError, TypeError or LookupError for a text that is not what was kept."""
    if _seal(text.encode()) != seal:
        raise ValueError("it is not what was kept")
    found: dict[str, Any] = json.loads(text)
    return History(
        machine=found["machine"],
        manifest=found["manifest"],
        young=found["young"],
        first=None if found["first"] is None else frozenset(found["first"]),
        view=View(frozenset(found["kinds"]), frozenset(found["hidden"])),
        last=frozenset(found["last"]),
        before=frozenset(found["before"]),
    )


def _seal(text: bytes) -> str:
    """SQLite does not notice a flipped bit, by which a mark would be another."""
    return hashlib.sha256(text).hexdigest()
