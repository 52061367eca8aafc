"""Names, paths, packs, and what a policy takes over from another one."""

from pathlib import Path

import pytest

from driftscan import policy
from driftscan.errors import UsageError
from driftscan.model.finding import Action, Severity
from driftscan.policy.model import Control, Policy
from tests.policy.support import KINDS, difference, loaded, mutation, written

BASE = """policy: base
version: 3
title: Base
parameters:
  tries: {type: number, default: 4, minimum: 1, maximum: 10, doc: How often}
  shells: {type: list, default: [/bin/sh], doc: Which}
rules:
  - id: tries
    title: T
    over: sshd_setting
    key: maxauthtries
    require: {value: {le: $tries}}
    missing: fail
    severity: low
    recommendation: observe
    why: w
  - id: shells
    title: S
    over: user
    require: {shell: {in: $shells}}
    missing: pass
    severity: critical
    recommendation: quarantine
    why: w
"""


def _control(policies: tuple[Policy, ...], name: str) -> Control:
    return next(control for each in policies for control in each.controls if control.id == name)


def _words(control: Control) -> str:
    assert control.demand.predicate is not None
    return control.demand.predicate.columns[0][1].words


def test_shipped_packs() -> None:
    assert {"immutable-core", "server-hardening"} <= set(policy.shipped())
    assert "zones" not in policy.shipped()


def test_a_name_that_is_nearly_right() -> None:
    with pytest.raises(UsageError, match="did you mean 'immutable-core'"):
        policy.load(["immutable-cor"], KINDS)


def test_a_path_that_is_not_there() -> None:
    with pytest.raises(UsageError, match=r"no/such\.yaml: no such file or folder"):
        policy.load(["no/such.yaml"], KINDS)


def test_a_folder_is_all_its_files(tmp_path: Path) -> None:
    written(tmp_path, BASE, "b.yaml")
    written(tmp_path, BASE.replace("base", "other").replace("id: ", "id: other-"), "a.yml")
    (tmp_path / "notes.txt").write_text("not a policy")
    assert [each.id for each in policy.load([str(tmp_path)], KINDS)] == ["other", "base"]


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no policy in this folder"):
        policy.load([str(tmp_path)], KINDS)


def test_one_file_named_twice_is_loaded_once(tmp_path: Path) -> None:
    path = written(tmp_path, BASE)
    assert len(policy.load([path, path], KINDS)) == 1


def test_two_files_of_one_name(tmp_path: Path) -> None:
    paths = [written(tmp_path, BASE, "a.yaml"), written(tmp_path, BASE, "b.yaml")]
    with pytest.raises(UsageError, match=r"b\.yaml:1:9: .*a\.yaml is also called 'base'"):
        policy.load(paths, KINDS)


def test_two_policies_with_one_rule_id(tmp_path: Path) -> None:
    paths = [written(tmp_path, BASE, "a.yaml"), written(tmp_path, BASE.replace("base", "two"), "b.yaml")]
    with pytest.raises(UsageError, match=r"b\.yaml:8: the rule id 'tries' also stands at .*a\.yaml:8"):
        policy.load(paths, KINDS)


def test_extends_settings_and_overrides(tmp_path: Path) -> None:
    written(tmp_path, BASE, "base.yaml")
    found = loaded(
        tmp_path,
        """extends:
  - policy: base.yaml
    set: {tries: 6, shells: [/bin/sh, /bin/bash]}
    overrides:
      - {rule: tries, severity: high, recommendation: replace, reason: we were attacked}
""",
    )
    assert [each.id for each in found] == ["base", "ours"]
    tries = _control(found, "tries")
    assert (tries.severity, tries.action, tries.overridden) == (Severity.HIGH, Action.REPLACE, "we were attacked")
    assert _words(tries) == "at most 6"
    assert _words(_control(found, "shells")) == "one of /bin/sh, /bin/bash"


def test_a_disabled_rule_is_gone(tmp_path: Path) -> None:
    written(tmp_path, BASE, "base.yaml")
    text = "extends: [{policy: base.yaml, overrides: [{rule: tries, disabled: true, reason: no ssh here}]}]\n"
    assert [rule.id for each in loaded(tmp_path, text) for rule in each.rules] == ["shells"]


def test_the_changed_version_wins_over_the_plain_one_in_any_order(tmp_path: Path) -> None:
    base = written(tmp_path, BASE, "base.yaml")
    ours = written(tmp_path, "extends: [{policy: base.yaml, set: {tries: 6}}]\n")
    for names in ([base, ours], [ours, base]):
        assert _words(_control(policy.load(names, KINDS), "tries")) == "at most 6"


def test_two_policies_that_change_the_same_one(tmp_path: Path) -> None:
    written(tmp_path, BASE, "base.yaml")
    one = written(tmp_path, "extends: [{policy: base.yaml, set: {tries: 6}}]\n", "one.yaml")
    other = "policy: other\nversion: 1\ntitle: O\nextends: [{policy: base.yaml, set: {tries: 5}}]\n"
    with pytest.raises(UsageError, match="'ours' also changes 'base'"):
        policy.load([one, written(tmp_path, other, "other.yaml")], KINDS)


