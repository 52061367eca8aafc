"""The order of package versions: against dpkg itself, and against rpm's documented cases."""

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftscan.model.versions import compare_apk, compare_dpkg, compare_npm, compare_pep440, compare_rpm, rpmvercmp

# Recorded with `dpkg --compare-versions` of dpkg 1.21 on Debian 12.
DPKG = [
    ("1.0", "1.0", 0),
    ("1.0-1", "1.0-2", -1),
    ("1.0", "1.0-0", 0),
    ("1:1.0", "2.0", 1),
    ("0:1.0", "1.0", 0),
    ("1.0~rc1", "1.0", -1),
    ("1.0~~", "1.0~", -1),
    ("1.0~~a", "1.0~", -1),
    ("1.0+b1", "1.0", 1),
    ("1.0a", "1.0+", -1),
    ("1.0.0", "1.0", 1),
    ("1.09", "1.9", 0),
    ("1.10", "1.9", 1),
    ("2.36-9+deb12u13", "2.36-9+deb12u9", 1),
    ("1.22.1-9+deb12u9", "1.22.1-9", 1),
    ("10.2-1-1", "10.2-1", 1),
    ("1.2.3-4~bpo12+1", "1.2.3-4", -1),
    ("9999999999999999999999", "9999999999999999999998", 1),
]


@pytest.mark.parametrize(("left", "right", "order"), DPKG)
def test_recorded_orders_of_dpkg(left: str, right: str, order: int) -> None:
    assert (compare_dpkg(left, right), compare_dpkg(right, left)) == (order, -order)


NUMBER = st.integers(0, 20).map(str)
PIECE = st.text("0129aZ.+~", max_size=5)
UPSTREAM = st.tuples(NUMBER, PIECE).map("".join)
VERSION = st.tuples(
    st.sampled_from(["", "0:", "1:"]),
    UPSTREAM,
    st.one_of(st.just(""), st.text("019ab.+~", min_size=1, max_size=4).map("-{}".format)),
).map("".join)


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="needs dpkg to compare with")
@settings(max_examples=60)
@given(VERSION, VERSION)
def test_as_dpkg_itself_orders(left: str, right: str) -> None:
    word = {-1: "lt", 0: "eq", 1: "gt"}[compare_dpkg(left, right)]
    assert subprocess.run(["dpkg", "--compare-versions", left, word, right], check=False).returncode == 0


# The rules of rpm-version(7), each with an example.
RPM = [
    ("1.0", "1.0", 0),
    ("1.0", "2.0", -1),
    ("2.0", "2.0.1", -1),
    ("2.0.1a", "2.0.1", 1),
    ("5.5p1", "5.5p10", -1),
    ("10xyz", "10.1xyz", -1),
    ("xyz.4", "8", -1),
    ("5.5p2", "5.6p1", -1),
    ("6.0.rc1", "6.0", 1),
    ("10b2", "10a1", 1),
    ("10.0001", "10.0039", -1),
    ("10.0001", "10.1", 0),
    ("2_0", "2.0", 0),
    ("a+", "a_", 0),
    ("1.0~rc1", "1.0", -1),
    ("1.0~rc1~git123", "1.0~rc1", -1),
    ("1.0^", "1.0", 1),
    ("1.0^git1", "1.0^git2", -1),
    ("1.0^git1", "1.01", -1),
    ("1.0^20160101", "1.0.1", -1),
    ("1.0^20160101^git1", "1.0^20160101", 1),
    ("1.0~rc1^git1", "1.0~rc1", 1),
    ("1.0^git1~pre", "1.0^git1", -1),
    ("", "1", -1),
]


@pytest.mark.parametrize(("left", "right", "order"), RPM)
def test_order_of_rpm(left: str, right: str, order: int) -> None:
    assert (rpmvercmp(left, right), rpmvercmp(right, left)) == (order, -order)


