"""Globs of walk rules as regular expressions, for targets too: Python 3.6 to 3.14, no import of driftscan
(`model.patterns` matches zones here).

`*`, `?`, `[...]` stay within a path component; a component `**` matches any depth, also none.

`/var/log/**` matches everything below `/var/log`, not the directory itself.
"""

import re

_WILD = re.compile(r"[*?\[]")


def literal_prefix(glob: str) -> str:
    """The text before the first wildcard: the measure of how specific a glob is."""
    match = _WILD.search(glob)
    return glob[: match.start()] if match else glob


def to_regex(glob: str) -> str:
    """A regular expression (for fullmatch, DOTALL) that says the same; safe for any text, linear to match."""
    parts = glob.split("/")
    out: list[str] = []
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if part == "**":
            out.append(".+" if last else "(?:.+/)?")
        else:
            out.append(_component(part) + ("" if last else "/"))
    return "".join(out)


def _component(part: str) -> str:
    out: list[str] = []
    index = 0
    while index < len(part):
        char = part[index]
        end = part.find("]", index + 2) if char == "[" else -1
        if char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif end > 0:
            inside = part[index + 1 : end]
            negated = inside[0] in "!^"
            body = (inside[1:] if negated else inside).replace("\\", "\\\\").replace("[", "\\[").replace("^", "\\^")
            out.append(f"[^/{body}]" if negated else f"[{body}]")
            index = end
        else:
            out.append(re.escape(char))
        index += 1
    return "".join(out)
