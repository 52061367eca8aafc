"""A package operation: packages installed, removed, upgraded or downgraded together, with their files and all that
the operation generates. What lies in a package's paths but is not what it shipped is promoted, never folded."""

from collections.abc import Iterator

from driftscan.compare.evidence import Evidence
from driftscan.compare.fold import Fold
from driftscan.compare.folds._another import another_image
from driftscan.compare.folds._contents import Contents, follow
from driftscan.compare.folds._generated import generated
from driftscan.compare.folds._operations import Operation, Step, done_by, operations, steps
from driftscan.compare.folds._parts import and_more, moved
from driftscan.compare.pool import Pool
from driftscan.model.drift import CauseType, Mutation

_VERB = {
    CauseType.PACKAGE_INSTALLED: "installed",
    CauseType.PACKAGE_REMOVED: "removed",
    CauseType.PACKAGE_UPGRADED: "upgraded",
    CauseType.PACKAGE_DOWNGRADED: "downgraded",
}


def _apply(pool: Pool, evidence: Evidence) -> Iterator[Mutation]:
    another = list(another_image(pool, evidence))
    yield from another
    found = steps(pool.of("package"), evidence)
    done = operations(
        [step for step in found if step.cause is not CauseType.PACKAGE_STATE], evidence, at_once=bool(another)
    )
    for number, operation in enumerate(done):
        contents = follow(pool, operation, evidence)
        yield from _promoted(pool, contents)
        contents.items += generated(pool, evidence) if number == 0 else ()
        yield _mutation(pool, operation, contents)
    for step in found:
        if step.cause is CauseType.PACKAGE_STATE:
            title = f"package {step.key} changed: {'; '.join(moved(item) for item in step.differences)}"
            yield pool.fold(step.cause, step.key, title, step.differences)


def _promoted(pool: Pool, contents: Contents) -> Iterator[Mutation]:
    for item, package, against in contents.impostors:
        title = f"{item.key} is not what package {package} shipped"
        detail = f"in the paths of package {package} but does not match it: {against}"
        yield pool.fold(CauseType.BINARY_CHANGED, item.key, title, [item], detail=detail)


def _mutation(pool: Pool, operation: Operation, contents: Contents) -> Mutation:
    heart = [item for step in operation.chosen for item in step.differences]
    others = [item for step in operation.steps for item in step.differences if step not in operation.chosen]
    subject = ", ".join(step.key for step in operation.chosen)
    return pool.fold(
        operation.cause,
        subject,
        _title(operation),
        heart,
        [*others, *contents.items],
        detail=contents.proof.words,
        proof=contents.proof,
        attribution=done_by(operation.entry),
    )


def _title(operation: Operation) -> str:
    chosen = and_more([_fact(step) for step in operation.chosen])
    title = f"{chosen} {_VERB[operation.cause]}"
    rest = [step for step in operation.steps if step not in operation.chosen]
    if not rest:
        return title
    counts: dict[str, int] = {}
    for step in rest:
        verb = _VERB[step.cause]
        counts[verb] = counts.get(verb, 0) + 1
    told = ", ".join(f"{count} more {verb}" for verb, count in sorted(counts.items()))
    return f"{title} (with it {told})"


def _fact(step: Step) -> str:
    name = step.key.partition("/")[0]
    if step.old and step.new:
        return f"{name} {step.old} -> {step.new}"
    return f"{name} {step.new or step.old}".strip()


fold = Fold("package", 100, _apply)
