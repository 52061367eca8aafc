"""Names against a shell's wildcards, as glob(7) has them, for patterns that a target's files hold.

Both sides are hostile: a `*` never tries again what it has taken (the leftmost match is enough), so that matching
is linear in the name for each star.
"""

import re

_TOKEN = re.compile(r"\*+|\?|\[[!^]?\]?[^]]*\]|.", re.DOTALL)
MAX_PATTERN = 4096


def compile_name(pattern: str) -> re.Pattern[str]:
    """The expression of a pattern for one path component, to be used with `fullmatch`. A pattern of more than
    MAX_PATTERN characters matches nothing."""
    if len(pattern) > MAX_PATTERN:
        return re.compile("(?!)")
    pieces = [""]
    for match in _TOKEN.finditer(pattern):
        if match[0][0] == "*":
            pieces.append("")
        else:
            pieces[-1] += _one(match[0])
    first, *rest = pieces
    middle = [f"(?>.*?{piece})" for piece in rest[:-1] if piece]
    last = f".*{rest[-1]}" if rest else ""
    hidden = "" if pattern.startswith(".") else r"(?!\.)"
    return re.compile(hidden + first + "".join(middle) + last, re.DOTALL)


def _one(token: str) -> str:
    """The expression for one character: `?`, a bracket, or the character itself."""
    if token == "?":
        return "."
    if len(token) == 1:
        return re.escape(token)
    negated = token[1] in "!^"
    inside = token[2 if negated else 1 : -1]
    ranges = _ranges(inside)
    if not ranges:
        return "." if negated else "(?!)"
    return f"[{'^' if negated else ''}{ranges}]"


def _ranges(inside: str) -> str:
    out: list[str] = []
    index = 0
    while index < len(inside):
        if inside[index + 1 : index + 2] == "-" and index + 2 < len(inside):
            low, high = inside[index], inside[index + 2]
            if low <= high:
                out.append(f"{re.escape(low)}-{re.escape(high)}")
            index += 3
        else:
            out.append(re.escape(inside[index]))
            index += 1
    return "".join(out)
