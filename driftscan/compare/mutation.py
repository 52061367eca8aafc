"""Making mutations: the stable fingerprint, and one order of what they hold."""

import hashlib
from collections.abc import Collection, Iterable

from driftscan.compare.loaded import is_gone
from driftscan.model.codec import canonical
from driftscan.model.drift import Attribution, Cause, CauseType, Difference, Mutation
from driftscan.model.names import show
from driftscan.model.proof import Proof
from driftscan.model.resource import ResourceId, Value


def fingerprint(cause: CauseType, subject: str, ids: Iterable[ResourceId]) -> str:
    """`F-` and 12 hexadecimal digits: the same for the same thing on every host and in every scan. It is made of the
    cause, the subject, and kinds and keys of the resources that are the heart of it; of no value, host or time, and
    not of what merely follows (one more generated file must not make it another finding)."""
    material = canonical([cause.value, subject, sorted(set(ids))])
    return "F-" + hashlib.sha256(material).hexdigest()[:12]


def make(
    cause: CauseType,
    subject: str,
    title: str,
    primary: Iterable[Difference],
    following: Iterable[Difference] = (),
    *,
    detail: str = "",
    attribution: Attribution = Attribution(),  # noqa: B008 - a frozen value
    proof: Proof | None = None,
) -> Mutation:
    """A mutation of its heart and of what follows from it, the differences in order of kind and key. Subject and
    title may hold names that the host chose: they are made safe to show."""
    heart = tuple(primary)
    rest = tuple(following)
    return Mutation(
        id=fingerprint(cause, subject, (item.id for item in heart)),
        title=show(title),
        cause=Cause(cause, show(subject), show(detail)),
        differences=tuple(sorted((*heart, *rest), key=lambda item: item.id)),
        attribution=attribution,
        proof=proof,
        content=content_of(heart, rest),
    )


def content_of(heart: Iterable[Difference], following: Iterable[Difference]) -> str:
    """A digest of what the target has now at the heart of a mutation and in the directories that belong to it; without
    a heart, of all. Other things that follow (a package database, caches) say what else happened there."""
    chosen = list(heart)
    above = {item.key for item in chosen if item.kind == "file"}
    rest = [item for item in following if not is_gone(item)]  # who still runs old code, changes by itself
    chosen += [item for item in rest if not chosen or (item.kind == "file" and _beneath(item.key, above))]
    chosen.sort(key=lambda item: item.id)
    rows = [[item.kind, item.key, item.change.value, _actual(item)] for item in chosen]
    return hashlib.sha256(canonical(rows)).hexdigest()[:20]


def _beneath(path: str, directories: Collection[str]) -> bool:
    while directories and (path := path.rpartition("/")[0]):
        if path in directories:
            return True
    return False


def _actual(item: Difference) -> list[list[Value]]:
    return [[name, delta.actual] for name, delta in sorted(item.attributes.items())]
