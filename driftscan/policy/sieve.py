"""A quick test of encoded file records, so that a rule about the whole tree decodes only the few that it is about.

Records are canonical JSON (`model.codec`), so that an attribute has one spelling. A sieve never refuses a record of
which its conditions might hold; what it lets through is still judged.
"""

import re
from collections.abc import Iterable

from driftscan.model.codec import canonical
from driftscan.policy.conditions import Condition, Predicate

Sieve = tuple[re.Pattern[bytes], ...]
"""Every expression must be found in the line."""


def sieve_of(predicates: Iterable[Predicate | None]) -> Sieve:
    """What a record must have for all of the predicates to hold of it; nothing is known of combinations."""
    found: list[re.Pattern[bytes]] = []
    for predicate in predicates:
        for name, condition in predicate.columns if predicate else ():
            expression = _expression(name, condition) if name != "key" else None
            if expression is not None:
                found.append(re.compile(expression))
    return tuple(found)


def passes(sieve: Sieve, line: bytes) -> bool:
    """Whether a record can be one that the rule is about."""
    return all(expression.search(line) for expression in sieve)


def _expression(name: str, condition: Condition) -> bytes | None:
    begin = re.escape(canonical(name)) + b":"
    match condition.operator:
        case "is":
            return begin + re.escape(canonical(condition.argument)) + b"[,}]"
        case "present":
            return begin + b"(?!null)"
        case "mode_has" if isinstance(condition.argument, str):
            return begin + b'"(?:' + b"|".join(_digits(condition.argument)) + b')"'
        case _:
            return None


def _digits(mode: str) -> Iterable[bytes]:
    """For each octal digit of the mask: that digit with a common bit, the others any."""
    for index, digit in enumerate(mode):
        fitting = "".join(str(octal) for octal in range(8) if octal & int(digit))
        if fitting:
            yield f"[0-7]{{{index}}}[{fitting}][0-7]{{{len(mode) - index - 1}}}".encode()
