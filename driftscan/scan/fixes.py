"""What was done by hand to the hosts that an image is to replace, as their last scans tell it."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from driftscan.compare.carried import Candidate, Sighting, fate_of, hand_fixes
from driftscan.model.cohort import CohortClass
from driftscan.model.finding import Action, State
from driftscan.model.gate import Fate, Fleet, PartFate, ScannedHost
from driftscan.model.manifest import Manifest
from driftscan.model.snapshot import Snapshot
from driftscan.reports._mutations import mutation
from driftscan.scan.evidence import package_system
from driftscan.scan.on_file import from_manifest
from driftscan.scan.targets import Target
from driftscan.store import LastRow, Store

Json = Mapping[str, Any]


def fleet(store: Store, approved: Manifest, names: Collection[str] | None, candidate: str, taken: Snapshot) -> Fleet:
    """The hosts of the approved image but the candidate itself, and the fate of their hand fixes in it. `names`: the
    hosts that are meant (those of an inventory); None: all that the store knows. IncompleteError for a store that is
    damaged."""
    last = [row for row in store.last_of_each() if row.host != candidate]
    rows = [row for row in last if _is_of(row, approved) and (names is None or row.host in names)]
    sightings = list(_sightings(store, rows))
    image = candidate_of(taken)
    bad = [one for one in sightings if one.action == Action.QUARANTINE.word]
    first = [one for one in sightings if one not in bad and one.everywhere_at_first]
    return Fleet(
        hosts=tuple(ScannedHost(row.host, row.started_at, row.verdict) for row in rows),
        never_scanned=tuple(sorted(set(names or ()) - {row.host for row in last} - {candidate})),
        fixes=hand_fixes([one for one in sightings if one not in bad and one not in first], image),
        suspicious=hand_fixes(bad, image, wanted=False),
        by_image=hand_fixes(first, image),
    )


def fate_in(manifest: Manifest, found: Json) -> tuple[Fate, tuple[PartFate, ...]]:
    """Whether an image has what a mutation of a report says that a host has."""
    target = Target("manifest", manifest.image.id, "")
    return fate_of(mutation(found), candidate_of(from_manifest(manifest, target)))


def candidate_of(taken: Snapshot) -> Candidate:
    """A snapshot as what can be asked for hand fixes."""
    return Candidate(taken, rpm=package_system(taken) == "rpm")


def _is_of(row: LastRow, approved: Manifest) -> bool:
    """Whether a host was judged against this manifest, or against another one of the same image."""
    image = approved.image
    same_image = (row.image_id, row.image_version) == (image.id, image.version)
    return row.manifest_digest == approved.digest or (bool(image.id or image.version) and same_image)


def _sightings(store: Store, rows: Sequence[LastRow]) -> Iterator[Sighting]:
    by_report: dict[str, list[LastRow]] = defaultdict(list)
    for row in rows:
        by_report[row.report].append(row)
    for same in by_report.values():
        names = {row.host for row in same}
        for host in json.loads(store.report(same[0]))["hosts"]:
            if host["host"] in names:
                yield from _of_host(host)


def _of_host(host: Json) -> Iterator[Sighting]:
    for found in host["mutations"]:
        if found["state"] == State.OPEN.value:
            yield Sighting(
                host=host["host"],
                mutation=mutation(found),
                action=found.get("action", ""),
                everywhere_at_first=(found.get("cohort") or {}).get("class") == CohortClass.ALL_AT_FIRST.value,
            )
