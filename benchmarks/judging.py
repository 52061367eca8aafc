"""Our side of the benchmark of policies: `judging.py FILE HOSTS`. Prints JSON as peer_c7n.py does."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import varied

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from driftscan import policy
from driftscan.model.codec import thaw
from driftscan.model.resource import Resource
from driftscan.model.snapshot import CollectorCoverage, CollectorStatus, Resources, Snapshot
from driftscan.policy.facts import Facts
from driftscan.policy.outcome import outcome
from driftscan.scan.parsing import kinds

TAKEN_AT = "2026-11-26T12:00:00Z"


def main() -> None:
    """Judge the hosts."""
    facts, rules = varied.read(sys.argv[1])
    path = Path(sys.argv[1]).with_suffix(".yaml")
    path.write_text(json.dumps(as_policy(rules)), "utf-8")
    policies = policy.load([str(path)], kinds())
    spent, alone = 0.0, 0.0
    together = policy.Together()
    for number in range(int(sys.argv[2])):
        taken = snapshot(varied.host(facts, number))
        begun = time.process_time()
        found = policy.judge_controls(policies, taken, policy.Context(), together)
        between = time.process_time()
        by_itself = policy.judge_controls(policies, taken, policy.Context())
        spent, alone = spent + between - begun, alone + time.process_time() - between
        assert found == by_itself
    first = Facts.of(snapshot(facts))
    taken_by = [len(outcome(control, first).failing) for each in policies for control in each.controls]
    print(json.dumps({"seconds": spent, "alone": alone, "taken": taken_by}))


def snapshot(facts: varied.Facts) -> Snapshot:
    """The facts of a running host, all of whose kinds were looked at."""
    small = {(kind, key): Resource(kind, key, thaw(row)) for kind, rows in facts.items() for key, row in rows.items()}
    coverage = CollectorCoverage("benchmark", 1, tuple(sorted(facts)), CollectorStatus.COMPLETE)
    return Snapshot(host="h", target="h", taken_at=TAKEN_AT, resources=Resources(small), coverage=(coverage,))


def as_policy(rules: list[dict[str, Any]]) -> dict[str, Any]:
    """A policy file with these rules."""
    head = {"policy": "benchmark", "version": 1, "title": "Benchmark"}
    words = {"severity": "low", "recommendation": "observe", "why": "It is measured."}
    made = [
        {
            "id": f"rule-{index}",
            "title": "Made",
            "over": rule["kind"],
            "forbid": {rule["column"]: _asked(rule)},
        }
        | words
        for index, rule in enumerate(rules)
    ]
    return head | {"rules": made}


def _asked(rule: dict[str, Any]) -> Any:
    operator, argument = rule["operator"], rule["argument"]
    return argument if operator == "eq" else {operator.replace("-", "_"): argument}


if __name__ == "__main__":
    main()
