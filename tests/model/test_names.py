"""Text that is safe to show."""

from driftscan.model.names import show

UNSAFE = [
    *range(0x20),
    *range(0x7F, 0xA0),
    0x61C,
    *range(0x200B, 0x2010),
    *range(0x2028, 0x202F),
    *range(0x2060, 0x206A),
    0xFEFF,
    *range(0xD800, 0xE000),
]


def test_no_character_that_could_mislead_is_shown() -> None:
    assert not [code for code in UNSAFE if chr(code) in show(f"a{chr(code)}b")]


def test_what_is_written_out_is_told_from_its_neighbours() -> None:
    assert show("a\x1b[1mb\u202ec\udc80d") == "a\\x1b[1mb\\u202ec\\x80d"
    assert show("wörter 漢字 /etc/passwd") == "wörter 漢字 /etc/passwd"
