"""File names are bytes; keys are text. The one home of the translation, and of making text safe to show.

A name that is valid UTF-8 stands verbatim with each backslash doubled; every byte that is not part of
valid UTF-8 is written `\\xNN`. The mapping is one to one, so two different names never share a key.
"""

import re

from driftscan.model.columns import encode_name

__all__ = ["decode_name", "encode_name", "encode_text", "show", "spellings"]

_MERGED = ("/bin/", "/sbin/", "/lib/", "/lib32/", "/lib64/", "/libx32/")
"""Directories that a merged /usr makes links: package databases still name files through them."""
_ESCAPE = re.compile(r"\\(?:\\|x([0-9a-f]{2}))")
_BYTE = re.compile(r"\\x[0-9a-f]{2}")
# Controls (C0, DEL, C1), line and paragraph separators, bidirectional overrides, zero-width and BOM:
# what a terminal or a reader's eye could be misled by.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def decode_name(key: str) -> bytes:
    """The bytes of a key made by `encode_name`."""
    if "\\" not in key:
        return key.encode()
    out: list[bytes] = []
    end = 0
    for match in _ESCAPE.finditer(key):
        out.append(key[end : match.start()].encode())
        out.append(bytes([int(match[1], 16)]) if match[1] else b"\\")
        end = match.end()
    out.append(key[end:].encode())
    return b"".join(out)


def encode_text(text: str) -> str:
    """A value, read as UTF-8 with surrogates for invalid bytes, as text that UTF-8 can hold.

    It stands verbatim, backslashes too, unless it holds invalid bytes or what looks like the escape of one;
    then it is written as `encode_name` writes a name. So two different values never become one.
    """
    if text.isascii() and "\\x" not in text:
        return text
    raw = text.encode("utf-8", "surrogateescape")
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return encode_name(raw)
    return encode_name(raw) if _BYTE.search(text) else text


def show(text: str) -> str:
    """Text that is safe on a terminal and on one line: unsafe characters become `\\xNN` or `\\uNNNN`. In a key, `\\xNN`
    from 80 on is a byte that was not UTF-8, so characters are written so only below: no two keys look the same."""
    return text if text.isprintable() else _UNSAFE.sub(_written, text)  # no unsafe character is printable


def _written(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was not UTF-8, by Python's surrogateescape
        code -= 0xDC00
        return f"\\x{code:02x}"
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}"


def spellings(path: str) -> tuple[str, ...]:
    """A path as a package database may write it: on a merged /usr, `/usr/bin/x` also as `/bin/x`."""
    if path.startswith("/usr/") and path[4:].startswith(_MERGED):
        return path, path[4:]
    if path.startswith(_MERGED):
        return path, "/usr" + path
    return (path,)
