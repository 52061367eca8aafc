"""Whether a rule's cases notice each fact that the rule reads: a fact is flipped, and the result must change.

A *reading* is one place of a rule that looks at a fact: a column in `where`, `require`, `forbid`, `default` or
`only_if`, a key, a part of `match`, the system of `applies_to`. A *flip* takes a case in which the reading's condition
holds and gives that fact another value, of which it does not hold. So each condition needs a case that it fits and
whose result hangs on it; made-up facts that fit would come from the rule itself, mistakes included. Where it can, a
flip leaves every other condition on the same fact as it was; then only such flips count: one condition cannot vouch for
another.
A change to `unknown` does not count: a fact that is taken away makes every result unknown. Of a case that says which
resources are at fault (`at_fault`) those are part of the result.
"""

from collections.abc import Iterator, Sequence

from driftscan.policy.cases import as_expected, said
from driftscan.policy.flips_control import control_readings
from driftscan.policy.flips_match import match_readings
from driftscan.policy.model import Case, Control, DriftRule, Rule
from driftscan.policy.reading import Flip, Reading

_UNKNOWN = "unknown"


def readings(rule: Rule) -> Iterator[Reading]:
    """Every place of a rule that reads a fact."""
    if isinstance(rule, DriftRule):
        yield from match_readings(rule)
    elif isinstance(rule, Control):
        yield from control_readings(rule)


def insensitive(rule: Rule) -> tuple[str, ...]:
    """The readings that no case of a rule notices, in words: a mistake there would not be found out. Only cases that
    hold and know their result are tried."""
    cases = [case for case in rule.tests if case.expect != _UNKNOWN and as_expected(case, said(rule, case))]
    return tuple(reading.place for reading in readings(rule) if not _noticed(reading, cases))


def _noticed(reading: Reading, cases: Sequence[Case]) -> bool:
    alone = False
    together: list[Flip] = []
    for case in cases:
        for flip in reading.flips(case):
            if not flip.alone:
                together.append(flip)
            elif _turns(flip):
                return True
            else:
                alone = True
    return not alone and any(map(_turns, together))


def _turns(flip: Flip) -> bool:
    found = said(flip.rule, flip.case)
    return found.result != _UNKNOWN and not as_expected(flip.case, found)
