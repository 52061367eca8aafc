"""Patch windows: days, midnight, zones and the hours that clocks skip or repeat; which hosts they are for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftscan import policy
from driftscan.model.drift import Attribution, Grade, Mutation
from driftscan.model.finding import Action
from driftscan.policy.model import Context
from driftscan.policy.window import Window
from tests.policy.support import KINDS, loaded, mutation, written

EVERY_DAY = frozenset(range(7))
TUESDAY = "2026-11-24"


def _holds(directory: Path, window: str, at: str) -> bool:
    (found,) = loaded(directory, f"patch_window: {window}\n")
    return any(each.holds(at) for each in found.windows)


@pytest.mark.parametrize(
    ("window", "at", "expected"),
    [
        ('{from: "02:00", to: "06:00"}', f"{TUESDAY}T02:00:00Z", True),
        ('{from: "02:00", to: "06:00"}', f"{TUESDAY}T05:59:59Z", True),
        ('{from: "02:00", to: "06:00"}', f"{TUESDAY}T06:00:00Z", False),
        ('{from: "02:00", to: "06:00"}', f"{TUESDAY}T01:59:59Z", False),
        ('{days: [tue], from: "02:00", to: "06:00"}', f"{TUESDAY}T03:00:00Z", True),
        ('{days: [mon, wed], from: "02:00", to: "06:00"}', f"{TUESDAY}T03:00:00Z", False),
        ('[{days: [mon], from: "02:00", to: "06:00"}, {from: "12:00", to: "13:00"}]', f"{TUESDAY}T12:30:00Z", True),
        ('{from: "00:00", to: "24:00"}', f"{TUESDAY}T23:59:59Z", True),
        # across midnight: its day is the one on which it begins
        ('{days: [tue], from: "22:00", to: "02:00"}', f"{TUESDAY}T23:00:00Z", True),
        ('{days: [tue], from: "22:00", to: "02:00"}', "2026-11-25T01:59:00Z", True),
        ('{days: [tue], from: "22:00", to: "02:00"}', "2026-11-25T02:00:00Z", False),
        ('{days: [tue], from: "22:00", to: "02:00"}', f"{TUESDAY}T01:00:00Z", False),
        ('{days: [tue], from: "22:00", to: "02:00"}', "2026-11-25T23:00:00Z", False),
        ('{days: [sun], from: "22:00", to: "02:00"}', "2026-11-23T01:00:00Z", True),
        ('{days: [tue], from: "22:00", to: "00:00"}', f"{TUESDAY}T23:59:00Z", True),
        ('{days: [tue], from: "22:00", to: "00:00"}', "2026-11-25T00:00:00Z", False),
        # a zone's own day and hour
        ('{days: [tue], from: "00:00", to: "01:00", timezone: Europe/Berlin}', "2026-11-23T23:30:00Z", True),
        ('{days: [tue], from: "00:00", to: "01:00", timezone: Europe/Berlin}', f"{TUESDAY}T00:30:00Z", False),
        ('{from: "03:00", to: "04:00", timezone: Europe/Berlin}', "2026-07-07T01:30:00Z", True),
        ('{from: "03:00", to: "04:00", timezone: Europe/Berlin}', "2026-12-08T01:30:00Z", False),
        ('{from: "03:00", to: "04:00", timezone: Asia/Kolkata}', "2026-12-08T21:30:00Z", True),
        # clocks go forward at 02:00 on 2026-03-29 and back at 03:00 on 2026-10-25
        ('{from: "02:00", to: "03:00", timezone: Europe/Berlin}', "2026-03-29T00:59:59Z", False),
        ('{from: "02:00", to: "03:00", timezone: Europe/Berlin}', "2026-03-29T01:00:00Z", False),
        ('{from: "02:00", to: "03:00", timezone: Europe/Berlin}', "2026-10-25T00:30:00Z", True),
        ('{from: "02:00", to: "03:00", timezone: Europe/Berlin}', "2026-10-25T01:30:00Z", True),
        ('{from: "02:00", to: "03:00", timezone: Europe/Berlin}', "2026-10-25T02:00:00Z", False),
        # what no log can have meant
        ('{from: "00:00", to: "24:00"}', "", False),
        ('{from: "00:00", to: "24:00"}', "yesterday", False),
        ('{from: "00:00", to: "24:00", timezone: Asia/Tokyo}', "9999-12-31T23:59:59Z", False),
    ],
)
def test_window(tmp_path: Path, window: str, at: str, expected: bool) -> None:
    assert _holds(tmp_path, window, at) is expected


@given(st.integers(0, 1439), st.integers(1, 1439), st.integers(0, 10_079))
def test_a_window_and_the_rest_of_the_day_share_no_minute(begin: int, length: int, minute: int) -> None:
    end = (begin + length) % 1440
    known = Window(EVERY_DAY, begin, end, ZoneInfo("UTC"))
    rest = Window(EVERY_DAY, end, begin, ZoneInfo("UTC"))
    at = (datetime(2026, 11, 23, tzinfo=UTC) + timedelta(minutes=minute)).isoformat()
    assert known.holds(at) is not rest.holds(at)


PATCHED = replace(
    mutation("package-upgraded"),
    attribution=Attribution(
        Grade.RECORDED, "unattended-upgrades", "/usr/bin/unattended-upgrade", f"{TUESDAY}T03:00:00Z"
    ),
)
CONTRADICTED = replace(PATCHED, attribution=replace(PATCHED.attribution, grade=Grade.CONTRADICTED))
BY_HAND = replace(PATCHED, attribution=replace(PATCHED.attribution, actor="alice"))
WINDOW = 'policy: ours/window\nversion: 1\ntitle: W\npatch_window: {from: "02:00", to: "06:00"}\n'
FOR_WEB = WINDOW + "applies_to: {role: web}\n"
FOR_DEBIAN = WINDOW + "applies_to: {os: debian}\n"
EXTENDING = WINDOW + "extends: [immutable-core]\n"


@pytest.mark.parametrize(
    ("own", "found", "context", "expected"),
    [
        ("", PATCHED, Context(), Action.REPLACE),
        (WINDOW, PATCHED, Context(), Action.ROTATE),
        (WINDOW, BY_HAND, Context(), Action.REPLACE),
        (WINDOW, CONTRADICTED, Context(), Action.REPLACE),
        (WINDOW, replace(PATCHED, attribution=replace(PATCHED.attribution, at=None)), Context(), Action.REPLACE),
        (WINDOW.replace("02:00", "04:00"), PATCHED, Context(), Action.REPLACE),
        (FOR_WEB, PATCHED, Context(labels={"role": "web"}), Action.ROTATE),
        (FOR_WEB, PATCHED, Context(labels={"role": "db"}), Action.REPLACE),
        (FOR_DEBIAN, PATCHED, Context(os={"platform": "debian"}), Action.ROTATE),
        (FOR_DEBIAN, PATCHED, Context(), Action.REPLACE),  # which system it is could not be told
        (EXTENDING, PATCHED, Context(), Action.ROTATE),
    ],
)  # fmt: skip
def test_patches_are_rotated_by_hand_is_replaced(
    tmp_path: Path, own: str, found: Mutation, context: Context, expected: Action
) -> None:
    names = ["immutable-core", *([written(tmp_path, own)] if own else [])]
    assert policy.judge_mutations(policy.load(names, KINDS), [found], context)[0].action is expected
