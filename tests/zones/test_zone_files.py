"""Zone files: what they say, and what a mistake in one is told."""

import re
from pathlib import Path

import pytest

from driftscan.errors import UsageError
from driftscan.model.zone import Provenance, ZoneClass
from driftscan.zones import before_walk, in_force, load, load_pack, packs, walk_rules
from tests.compare.building import file, resources, thing


def write(folder: Path, text: str) -> Path:
    path = folder / "zones.yaml"
    path.write_text(text)
    return path


def test_a_file_by_hand(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
zones:
  - pattern: /srv/data/**
    zone: external
    reason: The data volume.
  - patterns: ["service:backup.timer", /opt/app/state]
    zone: free
    attributes: [active_state]
    may_appear: true
    reason: It
      runs.
""",
    )
    external, timer, state = load(path)
    assert (external.pattern, external.zone, external.reason) == (
        "/srv/data/**",
        ZoneClass.EXTERNAL,
        "The data volume.",
    )
    assert (external.kind, external.may_appear, external.provenance) == ("file", None, Provenance.HAND)
    assert (timer.kind, timer.glob, timer.attributes, timer.may_appear) == (
        "service", "backup.timer", ("active_state",), True,
    )  # fmt: skip
    assert (state.glob, state.reason) == ("/opt/app/state", "It runs.")
    assert external.origin == f"{path}:3"


MISTAKES = [
    ("zones:\n  - {pattern: /a, zone: free}\n", ":2:5: "),
    ("zones:\n  - {pattern: /a, zone: fre, reason: x}\n", ":2:25: 'fre' is not known here; did you mean 'free'"),
    ("zones:\n  - {patern: /a, zone: free, reason: x}\n", "did you mean 'pattern'"),
    ("zones:\n  - {pattern: /a, patterns: [/b], zone: free, reason: x}\n", "either pattern or patterns"),
    ("zones:\n  - {pattern: /a, zone: free, reason: ' '}\n", ":2:"),
    ("zones:\n  - {pattern: a/b, zone: free, reason: x}\n", ":2:15: 'a/b' is no pattern"),
    ("zones:\n  - {pattern: service, zone: free, reason: x}\n", "is no pattern"),
    ("zones:\n  - {pattern: /a//b, zone: free, reason: x}\n", "empty components"),
    ("zones:\n  - {pattern: /a/../b, zone: free, reason: x}\n", "'..' never stand in a key"),
    ("zones:\n  - {pattern: /a/b**, zone: free, reason: x}\n", "component of its own"),
    ("zones:\n  - {pattern: /*a*b*c*d*e*f*, zone: free, reason: x}\n", "wildcards"),
    ("zones:\n  - {pattern: /a, zone: identity, executables: true, reason: x}\n", "free zone alone"),
    (
        "zones:\n  - {pattern: /a, zone: free, reason: x}\n  - {pattern: /a, zone: secret, reason: x}\n",
        ":3:15: this rule and that of line 2 disagree about '/a'",
    ),
    ("zones:\n  - {pattern: /a, zone: free, reason: x, when: {os: debian}}\n", "no image to decide it"),
    ("zones:\n  - {pattern: /a, zone: free, reason: x, when: {}}\n", ":2:"),
    ("- x\n", ":1:1: "),
    ("", "is empty"),
]


@pytest.mark.parametrize(("text", "told"), MISTAKES, ids=[told for _, told in MISTAKES])
def test_mistakes_are_told_with_their_place(tmp_path: Path, text: str, told: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        load(path)
    assert str(path) in caught.value.message
    assert told in caught.value.message


def test_the_same_rule_twice_is_no_contradiction(tmp_path: Path) -> None:
    path = write(tmp_path, "zones:\n" + "  - {pattern: /a, zone: free, reason: x}\n" * 2)
    assert [zone.pattern for zone in load(path)] == ["/a", "/a"]


CONDITIONS = """
when: {os: [debian]}
zones:
  - {pattern: /always, zone: free, reason: x}
  - {pattern: /with-cron, zone: free, reason: x, when: {package: [cron, cronie]}}
  - {pattern: /with-file, zone: free, reason: x, when: {path: /usr/bin/x}}
  - {pattern: /with-both, zone: free, reason: x, when: {package: cron, path: /usr/bin/y}}
"""


def test_conditions_are_decided_by_the_image(tmp_path: Path) -> None:
    pack = load_pack(write(tmp_path, CONDITIONS))
    ubuntu = thing("os_version", "-", platform="ubuntu", platform_like="debian")
    image = [thing("package", "cron/amd64"), file("/usr/bin/x")]
    assert [zone.pattern for zone in in_force([pack], resources([ubuntu, *image]))] == [
        "/always", "/with-cron", "/with-file",
    ]  # fmt: skip
    assert in_force([pack], resources(image)) == ()
    assert [zone.pattern for zone in in_force([pack], resources([ubuntu]))] == ["/always"]
    assert {zone.provenance for zone in in_force([pack], resources([ubuntu]))} == {Provenance.PACK}


def test_what_is_secret_is_not_read_for_want_of_knowledge(tmp_path: Path) -> None:
    text = """
when: {path: /usr/lib/systemd/systemd}
zones:
  - {pattern: /key, zone: secret, reason: x}
  - {pattern: /state, zone: free, reason: x}
  - {pattern: /other, zone: secret, reason: x, when: {package: other}}
"""
    pack = load_pack(write(tmp_path, text))
    assert [zone.pattern for zone in before_walk([pack], resources([]))] == ["/key"]
    assert in_force([pack], resources([])) == ()
    [systemd] = [rule for rule in walk_rules(before_walk(packs(), resources([]))) if "credential" in rule.pattern]
    assert systemd.action == "stat"


def test_conditions_of_a_file_by_hand(tmp_path: Path) -> None:
    path = write(tmp_path, CONDITIONS)
    debian = resources([thing("os_version", "-", platform="debian"), file("/usr/bin/x")])
    assert [zone.pattern for zone in load(path, debian)] == ["/always", "/with-file"]


def test_examples_of_the_documentation_load(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/formats/zones.md").read_text()
    examples = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    image = resources([thing("os_version", "-", platform="debian"), thing("package", "chrony/amd64")])
    found = [[zone.pattern for zone in load(write(tmp_path, text), image)] for text in examples]
    assert found == [
        ["/srv/data/**", "/opt/shop/cache", "/opt/shop/cache/**", "service:shop-import.service"],
        ["/var/lib/chrony/drift"],
        [],  # questions that nobody has answered
    ]


def test_shipped_packs_are_sound() -> None:
    found = {pack.name: pack for pack in packs()}
    assert {"linux", "systemd", "debian", "cloud-init", "software", "rhel", "alpine"} <= set(found)
    for pack in found.values():
        for entry in pack.entries:
            assert entry.zone.reason.endswith(".")
            assert entry.zone.origin.startswith(f"zones/{pack.name}.yaml:")