def test_who_extends_the_one_that_changed_it_may_change_it_further(tmp_path: Path) -> None:
    written(tmp_path, BASE, "base.yaml")
    org = """policy: org
version: 1
title: O
extends:
  - policy: base.yaml
    set: {tries: 5, shells: [/bin/dash]}
    overrides:
      - {rule: tries, severity: high, reason: attacked}
      - {rule: shells, severity: high, recommendation: replace, reason: ours}
"""
    team = """extends:
  - org.yaml
  - policy: base.yaml
    set: {tries: 3}
    overrides: [{rule: tries, recommendation: replace, reason: at once}]
"""
    paths = [written(tmp_path, org, "org.yaml"), written(tmp_path, team)]
    for names in ([paths[1]], paths, paths[::-1]):
        found = policy.load(names, KINDS)
        tries, shells = _control(found, "tries"), _control(found, "shells")
        assert (tries.severity, tries.action, tries.overridden) == (Severity.HIGH, Action.REPLACE, "at once")
        assert (shells.severity, shells.overridden) == (Severity.HIGH, "ours")
        assert (_words(tries), _words(shells)) == ("at most 3", "one of /bin/dash")
    first, *rest = team.replace("  - org.yaml\n", "").splitlines(keepends=True)
    with pytest.raises(UsageError, match="'ours' also changes 'base'") as caught:
        policy.load([written(tmp_path, first + "".join(rest) + "  - org.yaml\n", "late.yaml")], KINDS)
    assert "as the first under its 'extends'" in caught.value.hint


def test_a_rule_of_what_another_policy_extends_is_overridden_there(tmp_path: Path) -> None:
    base = written(tmp_path, BASE, "base.yaml")
    written(tmp_path, "policy: org\nversion: 1\ntitle: O\nextends: [base.yaml]\n", "org.yaml")
    text = "extends: [{policy: org.yaml, overrides: [{rule: tries, severity: low, reason: r}]}]\n"
    with pytest.raises(UsageError, match=f"no rule 'tries' of its own: under 'extends' name {base}, too"):
        loaded(tmp_path, text)


@pytest.mark.parametrize(
    ("extension", "says"),
    [
        ("{policy: bse.yaml}", "bse.yaml: no such file"),
        ("{policy: server-hardning}", "did you mean 'server-hardening'"),
        ("{policy: base.yaml, set: {tires: 5}}", "has no parameter 'tires'; did you mean 'tries'"),
        ("{policy: base.yaml, set: {tries: 50}}", "50 is out of range: expected at most 10"),
        ("{policy: base.yaml, set: {tries: many}}", "is a number, 'many' is not"),
        ("{policy: base.yaml, set: {shells: []}}", "cannot be an empty list"),
        ("{policy: base.yaml, overrides: [{rule: tires, severity: low, reason: r}]}", "did you mean 'tries'"),
        ("{policy: base.yaml, overrides: [{rule: tries, reason: r}]}", "changes nothing"),
        ("{policy: base.yaml, overrides: [{rule: shells, severity: low, reason: r}]}", "'shells' would be low"),
        ("ours.yaml", "extends itself"),
    ],
)
def test_bad_extensions(tmp_path: Path, extension: str, says: str) -> None:
    written(tmp_path, BASE, "base.yaml")
    with pytest.raises(UsageError, match=says) as caught:
        loaded(tmp_path, f"extends: [{extension}]\n")
    assert "ours.yaml:" in caught.value.message or "extends itself" in says


def test_a_policy_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no rules and extends none"):
        loaded(tmp_path, "applies_to: {os: debian}\n")


def test_digest_tells_settings_apart(tmp_path: Path) -> None:
    base = written(tmp_path, BASE, "base.yaml")
    ours = written(tmp_path, "extends: [{policy: base.yaml, set: {tries: 6}}]\n")
    plain, changed = policy.load([base], KINDS)[0], policy.load([ours], KINDS)[0]
    assert (plain.id, changed.id) == ("base", "base")
    assert plain.digest != changed.digest


def test_kinds_that_are_read() -> None:
    read = {kind for each in policy.load(["server-hardening"], KINDS) for kind in each.kinds()}
    assert {"sshd_setting", "file", "sysctl", "listen", "package"} <= read <= set(KINDS)


DRIFT = "rules: [{{id: r, title: T, on: mutation, match: {{{}}}, severity: low, recommendation: observe, why: w}}]"


@pytest.mark.parametrize(
    ("match", "says"),
    [
        ("kind: package, actual: {version: {lt: 1.0-1}}", "the system that a package belongs to"),
        ("kind: package, expected: {version: {not: {any_of: 1}}}", "unknown operator 'any_of'"),
        ("kind: ca_certificate, actual: {not_valid_after: {not: {due_within: 1 day}}}", "the time at which"),
        ("kind: npm_package, actual: {version: {lt: '1.0'}}", "'1.0' is no version that a npm_package can have"),
    ],
)
def test_what_a_difference_does_not_tell(tmp_path: Path, match: str, says: str) -> None:
    rule = DRIFT.format(match)
    with pytest.raises(UsageError, match=says):
        loaded(tmp_path, rule)


def test_order_of_versions_in_a_difference(tmp_path: Path) -> None:
    match = "kind: npm_package, actual: {version: {lt: 1.2.0}}"
    rule = DRIFT.format(match)
    policies = loaded(tmp_path, rule)
    versions = ("1.2.0-rc.1", "1.2.0")
    found = [mutation("language-package", difference("npm_package", "a", version=version)) for version in versions]
    assert [each.rule.id for each in policy.judge_mutations(policies, found, policy.Context())] == ["r", "default"]