def test_epoch_and_release_of_rpm() -> None:
    assert compare_rpm("1:1.0-1.el9", "2.0-1.el9") == 1
    assert compare_rpm("2.0-10.el9", "2.0-9.el9") == 1
    assert compare_rpm("2.0-1.el9_4", "2.0-1.el9") == 1


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_any_text_has_a_place_in_one_order(a: str, b: str, c: str) -> None:
    for compare in (compare_dpkg, compare_rpm):
        assert compare(a, a) == 0
        assert compare(a, b) == -compare(b, a)
        if compare(a, b) <= 0 and compare(b, c) <= 0:
            assert compare(a, c) <= 0


def test_endless_numbers_are_no_burden() -> None:
    assert compare_dpkg("1" * 1_000_000, "1" * 1_000_000) == 0
    assert compare_rpm("1" * 1_000_000, "2" * 1_000_000) == -1


@pytest.mark.parametrize(
    ("left", "right", "order"),
    [
        ("1.2.3-r1", "1.2.3-r10", -1),
        ("1.2.3", "1.2.3-r0", -1),
        ("1.2.10", "1.2.9", 1),
        ("1.2", "1.2.0", -1),
        ("1.1.05", "1.1.1", -1),
        ("1.0a", "1.0", 1),
        ("1.0b", "1.0.1", -1),
        ("1.0_alpha1", "1.0_beta1", -1),
        ("1.0_rc2", "1.0", -1),
        ("1.0_rc1_p2", "1.0_rc1", 1),
        ("1.0_p1", "1.0", 1),
        ("1.0_p10-r0", "1.0_p9-r5", 1),
        ("1.0_git20240101", "1.0_git20240102", -1),
        ("20240101", "3", 1),
        ("1.0~1234", "1.0~2345", -1),
        ("1.0~1234-r1", "1.0~2345-r0", -1),
        ("1.0~1234-r1", "1.0~1234-r0", 1),
        ("1.0-r2", "1.0~1234-r1", -1),
        ("bad", "1", None),
        ("1.0-1", "1", None),
    ],
)
def test_order_of_apk(left: str, right: str, order: int | None) -> None:
    assert (compare_apk(left, right), compare_apk(right, left)) == (order, None if order is None else -order)


# Each is before the next: PEP 440, "Summary of permitted suffixes and relative ordering", and its normal forms.
PEP440 = ["1.dev0", "1.0.dev456", "1.0a1", "1.0a2.dev456", "1.0a12.dev456", "1.0a12", "1.0b1.dev456", "1.0b2"]
PEP440 += ["1.0b2.post345.dev456", "1.0b2.post345", "1.0rc1.dev456", "1.0rc1", "1.0", "1.0+abc.5", "1.0+abc.7", "1.0+5"]
PEP440 += ["1.0.post456.dev34", "1.0.post456", "1.0.15", "1.1.dev1", "1!0.1"]


def test_order_of_python() -> None:
    for index, left in enumerate(PEP440):
        for place, right in enumerate(PEP440):
            assert compare_pep440(left, right) == (index > place) - (index < place)
    for same, other in (("1.0", "v1"), ("1.0RC1", "1.0-c.1"), ("1.0-1", "1.0.post1"), ("1+a_b", "1+A.b")):
        assert compare_pep440(same, other) == 0
    assert compare_pep440("1.0", "1.0-foo") is None


# Semantic Versioning 2.0.0, section 11.
SEMVER = [
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
]
SEMVER += ["1.0.0", "1.2.0", "1.10.0", "2.0.0"]


def test_order_of_npm() -> None:
    for index, left in enumerate(SEMVER):
        for place, right in enumerate(SEMVER):
            assert compare_npm(left, right) == (index > place) - (index < place)
    assert compare_npm("1.0.0+build.1", "1.0.0") == 0
    assert compare_npm("1.0", "1.0.0") is None


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_text_breaks_an_order(a: str, b: str) -> None:
    for compare in (compare_apk, compare_pep440, compare_npm):
        found, turned = compare(a, b), compare(b, a)
        assert turned == (None if found is None else -found)
