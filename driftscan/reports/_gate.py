"""The gate's result as JSON (docs/formats/gate.md, `driftscan.gate/1`)."""

import json
from importlib.resources import files
from typing import Any

from driftscan import __version__
from driftscan.model.declared import Entry
from driftscan.model.gate import Fate, Fleet, GateResult, HandFix, ImageChange, Open
from driftscan.reports._build import control, difference, gap, plain

SCHEMA = "driftscan.gate/1"


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the result."""
    loaded: dict[str, Any] = json.loads(files("driftscan.reports").joinpath("gate.schema.json").read_text("utf-8"))
    return loaded


def render(result: GateResult) -> str:
    """ASCII only, nothing truncated."""
    return json.dumps(build(result), ensure_ascii=True, allow_nan=False, indent=1) + "\n"


def build(result: GateResult) -> dict[str, Any]:
    """The plain data."""
    image = result.image
    return {
        "schema": SCHEMA,
        "tool": {"name": "driftscan", "version": __version__},
        "candidate": plain(result.candidate),
        "approved": {
            "name": plain(result.approved),
            "id": plain(image.id),
            "version": plain(image.version),
            "manifest_digest": image.manifest_digest,
        },
        "started_at": result.started_at,
        "verdict": result.verdict.value,
        "reasons": plain(result.reasons),
        "accounting": {
            "raw": result.raw,
            "zoned": result.zoned,
            "declared": result.declared,
            "residual": result.residual,
            "unproved": result.unproved,
        },
        "changes": [_change(change) for change in result.changes],
        "identities": [
            {
                "id": judged.mutation.id,
                "title": plain(judged.mutation.title),
                "severity": judged.severity.word,
                "differences": [difference(item) for item in judged.mutation.differences],
            }
            for judged in result.identities
        ],
        "controls": [control(judged) for judged in result.controls],
        "declared": [{**_entry(entry), "used": entry not in result.unused} for entry in result.entries],
        "unknown": [difference(item) for item in result.unknown],
        "not_baselined": sorted({plain(each.what) for each in result.uncompared}),
        "not_compared": [
            {
                "what": plain(each.what),
                "count": each.count,
                "example": plain(each.example),
                "known_of": "approved" if each.baked else "candidate",
            }
            for each in result.uncompared
        ],
        "gaps": [{"collector": each.collector, **gap(each)} for each in result.gaps],
        "torn": plain(result.torn),
        "notes": plain(result.notes),
        "fleet": _fleet(result.fleet),
    }


def _change(change: ImageChange) -> dict[str, Any]:
    mutation = change.judged.mutation
    return {
        "id": mutation.id,
        "title": plain(mutation.title),
        "severity": change.judged.severity.word,
        "cause": {
            "type": mutation.cause.type.value,
            "subject": plain(mutation.cause.subject),
            "detail": plain(mutation.cause.detail),
        },
        "explained": [
            {**difference(each.difference), "origin": plain(each.origin), "ground": each.ground.value}
            for each in change.explained
        ],
        "residual": [_open(each) for each in change.residual],
        "unproved": [_open(each) for each in change.unproved],
    }


def _open(each: Open) -> dict[str, Any]:
    return {**difference(each.difference), "unexplained": plain(each.why)}


def _entry(entry: Entry) -> dict[str, Any]:
    return {"title": plain(entry.title), "origin": plain(entry.origin), "reason": plain(entry.reason)}


def _fleet(fleet: Fleet) -> dict[str, Any]:
    return {
        "hosts": [
            {"host": plain(one.host), "scanned_at": one.scanned_at, "verdict": one.verdict} for one in fleet.hosts
        ],
        "never_scanned": plain(fleet.never_scanned),
        "summary": {fate.value: len(fleet.of(fate)) for fate in Fate},
        "fixes": [_fix(fix) for fix in fleet.fixes],
        "suspicious": [_fix(fix) for fix in fleet.suspicious],
        "by_image": [_fix(fix) for fix in fleet.by_image],
    }


def _fix(fix: HandFix) -> dict[str, Any]:
    return {
        "id": fix.id,
        "title": plain(fix.title),
        "cause": {
            "type": fix.cause.type.value,
            "subject": plain(fix.cause.subject),
            "detail": plain(fix.cause.detail),
        },
        "action": fix.action,
        "actors": plain(fix.actors),
        "hosts": plain(fix.hosts),
        "fate": fix.fate.value,
        "differences": [
            {**difference(part.difference), "fate": part.fate.value, "candidate": plain(part.found)}
            for part in fix.parts
        ],
        "build": plain(fix.build),
    }
