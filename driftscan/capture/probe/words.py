"""Words of the probe's protocol: bytes that are not plain as `\\0ooo`, which printf's %b reads; empty is `-`."""

import re

_PLAIN = re.compile(rb"[^A-Za-z0-9._/@:+,*?\[\]{}()^$|<>!~%=-]")
_ESCAPE = re.compile(rb"\\0([0-7]{3})")


def escape(data: bytes) -> bytes:
    """Bytes as one word."""
    if data == b"-":
        return b"\\0055"
    return _PLAIN.sub(lambda match: b"\\0%03o" % match[0][0], data) or b"-"


def unescape(word: bytes) -> bytes:
    """The bytes of a word."""
    if b"\\" not in word:
        return b"" if word == b"-" else word
    return _ESCAPE.sub(lambda match: bytes([int(match[1], 8) & 0xFF]), word)
