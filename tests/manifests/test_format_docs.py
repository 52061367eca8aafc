"""The examples in docs/formats/ are what the code reads and writes."""

import re
from pathlib import Path

import pytest

from driftscan import inventory
from driftscan.inventory import ec2, yaml_file
from driftscan.manifests import files

DOCS = Path(__file__).parents[2] / "docs" / "formats"


def blocks(page: str, language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)
    return [text for name, text in found if name == language]


@pytest.mark.parametrize("name", ["manifest", "snapshot"])
def test_the_example_is_read_and_written_alike(name: str, tmp_path: Path) -> None:
    (example,) = blocks(f"{name}.md", "json")
    (tmp_path / "read").write_text(example)
    if name == "manifest":
        files.write_manifest(files.read_manifest(tmp_path / "read"), tmp_path / "written")
    else:
        files.write_snapshot(files.read_snapshot(tmp_path / "read"), tmp_path / "written")
    assert (tmp_path / "written").read_text() == example
    files.verify(tmp_path / "read")


def test_the_inventory_examples_are_read(tmp_path: Path) -> None:
    (example,) = blocks("inventory.md", "yaml")
    (tmp_path / "fleet.yaml").write_text(example)
    assert [host.name for host in inventory.load(str(tmp_path / "fleet.yaml"))] == ["web-1", "web-2"]
    (listed, _) = blocks("inventory.md", "")
    (tmp_path / "hosts").write_text(listed)
    assert [host.name for host in inventory.load(str(tmp_path / "hosts"))] == [
        "web-1.example.org",
        "web-2.example.org:2222",
        "2001:db8::14",
    ]


def test_every_key_is_in_the_table() -> None:
    page = (DOCS / "inventory.md").read_text()
    parts = yaml_file.schema()["properties"]
    keys = {
        *parts["defaults"]["properties"],
        *parts["groups"]["additionalProperties"]["properties"],
        *parts["hosts"]["additionalProperties"]["properties"],
    }
    assert keys == set(
        re.findall(r"^\| `(\w+)`(?: \((?:hosts|groups) only\))? \|", page.partition("## The plain")[0], re.MULTILINE)
    )
    (table,) = re.findall(r"## EC2\n.*?(\n\|.*?)\n\n", page, re.DOTALL)
    assert set(re.findall(r"^\| `(.+?)` \|", table, re.MULTILINE)) == set(ec2._KEYS)
