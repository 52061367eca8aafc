"""Making mutations: the stable fingerprint, and one order of what they hold."""

import hashlib
from collections.abc import Iterable

from driftscan.model.codec import canonical
from driftscan.model.drift import Attribution, Cause, CauseType, Difference, Mutation
from driftscan.model.names import show
from driftscan.model.resource import ResourceId


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
) -> Mutation:
    """A mutation of its heart and of what follows from it, the differences in order of kind and key. Subject and
    title may hold names that the host chose: they are made safe to show."""
    heart = tuple(primary)
    return Mutation(
        id=fingerprint(cause, subject, (item.id for item in heart)),
        title=show(title),
        cause=Cause(cause, show(subject), show(detail)),
        differences=tuple(sorted((*heart, *following), key=lambda item: item.id)),
        attribution=attribution,
    )
