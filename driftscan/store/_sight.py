"""Whether a scan of a host would have seen a finding that it does not have: only then it is gone."""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from driftscan.model.drift import CauseType
from driftscan.model.finding import JudgedMutation, Result, Verdict
from driftscan.model.matching import PatternSet
from driftscan.model.result import HostResult, ImageMatch
from driftscan.model.snapshot import CollectorStatus

UNSEEN = frozenset({Verdict.UNREACHABLE, Verdict.GONE, Verdict.SETTLING})
MOST = 50
"""Resources of a mutation that are kept; of one with more, any gap in their kinds may hide it."""
_BY_ANY = frozenset({CauseType.COVERAGE_FELL, CauseType.IMAGE_UNKNOWN, CauseType.HOST_KEY_CHANGED})
"""Causes that every scan which reaches the host would tell."""
_BY_LIKE = frozenset({CauseType.LOG_MISSING, CauseType.INTERACTIVE_LOGIN, CauseType.IDENTITY_SHARED})
"""Causes that depend on which logs could be read, which policies asked, and which hosts were compared."""
_NO_IMAGE = frozenset({ImageMatch.UNKNOWN, ImageMatch.STAND_IN})


def needs(judged: JudgedMutation, policies: Sequence[str], hosts: Sequence[str]) -> str:
    """What a scan must look at to see a mutation, as JSON text."""
    cause = judged.mutation.cause.type
    if cause in _BY_ANY:
        return json.dumps({"any": True})
    if cause in _BY_LIKE:
        others = sorted(hosts) if cause is CauseType.IDENTITY_SHARED else []
        return json.dumps({"policies": sorted(policies), "hosts": others})
    items = judged.mutation.differences
    keys = sorted({f"{item.kind}:{item.key}" for item in items}) if len(items) <= MOST else []
    return json.dumps({"kinds": sorted({item.kind for item in items}), "keys": keys})


class Sight:
    """What one scan saw of one host."""

    def __init__(self, host: HostResult, policies: Sequence[str], reached: frozenset[str]) -> None:
        """`policies`: that were loaded; `reached`: the hosts that the scan got an answer from."""
        self._policies = frozenset(policies)
        self._reached = reached
        self._blind = host.verdict in UNSEEN or bool(host.torn)
        self._results = {control.id: control.result for control in host.controls}
        looked = {CollectorStatus.COMPLETE, CollectorStatus.PARTIAL}
        if host.target == "local" or host.target.startswith("ssh://"):
            looked.add(CollectorStatus.NOT_APPLICABLE)  # of what runs that is a fact: there is none of it
        self._kinds = {kind for each in host.coverage if each.status in looked for kind in each.kinds}
        self._kinds -= set(host.not_baselined)
        self._gaps = frozenset(pattern for each in host.coverage for gap in each.gaps for pattern in gap.hides)
        self._without_image = host.image.match in _NO_IMAGE
        self.whole = not self._blind and not host.errors and not self._gaps and host.verdict is not Verdict.INCOMPLETE
        self.manifest = host.image.manifest_digest

    def would_see(self, rule: str, wanted: str, manifest: str) -> bool:
        """Whether this scan would have seen a finding with that rule (empty: a mutation), those needs (empty: not
        known), which was last judged against that manifest."""
        if self._blind:
            return False
        if rule:
            return self._results.get(rule, Result.UNKNOWN) is not Result.UNKNOWN
        found: dict[str, Any] = json.loads(wanted) if wanted else {}
        if found.get("any"):
            return True
        if self._without_image and manifest != self.manifest:
            return False
        if not found:
            return self.whole
        if "policies" in found:
            return self.whole and self._policies >= set(found["policies"]) and self._reached >= set(found["hosts"])
        return set(found["kinds"]) <= self._kinds and not self._hides(found["kinds"], found["keys"])

    def _hides(self, kinds: Sequence[str], keys: Sequence[str]) -> bool:
        if not self._gaps:
            return False
        if not keys:
            return any(pattern.partition(":")[0] in kinds for pattern in self._gaps)
        patterns = _patterns(self._gaps)
        return any(patterns.covering(kind, key) for kind, _, key in (each.partition(":") for each in keys))


@lru_cache(maxsize=256)
def _patterns(hidden: frozenset[str]) -> PatternSet:
    return PatternSet(hidden)
