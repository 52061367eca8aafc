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
    """What a record must have for all of the predicates to hold of it, or to be not known; combinations say nothing."""
    found: list[re.Pattern[bytes]] = []
    for predicate in predicates:
        for name, condition in predicate.columns if predicate else ():
            expression = _expression(condition) if name != "key" else None
            if expression is not None:
                column = re.escape(canonical(name)) + b":"
                # A record that lacks the column must pass: there the value is not known.
                found.append(re.compile(column + expression + b"|\\A(?!.*" + column + b")", re.DOTALL))
    return tuple(found)


def passes(sieve: Sieve, line: bytes) -> bool:
    """Whether a record can be one that the rule is about."""
    return all(expression.search(line) for expression in sieve)


def _expression(condition: Condition) -> bytes | None:
    match condition.operator:
        case "is":
            return re.escape(canonical(condition.argument)) + b"[,}]"
        case "in" if isinstance(condition.argument, tuple):
            values = b"|".join(re.escape(canonical(value)) for value in condition.argument)
            return b"(?:" + values + b")[,}]"
        case "present":
            return b'(?!null|""|\\[\\])'
        case "mode_has" if isinstance(condition.argument, str):
            return b'"(?:' + b"|".join(_digits(condition.argument)) + b')"'
        case _:
            return None


def _digits(mode: str) -> Iterable[bytes]:
    """For each octal digit of the mask: that digit with a common bit, the others any."""
    for index, digit in enumerate(mode):
        fitting = "".join(str(octal) for octal in range(8) if octal & int(digit))
        if fitting:
            yield f"[0-7]{{{index}}}[{fitting}][0-7]{{{len(mode) - index - 1}}}".encode()
