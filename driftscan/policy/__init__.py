"""Policies: what a change means (drift rules), and what was never acceptable (controls). Pure but for reading YAML."""

from driftscan.policy.judge import asks, judge_controls, judge_mutations
from driftscan.policy.load import load, shipped
from driftscan.policy.model import Context, Policy
from driftscan.policy.origin import placed
from driftscan.policy.recommend import AS_ASKED, AS_BAKED, AS_PACKAGED, recommend
from driftscan.policy.schema import schema
from driftscan.policy.together import Together
from driftscan.policy.verdict import verdict

__all__ = [
    "AS_ASKED",
    "AS_BAKED",
    "AS_PACKAGED",
    "Context",
    "Policy",
    "Together",
    "asks",
    "judge_controls",
    "judge_mutations",
    "load",
    "placed",
    "recommend",
    "schema",
    "shipped",
    "verdict",
]
