"""Hosts of one image with the same user data, at birth: what one of them alone has, nobody vouches for."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from driftscan.compare.lineage import mark
from driftscan.model.birth import Birth, BirthRecord, Ground
from driftscan.model.names import show
from driftscan.scan.continuity import name_of
from driftscan.scan.delivery import Delivery
from driftscan.zones.learned import OWN_KEYS

MOST_NAMED = 5
_UNDECLARED = frozenset({Ground.FIRST_BOOT, Ground.RUNNING})


def compared(deliveries: Sequence[Delivery], stored: Mapping[str, Mapping[str, Birth]]) -> tuple[Delivery, ...]:
    """The same with what siblings do not vouch for taken out, and a doubt for it. `stored`: births on record, by user
    data and host; of hosts that are among the deliveries the new one counts."""
    born = {name_of(each.target): each.birth for each in deliveries if each.birth is not None}
    return tuple(
        each
        if each.birth is None or not each.birth.user_data
        else _beside(each, each.birth, _others(each, born, stored))
        for each in deliveries
    )


def _others(delivery: Delivery, born: Mapping[str, Birth], stored: Mapping[str, Mapping[str, Birth]]) -> list[Birth]:
    """The siblings of a host; those in doubt are asked only where there are no others."""
    own = delivery.birth
    assert own is not None
    every = {**stored.get(own.user_data, {}), **born}
    every.pop(name_of(delivery.target), None)
    alike = [
        birth
        for _, birth in sorted(every.items())
        if (birth.manifest, birth.user_data) == (own.manifest, own.user_data)
    ]
    return [birth for birth in alike if not birth.doubts] or alike


def _beside(delivery: Delivery, own: Birth, others: Sequence[Birth]) -> Delivery:
    if not others:
        return delivery
    lines = [{record.id: record.line for record in birth.records} for birth in others]
    alone = [record for record in own.records if not _vouched(record, lines)]
    marks = Counter(each for birth in others for each in birth.undeclared)
    odd = [each.mutation.title for each in delivery.undeclared if not _most(marks[mark(each.mutation)], others)]
    told = [*(f"{record.kind} {record.key}" for record in alone), *odd, *_lacking(own, others)]
    if not told:
        return delivery
    more = f" and {len(told) - MOST_NAMED} more" if len(told) > MOST_NAMED else ""
    names = ", ".join(show(each) for each in told[:MOST_NAMED])
    count = f"{len(others)} sibling{'s' if len(others) > 1 else ''} with the same user data"
    doubt = f"it differs from {count}: {names}{more}"
    kept = tuple(record for record in own.records if record not in alone)
    return replace(delivery, birth=replace(own, records=kept, doubts=(*own.doubts, doubt)))


def _most(having: int, others: Sequence[object]) -> bool:
    """Whether a host that has something has it with most of its kind, itself counted."""
    return 2 * (having + 1) > len(others) + 1


def _vouched(record: BirthRecord, lines: "Sequence[Mapping[tuple[str, str], bytes | None]]") -> bool:
    """Whether most siblings have what nothing but the first boot of this host speaks for. A file must not stand alone
    against some that agree, either: where each has its own, that is how first boot makes it."""
    if record.ground not in _UNDECLARED or record.kind in OWN_KEYS:
        return True
    values = Counter(each[record.id] for each in lines if record.id in each)
    if not _most(values.total(), lines):
        return False
    return (
        record.ground is Ground.RUNNING or values[record.line] > 0 or (values.total() > 1 and max(values.values()) == 1)
    )


def _lacking(own: Birth, others: Sequence[Birth]) -> list[str]:
    """What first boot made on most siblings, and not here."""
    mine = {record.id for record in own.records}
    made = Counter(
        record.id
        for birth in others
        for record in birth.records
        if record.ground in _UNDECLARED and record.kind not in OWN_KEYS
    )
    return [
        f"no {kind} {key}"
        for (kind, key), count in sorted(made.items())
        if 2 * count > len(others) and (kind, key) not in mine
    ]
