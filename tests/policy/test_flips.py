"""Each fact that a rule reads is flipped; a rule whose cases do not notice is told."""

from pathlib import Path

import pytest

from driftscan import policy
from driftscan.policy.cases import said
from driftscan.policy.flips import insensitive, readings
from tests.policy.support import KINDS, loaded

RULE = """rules:
  - id: r
    title: T
    severity: critical
    recommendation: observe
    why: w
    {body}
    tests:
{cases}
"""


def _insensitive(directory: Path, body: str, *cases: str) -> tuple[str, ...]:
    text = RULE.format(body=body.replace("; ", "\n    "), cases="\n".join(f"      - {case}" for case in cases))
    (one,) = loaded(directory, text)
    (rule,) = one.rules
    assert list(readings(rule))
    return insensitive(rule)


def test_all_shipped_rules_notice_every_fact_that_they_read() -> None:
    rules = [rule for name in policy.shipped() for one in policy.load([name], KINDS) for rule in one.rules]
    told = {rule.id: insensitive(rule) for rule in rules}
    assert {name: places for name, places in told.items() if places} == {}
    assert sum(len(list(readings(rule))) for rule in rules) > 600


CLOSED = (
    "over: file; key: [/a, /b]; where: {type: regular}; require: {uid: 0, mode: {mode_within: '0644'}}; missing: pass"
)
GOOD = "{expect: pass, facts: {file: {/a: {type: regular, uid: 0, mode: '0644'}}}}"
BAD = "{expect: fail, facts: {file: {/b: {type: regular, uid: 1, mode: '0644'}}}}"


@pytest.mark.parametrize(
    ("cases", "left"),
    [
        ((GOOD, BAD, BAD.replace("/b", "/a")), ()),
        ((GOOD, BAD), ("key /a",)),
        ((GOOD,), ("key /a", "key /b", "where type: regular")),
        ((BAD,), ("key /a", "require uid: 0", "require mode: no more than 0644")),
        ((GOOD.replace("/a", "/c"), BAD), ("key /a", "require uid: 0", "require mode: no more than 0644")),
    ],
)
def test_columns_and_keys_of_a_control(tmp_path: Path, cases: tuple[str, ...], left: tuple[str, ...]) -> None:
    assert _insensitive(tmp_path, CLOSED, *cases) == left


def test_which_resources_are_at_fault_is_part_of_the_result(tmp_path: Path) -> None:
    both = "{{expect: fail, {}facts: {{user: {{a: {{uid: 0}}, b: {{uid: 0}}}}}}}}"
    body = "over: user; key: [a, b]; forbid: present"
    assert _insensitive(tmp_path, body, both.format("")) == ("key a", "key b")
    assert _insensitive(tmp_path, body, both.format("at_fault: all, ")) == ()


def test_one_condition_does_not_vouch_for_another_on_the_same_column(tmp_path: Path) -> None:
    """0600 within any_of is never what decides: 0640 says yes to all that it says yes to."""
    body = (
        "over: file; require: {any_of: [{mode: {mode_within: '0600'}}, {mode: {mode_within: '0640'}}]}; missing: pass"
    )
    cases = [f"{{expect: {word}, facts: {{file: {{/a: {{mode: '{mode}'}}}}}}}}" for word, mode in PAIRS]
    assert _insensitive(tmp_path, body, *cases) == ("require mode: no more than 0600",)


PAIRS = (("pass", "0600"), ("pass", "0640"), ("fail", "0644"))


def test_premises_defaults_and_the_system(tmp_path: Path) -> None:
    body = (
        "over: sshd_setting; key: maxauthtries; default: {value: '6'}; require: {value: {le: 4}}; "
        "only_if: [{over: package, key: 'ssh/*', where: {status: installed}, require: present}]; "
        "applies_to: {os: debian}"
    )
    system, ssh = "os_version: {'-': {platform: debian}}", "package: {ssh/amd64: {status: installed}}"
    good = f"{{expect: pass, facts: {{{system}, {ssh}, sshd_setting: {{maxauthtries: {{value: '4'}}}}}}}}"
    assumed = f"{{expect: fail, facts: {{{system}, {ssh}}}}}"
    assert _insensitive(tmp_path, body, good) == ("default value",)
    assert _insensitive(tmp_path, body, good, assumed) == ()
    assert _insensitive(tmp_path, body, "{expect: unknown, facts: {}}") == (
        "key maxauthtries",
        "only_if[0] key ssh/*",
        "require value: at most 4",
        "only_if[0] where status: installed",
        "default value",
        "applies_to os: debian",
    )


@pytest.mark.parametrize(
    ("column", "good", "bad"),
    [
        ("{subset: [a, b]}", "[a]", "[c]"),
        ("{contains: [a, b]}", "[a, b, c]", "[a]"),
        ("{count: {le: 1}}", "[a]", "[a, b]"),
        ("{any: {regex: 'a+'}}", "[aa]", "[]"),
        ("{none: {glob: 'a*'}}", "[b]", "[ab]"),
        ("{not: [a]}", "[b]", "[a]"),
        ("{absent: true}", "[]", "[a]"),
    ],
)
def test_every_operator_can_be_turned(tmp_path: Path, column: str, good: str, bad: str) -> None:
    """From the case in which it holds; that the group is there matters in the other."""
    cases = {word: f"{{expect: {word}, facts: {{group: {{g: {{members: {value}}}}}}}}}"
             for word, value in (("pass", good), ("fail", bad))}  # fmt: skip
    body = f"over: group; require: {{members: {column}}}; missing: pass"
    assert _insensitive(tmp_path, body, *cases.values()) == ()
    assert _insensitive(tmp_path, body, cases["pass"]) == ("over group",)
    (left,) = _insensitive(tmp_path, body, cases["fail"])
    assert left.startswith("require members: ")


