"""Whether a rule is for a host."""

from collections.abc import Iterable

from driftscan.model.patterns import compile_key_glob
from driftscan.policy.model import Applies, Context
from driftscan.policy.truth import Truth, every


def applies(parts: Iterable[Applies], context: Context) -> Truth:
    """Whether each `applies_to` (the policy's, then the rule's) fits the host; None where that depends on its
    system, which is not known."""
    return every(_one(part, context) for part in parts)


def _one(part: Applies, context: Context) -> Truth:
    image = (context.image.id, context.image.version)
    return every(
        (
            _system(part.os, context),
            not part.role or _like(part.role, (context.labels.get("role", ""),)),
            not part.image or _like(part.image, filter(None, image)),
            all(_like(globs, (context.labels.get(name, ""),)) for name, globs in part.label.items()),
        )
    )


def _system(wanted: tuple[str, ...], context: Context) -> Truth:
    """`debian` is the system or what it says it is like (ID, ID_LIKE of os-release(5)); `debian/12` is the system
    and its version."""
    if not wanted:
        return True
    if context.os is None:
        return None
    name, version, like = (str(context.os.get(column) or "") for column in ("platform", "version_id", "platform_like"))
    names = [name, *like.split(), f"{name}/{version}"]
    return _like(wanted, names)


def _like(globs: Iterable[str], texts: Iterable[str]) -> bool:
    patterns = [compile_key_glob("", glob) for glob in globs]
    return any(pattern.fullmatch(text) for text in texts for pattern in patterns)
