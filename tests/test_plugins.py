"""Plugins of other distributions are found, and whoever has none does not pay for looking."""

import sys
from pathlib import Path

import pytest

from driftscan import plugins
from driftscan.errors import UsageError
from driftscan.reports._base import Report

POINTS = "[driftscan.reports]\nextra = extra_report:report\n"
MODULE = """\
from driftscan.reports._base import Report
report = Report(name="{name}", doc="", render=lambda result, style: ())
"""


def installed(folder: Path, name: str = "extra") -> None:
    (folder / "extra_report.py").write_text(MODULE.format(name=name))
    (folder / "extra-1.dist-info").mkdir()
    (folder / "extra-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: extra\nVersion: 1\n")
    (folder / "extra-1.dist-info" / "entry_points.txt").write_text(POINTS)


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "extra_report", raising=False)


def test_a_plugin_of_another_distribution_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "extra" in plugins.discover("driftscan.reports", "report", Report)


def test_two_plugins_of_one_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, "json")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UsageError, match="two plugins are called 'json'"):
        plugins.discover("driftscan.reports", "report", Report)


def test_without_plugins_nobody_asks_for_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other-1.dist-info").mkdir()
    (tmp_path / "other-1.dist-info" / "entry_points.txt").write_text("[console_scripts]\ndriftscan = driftscan.cli\n")
    monkeypatch.setattr("importlib.metadata.entry_points", None)
    assert not plugins._anybody_has_plugins((str(tmp_path), str(tmp_path / "none")))


@pytest.mark.parametrize("name", ["site.zip", "thing.egg"])
def test_where_distributions_are_packed_they_are_asked_for(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"PK")
    assert plugins._anybody_has_plugins((str(tmp_path / name if name.endswith("zip") else tmp_path),))


def test_finders_of_others_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    class Finder:
        find_distributions = None

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder()])
    assert plugins._anybody_has_plugins(("", "somewhere"))
