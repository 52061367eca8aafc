"""The likeliest mistakes in a policy file, each with all that is said of it: `mistakes.txt` is written for reading."""

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from driftscan import content
from driftscan.errors import UsageError
from driftscan.policy.compile import compile_policy
from driftscan.policy.load import shipped
from driftscan.policy.schema import schema, shape
from driftscan.policy.scope import HINT
from driftscan.schema_check import problems
from driftscan.yaml_strict import check, load, parse
from tests.policy.support import KINDS

SECTIONS = (Path(__file__).parent / "mistakes.txt").read_text().split("=== ")[1:]


@pytest.mark.parametrize("section", SECTIONS, ids=[section.partition("\n")[0] for section in SECTIONS])
def test_message(section: str) -> None:
    text, _, says = section.partition("\n")[2].partition("--- says\n")
    with pytest.raises(UsageError) as caught:
        _lint(text)
    assert caught.value.message == says.strip()
    assert "NO ERROR" not in says


def _lint(text: str) -> None:
    document = parse(text, "ours.yaml")
    check(document, shape(), HINT)
    compile_policy(document, KINDS, {})


def test_there_are_thirty() -> None:
    assert len(SECTIONS) >= 30


NOT_OF_SHAPE = {
    "a glob that fits everything",
    "a count that any number fits",
    "missing is not said",
    "missing beside a default",
    "an expression that could take for ever",
    "an expression with an anchor",
    "an attribute without its kind",
    "allow for everything",
    "a rule id that stands twice",
    "an unknown parameter",
    "a default outside its bounds",
    "a message that names no column",
    "a key that stands twice",
    "a patch window of no length",
    "a patch window in a time zone that is not",
}
"""What only `policy lint` can see: it depends on other places of the file, or on what an argument means."""
WHOLE = schema(KINDS)


def test_editors_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(WHOLE)
    assert '"enum": []' not in json.dumps(WHOLE)  # which ajv refuses, and so every editor and check that is built on it
    references = set(re.findall(r"#/\$defs/([\w-]+)", json.dumps(WHOLE)))
    assert references == set(WHOLE["$defs"])


@pytest.mark.parametrize("section", SECTIONS, ids=[section.partition("\n")[0] for section in SECTIONS])
def test_editors_schema_refuses_every_mistake_of_shape(section: str) -> None:
    """What `policy schema` prints refuses also what concerns kinds, which the shape leaves to the compiler."""
    name, _, rest = section.partition("\n")
    if name != "a key that stands twice":
        found = problems(parse(rest.partition("--- says\n")[0], "ours.yaml").data, WHOLE)
        assert bool(found) is (name not in NOT_OF_SHAPE)


RULE = """policy: ours
version: 1
title: Ours
rules:
  - {{id: r, title: T, severity: high, recommendation: rebake, why: w, {}}}
"""


@pytest.mark.parametrize(
    ("body", "path", "what"),
    [
        ("over: user, require: {any: {shel: x}}, missing: fail", ("require", "any", "shel"), "'shell'"),
        ("over: user, where: {not: {shel: x}}, forbid: present", ("where", "not", "shel"), "'shell'"),
        ("over: user, forbid: {all_of: [{uid: 0}, {gidd: 0}]}", ("forbid", "all_of", 1, "gidd"), "'gid'"),
        ("over: user, key: a, default: {shel: x}, require: {uid: 0}", ("default", "shel"), "'shell'"),
        ("over: user, require: {uid: {gee: 1}}, missing: fail", ("require", "uid", "gee"), "'ge'"),
        (
            "over: user, forbid: present, only_if: [{over: package, where: {statu: x}, require: present}]",
            ("only_if", 0, "where", "statu"),
            "'status'",
        ),
        (
            "over: user, forbid: present, tests: [{expect: fail, facts: {user: {a: {uidd: 0}}}}]",
            ("tests", 0, "facts", "user", "a", "uidd"),
            "'uid'",
        ),
        (
            "over: user, forbid: present, tests: [{expect: fail, facts: {usr: {}}}]",
            ("tests", 0, "facts", "usr"),
            "'user'",
        ),
        ("on: mutation, match: {kind: mount, actual: {typ: x}}", ("match", "actual", "typ"), "'type'"),
        ("on: mutation, match: {key: /etc/x, actual: {mod: '0644'}}", ("match", "actual", "mod"), "'mode'"),
        ("on: mutation, match: {kind: mount, attribute: [optins]}", ("match", "attribute", 0), "'options'"),
        (
            "on: mutation, match: {grade: none, unless: {kind: mount, actual: {typ: x}}}",
            ("match", "unless", "actual", "typ"),
            "'type'",
        ),
        (
            "on: mutation, match: {grade: none}, tests: [{expect: match, mutation: {cause: file-added, DIFFERS}}]",
            ("tests", 0, "mutation", "differences", 0, "actual", "uidd"),
            "'uid'",
        ),
    ],
)
def test_editors_schema_names_the_bad_key(body: str, path: tuple[str | int, ...], what: str) -> None:
    """One problem, at the key itself, with what was probably meant: branches are chosen by the kind, not tried."""
    body = body.replace("DIFFERS", "differences: [{kind: user, key: a, change: added, actual: {uidd: 0}}]")
    (found,) = problems(parse(RULE.format(body), "ours.yaml").data, WHOLE)
    assert found.path == ("rules", 0, *path)
    assert f"did you mean {what}?" in found.what


def test_editors_schema_accepts_the_shipped_packs() -> None:
    for pack in shipped():
        for path in sorted((content.folder() / pack).glob("*.yaml")):
            assert problems(load(path).data, WHOLE) == (), path
