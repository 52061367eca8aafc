"""Reading a JSON report back: checked against its schema before anything relies on it."""

import json
import os
from importlib.resources import files
from typing import Any

from driftscan.errors import UsageError
from driftscan.model.drift import Change
from driftscan.model.names import show
from driftscan.model.zone import ZoneClass
from driftscan.reports._build import SCHEMA
from driftscan.schema_check import problems, quoted

MAX_BYTES = 1 << 30
_CHANGES = tuple(change.value for change in Change)
_ZONES = tuple(zone.value for zone in ZoneClass)
_TEXTS = ("kind", "key", "zone_reason", "why", "text")


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the report."""
    text = files("driftscan.reports").joinpath("report.schema.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def read_report(path: str) -> dict[str, Any]:
    """A report that was written as `json`, checked against its schema. UsageError says what is wrong where."""
    try:
        if os.path.getsize(path) > MAX_BYTES:
            raise UsageError(f"{path}: larger than {MAX_BYTES >> 20} MiB", "Give a report of fewer hosts.")
        with open(path, "rb") as stream:
            data = json.load(stream)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", "Give a file written by `--report json:FILE`.") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not JSON: {error}", "Give a file written by `--report json:FILE`.") from None
    _check(path, data)
    checked: dict[str, Any] = data
    return checked


def _check(path: str, data: Any) -> None:
    found = data.get("schema") if isinstance(data, dict) else None
    if found != SCHEMA:
        raise UsageError(
            f"{path}: its schema is {quoted(found)}, not '{SCHEMA}'",
            "Give a file written by `--report json:FILE` of this version of driftscan.",
        )
    if problems(_without_fitting(data), schema()):
        problem = problems(data, schema())[0]
        where = "/".join(str(part) for part in problem.path) or "the top"
        raise UsageError(
            f"{path}: at {show(where)}: {problem.what}", "The file was edited or damaged: write the report again."
        )


def _without_fitting(data: dict[str, Any]) -> dict[str, Any]:
    """The report without the differences that are seen to fit at a glance: a schema takes 0.1 ms for each of them,
    which is seconds for a fleet after an upgrade."""
    hosts = data.get("hosts")
    if not isinstance(hosts, list):
        return data
    return {**data, "hosts": [_lighter_host(host) for host in hosts]}


def _lighter_host(host: Any) -> Any:
    if not isinstance(host, dict) or not isinstance(host.get("mutations"), list):
        return host
    return {**host, "mutations": [_lighter_mutation(mutation) for mutation in host["mutations"]]}


def _lighter_mutation(mutation: Any) -> Any:
    if not isinstance(mutation, dict) or not isinstance(mutation.get("differences"), list):
        return mutation
    return {**mutation, "differences": [item for item in mutation["differences"] if not _fits(item)]}


def _fits(item: Any) -> bool:
    """Whether a difference is certainly as the schema says."""
    return (
        isinstance(item, dict)
        and item.keys() >= {"kind", "key", "change", "attributes", "zone"}
        and item["change"] in _CHANGES
        and item["zone"] in _ZONES
        and all(isinstance(item.get(name, ""), str) for name in _TEXTS)
        and isinstance(item.get("observed", {}), dict)
        and isinstance(item["attributes"], dict)
        and all(
            isinstance(delta, dict) and delta.keys() >= {"expected", "actual"} for delta in item["attributes"].values()
        )
    )
