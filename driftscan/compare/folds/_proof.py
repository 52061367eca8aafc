"""Whether a file in a package's paths is what the package shipped, by the strongest who can tell."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from driftscan.compare.attributes import is_executable
from driftscan.compare.evidence import Evidence
from driftscan.model.drift import Difference
from driftscan.model.names import spellings
from driftscan.model.proof import INFO, OUTSIDE, Rank, Shipment, Shipped
from driftscan.model.resource import Value

_STATE = "/var/"
"""Beneath it packages give their directories away in install scripts, to accounts whose numbers no archive knows."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """Who was heard, and what speaks against the file; empty: nothing does. `whole`: mode and owner, too, are as it has
    them, and not as install scripts may have made them."""

    rank: Rank
    against: str = ""
    origin: str = ""
    whole: bool = False


def rule(item: Difference, package: str, evidence: Evidence) -> Ruling:
    """On a file that is there, in a path of a package that was changed. Of several archives, or several manifests, one
    that has it so is enough. A stronger one that contradicts is not outvoted by a weaker one."""
    now = _now(item, evidence)
    for rank in OUTSIDE:
        told = (_by(each, item.key, now) for each in evidence.shipments.get(package, ()) if each.rank is rank)
        rulings = [each for each in told if each is not None]
        if rulings:
            return next((each for each in rulings if not each.against), rulings[0])
    return _by_database(item, package, evidence, now)


def _now(item: Difference, evidence: Evidence) -> Mapping[str, Value]:
    """The file as it is, as far as it is known; a difference tells of a changed file only what changed."""
    known = evidence.resources.get("file", item.key)
    told = {name: delta.actual for name, delta in item.attributes.items()}
    return {**known.attributes, **told} if known is not None else told


def _by(shipment: Shipment, path: str, now: Mapping[str, Value]) -> Ruling | None:
    """None: it cannot tell."""
    names = spellings(path)
    shipped = next((shipment.files[name] for name in names if name in shipment.files), None)
    if shipped is None:
        if shipment.paths is None or any(name in shipment.paths for name in names):
            return None
        return Ruling(shipment.rank, f"{shipment.origin} has no such file", shipment.origin)
    if shipped.type in {"regular", "symlink"} and (shipped.content is None or _content(now) is None):
        return None
    against = _against(shipment, shipped, now)
    moved = _moved(shipment, shipped, now)
    given_away = path.startswith(_STATE) and not path.startswith(INFO)
    if not against and not given_away and not _named_by(shipment.scripts, path):
        against = moved
    return Ruling(shipment.rank, against, shipment.origin, whole=not moved)


def _content(now: Mapping[str, Value]) -> Value:
    return now.get("target") if now.get("type") == "symlink" else now.get("sha256")


def _against(shipment: Shipment, shipped: Shipped, now: Mapping[str, Value]) -> str:
    kind = now.get("type", shipped.type)
    if kind != shipped.type:
        return f"it is a {kind}, and {shipment.origin} has a {shipped.type}"
    if shipped.content is not None and shipped.content != _content(now):
        return f"{shipment.origin} has another content"
    return ""


def _moved(shipment: Shipment, shipped: Shipped, now: Mapping[str, Value]) -> str:
    """What of mode and owner is another than was shipped."""
    told = {"mode": shipped.mode, "uid": shipped.uid, "gid": shipped.gid}
    for name, was in told.items():
        if was is not None and now.get(name) not in {None, was}:
            return f"its {name} is {now[name]}, and {shipment.origin} has {was}"
    return ""


def _named_by(scripts: str, path: str) -> bool:
    """Whether install scripts name a file: they may have set its owner and mode."""
    return any(re.search(rf"{re.escape(name)}(?![A-Za-z0-9._+-])", scripts) for name in spellings(path))


def _by_database(item: Difference, package: str, evidence: Evidence, now: Mapping[str, Value]) -> Ruling:
    shipped, found = evidence.shipped(package, item.key), item.observed.get("md5")
    if shipped and (kind := now.get("type")) not in {None, "regular"}:
        return Ruling(Rank.DATABASE, f"it is a {kind}, and its database has the digest of a file")
    if shipped and isinstance(found, str):
        return Ruling(Rank.DATABASE, "" if found == shipped else "its database has another digest")
    if not shipped and "sha256" in item.attributes and is_executable(now) and evidence.has_digests(package):
        return Ruling(Rank.LISTS, "its database lists it and has no digest of it, as it has of others")
    return Ruling(Rank.LISTS)
