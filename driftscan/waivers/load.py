"""Reads files of waivers: strict YAML in, waivers out (docs/formats/waivers.md)."""

import os
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from driftscan import yaml_strict
from driftscan.model.waiver import Waiver
from driftscan.schema_check import quoted
from driftscan.waivers.schema import SCHEMA
from driftscan.yaml_strict import Document

HINT = "See docs/formats/waivers.md for the format."
_EVERY_HOST = "hosts: '*' says that all are meant"


def load(path: str | os.PathLike[str]) -> tuple[Waiver, ...]:
    """The waivers of a file. UsageError with file:line:column for a bad one."""
    return _waivers(yaml_strict.load(path))


def parse(text: str, file: str) -> tuple[Waiver, ...]:
    """The same of a text that is, or is to be, in a file."""
    return _waivers(yaml_strict.parse(text, file))


def _waivers(document: Document) -> tuple[Waiver, ...]:
    yaml_strict.check(document, SCHEMA, HINT)
    return tuple(_read(document))


def _read(document: Document) -> Iterator[Waiver]:
    for index, raw in enumerate(document.data["waivers"]):
        place: yaml_strict.Path = ("waivers", index)
        if ("finding" in raw) is ("rule" in raw):
            raise document.error(place, "a waiver is of one `finding` or one `rule`", HINT)
        if "hosts" not in raw and "labels" not in raw:
            raise document.error(place, f"neither `hosts` nor `labels` says for which hosts ({_EVERY_HOST})", HINT)
        if set("*?") & set(raw.get("rule", "")) and "/" not in raw["rule"]:
            raise document.error((*place, "rule"), f"{quoted(raw['rule'])} names no policy: write POLICY/RULE", HINT)
        if "content" in raw and not raw.get("finding", "").startswith("F-"):
            what = "only a mutation (F-...) has a content; what a control finds is told by `resources`"
            raise document.error((*place, "content"), what, HINT, key=True)
        if "resources" in raw and raw.get("finding", "").startswith("F-"):
            what = "the id of a mutation (F-...) says of which resources it is: leave `resources` out"
            raise document.error((*place, "resources"), what, HINT, key=True)
        expires = _day(document, (*place, "expires"), raw["expires"])
        added = _day(document, (*place, "added"), raw["added"]) if "added" in raw else None
        if added is not None and expires < added:
            raise document.error((*place, "expires"), "it expires before it was added", HINT)
        yield Waiver(
            finding=raw.get("finding", ""),
            rule=raw.get("rule", ""),
            content=raw.get("content", ""),
            resources=yaml_strict.listed(raw.get("resources")),
            hosts=yaml_strict.listed(raw.get("hosts")),
            labels=_labels(raw.get("labels", {})),
            image=yaml_strict.listed(raw.get("image")),
            reason=" ".join(raw["reason"].split()),
            owner=raw["owner"].strip(),
            expires=expires,
            added=added,
            ticket=raw.get("ticket", ""),
            origin=f"{document.file}:{document.position(place).line}",
        )


def _day(document: Document, place: yaml_strict.Path, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise document.error(place, f"{quoted(text)} is no day of the calendar", HINT) from None


def _labels(raw: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
    return {name: yaml_strict.listed(globs) for name, globs in raw.items()}
