"""Names that differ from boot to boot but share a shape: machine and instance ids, UUIDs, numbers, host names."""

import re

_TOKEN = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|(?<![0-9A-Za-z])i-[0-9a-f]{8,17}(?![0-9A-Za-z])"
    r"|(?<![0-9A-Za-z])[0-9a-f]{12,64}(?![0-9A-Za-z])"
    r"|[0-9]{3,}"
)
_STARS = re.compile(r"\*(?:[-_.:]?\*)*")


def shape(path: str, hostname: str = "") -> str | None:
    """The pattern of a path with each token that looks made per host (and the host's name) as `*`; None if there is
    none, if a component would be nothing but guesses joined, or if a name holds a `*` of its own."""
    if "*" in path or "?" in path:
        return None
    parts = [_component(part, hostname) for part in path.split("/")]
    pattern = "/".join(parts)
    return pattern if pattern != path and pattern.count("*") <= 4 else None


def _component(part: str, hostname: str) -> str:
    if len(hostname) >= 2:
        part = re.sub(rf"(?<![0-9A-Za-z]){re.escape(hostname)}(?![0-9A-Za-z])", "*", part)
    return _STARS.sub("*", _TOKEN.sub("*", part))