def test_known_is_turned_by_leaving_the_column_out(tmp_path: Path) -> None:
    body = "over: service; where: {active_state: {known: true}}; forbid: {active_state: failed}"
    body += "; missing: not-applicable"
    assert _insensitive(tmp_path, body, "{expect: fail, facts: {service: {a.service: {active_state: failed}}}}") == ()
    assert _insensitive(tmp_path, body, "{expect: not-applicable, facts: {service: {a.service: {}}}}") == (
        "over service",
        "where active_state: known",
        "forbid active_state: failed",
    )


FULL = """on: mutation
    match:
      cause: [file-changed, file-added]
      subject: /srv/*
      grade: recorded
      actor: deploy
      baseline: image
      kind: file
      key: [/srv/**, /opt/**]
      change: modified
      zone: sealed
      attribute: [mode]
      actual: {uid: {not: 0}}
      unless: {key: /srv/x/**}"""
MUTATION = (
    "{{expect: {}, mutation: {{cause: file-changed, subject: /srv/a, grade: recorded, actor: deploy, differences: "
    "[{{kind: file, key: {}, change: modified, expected: {{uid: 0, mode: '0644'}}, "
    "actual: {{uid: 1, mode: '0755'}}}}]}}}}"
)


def test_every_part_of_a_match(tmp_path: Path) -> None:
    srv, opt, out = (
        MUTATION.format(*words) for words in (("match", "/srv/a"), ("match", "/opt/a"), ("no-match", "/srv/x/a"))
    )
    assert _insensitive(tmp_path, FULL, srv, opt, out) == ()
    assert _insensitive(tmp_path, FULL, srv, out) == ("match key: /opt/**",)
    assert _insensitive(tmp_path, FULL, srv, opt) == ("match unless key: /srv/x/**",)
    left = _insensitive(tmp_path, FULL, "{expect: no-match, mutation: {cause: sysctl-changed}}")
    words = "cause subject grade actor kind change zone baseline key key actual unless unless attribute"
    assert [place.split()[1].rstrip(":") for place in left] == words.split()
    assert "match unless kind: file" in left
    assert [place for place in left if "key" in place] == [
        "match key: /srv/**",
        "match key: /opt/**",
        "match unless key: /srv/x/**",
    ]


def test_each_difference_of_a_case_counts_by_itself(tmp_path: Path) -> None:
    body = """on: mutation
    match: {key: [/srv/**, /opt/**]}"""
    differences = "differences: [{kind: file, key: /srv/a, change: added}, {kind: file, key: /opt/a, change: added}]"
    case = f"{{expect: match, EACHmutation: {{cause: file-added, {differences}}}}}"
    assert _insensitive(tmp_path, body, case.replace("EACH", "")) == (
        "match kind: file",
        "match key: /srv/**",
        "match key: /opt/**",
    )
    assert _insensitive(tmp_path, body, case.replace("EACH", "each: true, ")) == ()


@pytest.mark.parametrize(
    ("body", "good", "bad"),
    [
        (
            "over: package; key: a/all; require: {version: {ge: '1.2-1'}}; missing: pass",
            "{package: {a/all: {type: deb, version: 1.2-1}}}",
            "{package: {a/all: {type: deb, version: '1.2~rc1-1'}}}",
        ),
        (
            "over: npm_package; forbid: {version: {lt: 1.2.0}}",
            "{npm_package: {a: {version: 1.2.0}}}",
            "{npm_package: {a: {version: 1.2.0-rc.1}}}",
        ),
        (
            "over: ca_certificate; forbid: {not_valid_after: {due_within: 1 week}}",
            "{ca_certificate: {a: {not_valid_after: '2026-12-24'}}}",
            "{ca_certificate: {a: {not_valid_after: '2026-11-25'}}}",
        ),
        (
            "over: dns; require: {address: {cidr: 10.0.0.0/8}}; missing: pass",
            "{dns: {a: {address: 10.1.2.3}}}",
            "{dns: {a: {address: 8.8.8.8}}}",
        ),
        (
            "over: listen; forbid: {port: {port_in: 8000-8999}}",
            "{listen: {a: {port: 7999}}}",
            "{listen: {a: {port: 8999}}}",
        ),
        (
            "over: file; forbid: {size: {gt: 1 MiB}}",
            "{file: {/a: {type: regular, size: 1048576}}}",
            "{file: {/a: {type: regular, size: 1048577}}}",
        ),
    ],
)
def test_orders_ages_networks_and_ports(tmp_path: Path, body: str, good: str, bad: str) -> None:
    """Both sides of what is asked are found to try."""
    at = "at: 2026-11-24T02:30:00Z"
    cases = [f"{{expect: pass, {at}, facts: {good}}}", f"{{expect: fail, {at}, facts: {bad}}}"]
    assert _insensitive(tmp_path, body, *cases) == ()
    (rule,) = loaded(tmp_path, (tmp_path / "ours.yaml").read_text())[0].rules
    assert [said(rule, case).result for case in rule.tests] == ["pass", "fail"]
