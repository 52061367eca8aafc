"""Words of a line as systemd reads them: quotes, and C's escapes (systemd.syntax(7), tmpfiles.d(5))."""

import re

_WORD = re.compile(r"""\s*((?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\\.|[^\s"'\\])+)(?=\s|$)""", re.DOTALL)
_PART = re.compile(r"""\\(x[0-9A-Fa-f]{2}|[0-7]{3}|.)|(["'])|(.)""", re.DOTALL)
_ESCAPES = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, "s": 32, "\\": 92, '"': 34, "'": 39}


def words(text: str, most: int = 1000) -> tuple[str, ...]:
    """The first words of a line, without quotes and with escapes resolved. None at all where a quote is left open or an
    escape is none: systemd passes over such lines."""
    found: list[str] = []
    place = 0
    while len(found) < most and text[place:].strip():
        match = _WORD.match(text, place)
        word = _plain(match[1]) if match else None
        if match is None or word is None:
            return ()
        found.append(word)
        place = match.end()
    return tuple(found)


def _plain(word: str) -> str | None:
    out = bytearray()
    quote = ""
    for escape, mark, char in _PART.findall(word):
        if escape:
            code = _code(escape)
            if code is None:
                return None
            out.append(code)
        elif mark and quote in {"", mark}:
            quote = "" if quote else mark
        else:
            out += (mark or char).encode("utf-8", "surrogateescape")
    return out.decode("utf-8", "surrogateescape")


def _code(escape: str) -> int | None:
    if len(escape) == 3:
        code = int(escape[1:], 16) if escape[0] == "x" else int(escape, 8)
        return code if 0 < code < 256 else None
    return _ESCAPES.get(escape)
