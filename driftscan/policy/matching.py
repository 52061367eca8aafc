"""Whether a drift rule's `match` fits a mutation."""

from collections.abc import Iterable, Mapping

from driftscan.model.drift import Delta, Difference, Mutation
from driftscan.model.patterns import compile_key_glob, is_literal
from driftscan.model.resource import Value
from driftscan.policy.conditions import Condition, Row
from driftscan.policy.model import Context, Match


def matches(match: Match, mutation: Mutation, context: Context) -> bool:
    """Of the mutation everything fits, and at least one difference fits in all that is said of differences."""
    if not _outer(match, mutation, context):
        return False
    if match.about_differences and not any(_difference(match, each) for each in mutation.differences):
        return False
    return match.unless is None or not matches(match.unless, mutation, context)


def allows(match: Match, mutation: Mutation, context: Context, *, exactly: bool) -> bool:
    """Of the mutation everything fits, and so does every difference: what an allow rule does not speak of is not
    allowed with the rest. `exactly` (for what would be quarantine): only by a subject or keys without wildcard."""
    if not matches(match, mutation, context):
        return False
    if exactly and not any(texts and all(map(is_literal, texts)) for texts in (match.subject, match.key)):
        return False
    return not match.about_differences or all(_difference(match, each) for each in mutation.differences)


def _outer(match: Match, mutation: Mutation, context: Context) -> bool:
    attribution = mutation.attribution
    return (
        (not match.cause or mutation.cause.type in match.cause)
        and (not match.grade or attribution.grade in match.grade)
        and (not match.proof or (mutation.proof is not None and mutation.proof.rank in match.proof))
        and (not match.subject or _like(match.subject, mutation.cause.subject))
        and (not match.detail or _like(match.detail, mutation.cause.detail))
        and (not match.actor or _like(match.actor, attribution.actor))
        and (not match.command or _like(match.command, attribution.command))
        and (not match.within or any(window.holds(attribution.at or "") for window in context.windows))
        and (not match.baseline or match.baseline == _baseline(context))
    )


def _baseline(context: Context) -> str:
    stand_in = context.manifest is not None and context.manifest.provenance.stand_in
    return "stand-in" if stand_in else "image"


def _difference(match: Match, difference: Difference) -> bool:
    return (
        (not match.kind or difference.kind in match.kind)
        and (not match.change or difference.change in match.change)
        and (not match.zone or difference.zone in match.zone)
        and (not match.attribute or not match.attribute.isdisjoint(difference.attributes))
        and (not match.key or _like(match.key, difference.key, difference.kind))
        and _values(match.expected, difference, {name: delta.expected for name, delta in _deltas(difference)})
        and _values(match.actual, difference, {name: delta.actual for name, delta in _deltas(difference)})
    )


def _deltas(difference: Difference) -> Iterable[tuple[str, Delta]]:
    return difference.attributes.items()


def _values(conditions: Iterable[tuple[str, Condition]], difference: Difference, values: Mapping[str, Value]) -> bool:
    """A column that did not change is not judged: the difference does not tell it."""
    row = Row(difference.key, values, kind=difference.kind)
    return all(name in values and condition.test(values[name], row) is True for name, condition in conditions)


def _like(globs: Iterable[str], text: str | None, kind: str = "") -> bool:
    return text is not None and any(compile_key_glob(kind, glob).fullmatch(text) for glob in globs)
