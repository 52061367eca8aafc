"""Amounts as people write them."""

import pytest

from driftscan.model.amount import bytes_of, seconds_of, words_of


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1),
        ("500k", 500_000),
        ("50M", 50_000_000),
        ("2 GB", 2 * 10**9),
        ("10 MiB", 10 * 2**20),
        ("4KiB", 4096),
        ("1TiB", 2**40),
        ("512 B", 512),
    ],
)
def test_bytes(text: str, number: int) -> None:
    assert bytes_of(text) == number


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5M", "50 Mb", "50  M", "50m", "50 MiB ", "\u0661"])
def test_no_bytes(text: str) -> None:
    with pytest.raises(ValueError, match="is no number of bytes"):
        bytes_of(text)


def test_lengths_of_time() -> None:
    assert [seconds_of(text) for text in ("90 days", "1 day", "12 hours", "2 weeks", "5 minutes", "0 days")] == [
        90 * 86400,
        86400,
        12 * 3600,
        14 * 86400,
        300,
        0,
    ]


@pytest.mark.parametrize("text", ["", "90", "90d", "3 months", "1 year", "-1 days", "1.5 hours"])
def test_no_lengths_of_time(text: str) -> None:
    with pytest.raises(ValueError, match="is no length of time"):
        seconds_of(text)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (7199, "120 minutes"),
        (7200, "2 hours"),
        (172_800, "2 days"),
        (13 * 86400, "13 days"),
        (14 * 86400, "2 weeks"),
    ],
)
def test_lengths_of_time_for_people(seconds: int, words: str) -> None:
    assert words_of(seconds) == words
