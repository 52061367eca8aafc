"""The peer of the benchmark of policies: Cloud Custodian's value filters on the same facts. Run by an interpreter that
has c7n: `peer_c7n.py FILE HOSTS`. Prints JSON: seconds of CPU for all hosts, and how many resources of the first one
each rule takes."""

import json
import sys
import time
from typing import Any

import varied
from c7n.filters.core import ValueFilter  # type: ignore[import-not-found]

_OPERATORS = {"absent": {"value": "empty"}, "present": {"value": "not-null"}}


def main() -> None:
    """Judge the hosts."""
    facts, rules = varied.read(sys.argv[1])
    filters = [(rule["kind"], _filter(rule)) for rule in rules]
    spent = 0.0
    taken: list[int] = []
    for number in range(int(sys.argv[2])):
        host = varied.host(facts, number)
        rows = {kind: list(each.values()) for kind, each in host.items()}
        begun = time.process_time()
        found = [each.process(rows[kind]) for kind, each in filters]
        spent += time.process_time() - begun
        taken = taken or [len(each) for each in found]
    print(json.dumps({"seconds": spent, "taken": taken}))


def _filter(rule: dict[str, Any]) -> ValueFilter:
    """The same question. Its expressions are not anchored at the end; what it matched is not written into the facts, as
    ours writes nothing there either."""
    operator, value = rule["operator"], rule["argument"]
    asked = {"regex": {"op": "regex-case", "value": f"{value}\\Z"}, **_OPERATORS}.get(operator)
    made = ValueFilter({"type": "value", "key": rule["column"], **(asked or {"op": operator, "value": value})})
    made.annotate = False
    return made


if __name__ == "__main__":
    main()
