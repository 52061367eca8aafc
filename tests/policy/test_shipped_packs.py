"""Every shipped rule: its inline cases, its texts, and the promises that the packs make as a whole."""

import pytest

from driftscan import policy
from driftscan.model.drift import CauseType
from driftscan.policy.cases import run, untested
from driftscan.policy.model import Policy
from tests.policy.support import KINDS


@pytest.fixture(scope="module")
def packs() -> dict[str, tuple[Policy, ...]]:
    return {name: policy.load([name], KINDS) for name in policy.shipped()}


def test_all_cases_of_all_shipped_rules(packs: dict[str, tuple[Policy, ...]]) -> None:
    results = [result for policies in packs.values() for result in run(policies)]
    assert [result for result in results if not result.passed] == []
    assert len(results) > 200


def test_every_rule_has_a_case_for_and_one_against(packs: dict[str, tuple[Policy, ...]]) -> None:
    lacking = {rule.id: untested(rule) for each in packs.values() for one in each for rule in one.rules}
    assert {name: missing for name, missing in lacking.items() if missing} == {}


def test_every_cause_is_judged_with_and_without_an_image(packs: dict[str, tuple[Policy, ...]]) -> None:
    for baseline in ("image", "stand-in"):
        judged = {
            cause
            for each in packs["immutable-core"]
            for rule in each.drift
            if rule.match.baseline in ("", baseline) and not rule.match.about_differences and not rule.match.subject
            for cause in rule.match.cause
        }
        apart = {CauseType.PROCESS_FOREIGN, CauseType.LIBRARY_FOREIGN, CauseType.INTERACTIVE_LOGIN}
        assert judged >= set(CauseType) - apart, baseline
