"""What a snapshot could not see, and what a manifest never knew: the two reasons for not judging a resource."""

from collections.abc import Iterable

from driftscan.model.manifest import Manifest
from driftscan.model.matching import PatternSet
from driftscan.model.records import Records
from driftscan.model.snapshot import CollectorCoverage, CollectorStatus, Snapshot

_SAW = frozenset({CollectorStatus.COMPLETE, CollectorStatus.PARTIAL})


class Sight:
    """Answers, for one comparison, what the missing of a resource means."""

    def __init__(self, manifest: Manifest, snapshot: Snapshot) -> None:
        """Index the gaps of both sides and the mounts of the target."""
        self._gaps = PatternSet(pattern for gap in snapshot.gaps for pattern in gap.hides)
        never = {pattern for coverage in manifest.coverage for gap in coverage.gaps for pattern in gap.hides}
        self._never_seen = PatternSet(never | _told_later(manifest, snapshot))
        self._mounts = _covering_mounts(manifest, snapshot)
        self._unread = _unread_mounts(snapshot)
        self._files = manifest.resources.files
        self._baselined = manifest.covered_kinds
        self._blind = _blind_kinds(manifest.covered_kinds, snapshot)
        self.not_a_live_target = frozenset() if snapshot.live else self._blind - _failed_kinds(snapshot)
        """Kinds of the manifest that a target which does not run cannot have: not compared, and no gap."""
        hidden = {pattern for gap in snapshot.gaps for pattern in gap.hides}
        self.unseen = (hidden & self._baselined) - never - self.not_a_live_target
        """Kinds that the manifest knows wholly and a gap hides wholly: that there are no others was not seen."""

    def baselined(self, kind: str) -> bool:
        """Whether the manifest speaks of a kind at all."""
        return kind in self._baselined

    def hidden(self, kind: str, key: str) -> str:
        """Why the snapshot cannot tell whether a resource is there; empty: it can."""
        if kind in self._blind:
            return f"no collector of {kind} ran"
        if kind == "file" and (mount := self._mount_over(key)):
            return f"hidden beneath the mount on {mount}"
        if kind == "file" and key in self._unread:
            return "hidden beneath a file system that is not read"
        pattern = self._gaps.covering(kind, key)
        return f"a gap hides {pattern}" if pattern else ""

    def unknown_to_manifest(self, kind: str, key: str) -> str | None:
        """The gap in the manifest itself that hides a resource, or what its collectors did not tell yet: that it
        appears says nothing."""
        return self._never_seen.covering(kind, key)

    def covered_paths(self) -> int:
        """How many paths of the manifest lie beneath mounts that cover them."""
        return sum(len(self._files.span(f"{mount}/")) for mount in self._mounts if not self._mount_over(mount))

    def _mount_over(self, key: str) -> str:
        place = key.rpartition("/")[0]
        while place:
            if place in self._mounts:
                return place
            place = place.rpartition("/")[0]
        return ""


def _told_later(manifest: Manifest, snapshot: Snapshot) -> set[str]:
    """Patterns of what the collectors of the manifest did not tell, and those of the snapshot do."""
    then = {coverage.name: coverage.version for coverage in manifest.coverage}
    return {
        pattern
        for coverage in snapshot.coverage
        for pattern, version in coverage.since
        if then.get(coverage.name, version) < version
    }


def _blind_kinds(wanted: frozenset[str], snapshot: Snapshot) -> frozenset[str]:
    """Kinds of which the snapshot says nothing: every collector failed, or (on what does not run) none applies.
    On a running target a collector that does not apply is a fact: there is none of its things."""
    saw = _kinds(snapshot.coverage, _SAW | ({CollectorStatus.NOT_APPLICABLE} if snapshot.live else set()))
    return frozenset(kind for kind in wanted if kind not in saw)


def _failed_kinds(snapshot: Snapshot) -> frozenset[str]:
    """Kinds that were asked for and could not be had, which is a gap on any target."""
    return _kinds(snapshot.coverage, frozenset({CollectorStatus.FAILED}))


def _kinds(coverage: Iterable[CollectorCoverage], statuses: frozenset[CollectorStatus]) -> frozenset[str]:
    return frozenset(kind for item in coverage if item.status in statuses for kind in item.kinds)


def _covering_mounts(manifest: Manifest, snapshot: Snapshot) -> frozenset[str]:
    """Mount points of the target that hide what the image has there: those that the image does not have, and those
    that the walk found nothing beneath. Only mounts over paths of the image count."""
    known = {key for kind, key in manifest.resources.small if kind == "mount"}
    told = "mount" in manifest.covered_kinds
    found = set()
    for (kind, path), resource in snapshot.resources.small.items():
        if kind != "mount" or path == "/" or resource.attributes.get("type") is None:
            continue  # a row of fstab alone mounts nothing
        if not _below(manifest.resources.files, path):
            continue
        if (told and path not in known) or not _below(snapshot.resources.files, path):
            found.add(path)
    return frozenset(found)


def _unread_mounts(snapshot: Snapshot) -> frozenset[str]:
    """Mount points that the walk did not so much as look at: what a file system on another machine makes of them is
    not known."""
    mounted = (
        path for (kind, path), row in snapshot.resources.small.items() if kind == "mount" and row.attributes.get("type")
    )
    return frozenset(path for path in mounted if path not in snapshot.resources.files)


def _below(files: Records, path: str) -> bool:
    """Whether there is any record beneath a path."""
    return len(files.span(path + "/")) > 0
