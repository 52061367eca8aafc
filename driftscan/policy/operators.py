"""The operator table: what a policy can ask of a value, of which types, with which argument.

One row per operator; the documentation, the JSON Schema and the checks of policy files are made from it. Those that
hold other conditions (`not`, `any`, `every`, `none`, `count`) are built in `compile_conditions`. What takes more than a
line to build is in `measures` and `versions`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from driftscan.model.patterns import compile_key_glob
from driftscan.model.resource import Value
from driftscan.policy import measures, versions
from driftscan.policy.arguments import ArgumentError, several, texts_of
from driftscan.policy.conditions import CLOCK, Row, Test
from driftscan.policy.measures import number
from driftscan.policy.regex import Pattern, RegexError
from driftscan.policy.truth import Truth

_MODE = re.compile(r"[0-7]{4}")
_SHORT = 200
"""Characters of a text of which it is remembered whether it fits an expression."""
KNOWN = "known"
"""The one operator that asks whether there is a fact, and not what it is."""
SUBTYPES: Mapping[str, str] = {"version": "text", "time": "text", "size": "number"}
"""Columns that hold more than a text or a number, which they are, too."""
SCALARS = frozenset({"text", "number", "truth", *SUBTYPES})
ALL = SCALARS | {"list", "mapping"}
_ITEMS = {"type": "array", "minItems": 1, "items": {"type": ["string", "integer", "boolean"]}}
_PARAMETER = {"type": "string", "pattern": r"^\$[a-z][a-z0-9_]*$"}
LISTED = {"anyOf": [_ITEMS, _PARAMETER], "x-expected": "a list or a $parameter"}
TEXT = {"type": "string", "minLength": 1}
TEXTS = {"anyOf": [TEXT, {"type": "array", "minItems": 1, "items": TEXT}], "x-expected": "text or a list of texts"}
WHOLE = {"type": ["integer", "string"], "x-expected": "a whole number or a $parameter"}
MODE = {
    "type": "string",
    "pattern": r"^([0-7]{4}|\$[a-z][a-z0-9_]*)$",
    "x-expected": 'four octal digits in quotes, such as "0644"',
}
ONLY_TRUE = {"const": True, "x-expected": "true"}
_AMOUNT = {"type": ["integer", "string"], "x-expected": "a number of bytes, such as 4096 or 10 MiB"}
_AGE = {"type": "string", "minLength": 1, "x-expected": "a length of time, such as 90 days"}
_PORT = {"type": ["integer", "string"]}
_PORTS = {
    "anyOf": [_PORT, {"type": "array", "minItems": 1, "items": _PORT}],
    "x-expected": "a port, a range such as 8000-8999, or a list of them",
}


SYSTEM = "the system that a package belongs to"


@dataclass(frozen=True, slots=True)
class Operator:
    """`types`: the column types it fits. `words`: how a message says what was asked, with {} for the argument.
    `near`: values at which the answer may turn, of whatever type; empty where nothing special can be said.
    `needs`: what beside the value it asks about."""

    name: str
    types: frozenset[str]
    words: str
    doc: str
    argument: Mapping[str, Any]
    build: Callable[[Any], Test]
    near: Callable[[Any], Iterable[Value]] = lambda argument: ()
    needs: str = ""


def _compare(holds: Callable[[int, int], bool]) -> Callable[[Any], Test]:
    def build(argument: Any) -> Test:
        bound = number(argument)
        if bound is None:
            raise ArgumentError("must be a number")

        def test(value: Value, row: Row) -> Truth:
            if value is None:
                return False
            found = number(value)
            return None if found is None else holds(found, bound)

        return test

    return build


def _sizes(holds: Callable[[int, int], bool]) -> Callable[[Any], Test]:
    def build(argument: Any) -> Test:
        bound = measures.size(argument)
        answers = {holds(number, bound) for number in (0, max(0, bound), max(0, bound) + 1)}
        if len(answers) == 1:
            raise ArgumentError(f"fits {'every' if answers == {True} else 'no'} size, and so asks for nothing")
        return _compare(holds)(bound)

    return build


def equals(wanted: Value) -> Test:
    """The literal form: the same value of the same type; a list in any order."""
    if isinstance(wanted, tuple):
        bag = sorted(map(repr, wanted))
        return lambda value, row: isinstance(value, tuple) and sorted(map(repr, value)) == bag
    return lambda value, row: type(value) is type(wanted) and value == wanted


def _in(argument: Any) -> Test:
    wanted: dict[type, set[Any]] = {}
    for item in several(argument):
        wanted.setdefault(type(item), set()).add(item)

    def test(value: Value, row: Row) -> Truth:
        alike = wanted.get(type(value))
        return alike is not None and value in alike

    return test


def _not_in(argument: Any) -> Test:
    inside = _in(argument)
    return lambda value, row: not inside(value, row)


def _glob(argument: Any) -> Test:
    globs = texts_of(argument)
    if any(not glob.strip("*") for glob in globs):
        raise ArgumentError("is '*', which asks for nothing: write present: true")
    fits = re.compile("|".join(f"(?:{compile_key_glob('', glob).pattern})" for glob in globs), re.DOTALL).fullmatch
    return lambda value, row: isinstance(value, str) and fits(value) is not None


def _regex(argument: Any) -> Test:
    if not isinstance(argument, str) or argument in {"", ".*"}:
        raise ArgumentError("must be an expression that asks for something")
    try:
        pattern = Pattern(argument)
    except RegexError as error:
        raise ArgumentError(str(error)) from None
    remembered = lru_cache(maxsize=1024)(pattern.matches)  # hosts of one image have the same values

    def test(value: Value, row: Row) -> Truth:
        if not isinstance(value, str):
            return False
        return remembered(value) if len(value) <= _SHORT else pattern.matches(value)

    return test


def _contains(argument: Any) -> Test:
    wanted = several(argument)

    def test(value: Value, row: Row) -> Truth:
        if isinstance(value, str):
            return all(isinstance(item, str) and item in value for item in wanted)
        return isinstance(value, tuple) and all(item in value for item in wanted)

    return test


def _subset(argument: Any) -> Test:
    allowed = several(argument)
    return lambda value, row: value is None or (isinstance(value, tuple) and all(item in allowed for item in value))


def _mode(value: Value) -> int | None:
    return int(value, 8) if isinstance(value, str) and re.fullmatch(r"[0-7]{1,6}", value) else None


def _bits(holds: Callable[[int, int], bool]) -> Callable[[Any], Test]:
    def build(argument: Any) -> Test:
        if not isinstance(argument, str) or not _MODE.fullmatch(argument):
            raise ArgumentError('must be four octal digits, such as "0644"')
        wanted = int(argument, 8)

        def test(value: Value, row: Row) -> Truth:
            if value is None:
                return False
            found = _mode(value)
            return None if found is None else holds(found, wanted)

        return test

    return build


def _absent(argument: Any) -> Test:
    return lambda value, row: not value and not isinstance(value, int)


def _present(argument: Any) -> Test:
    return lambda value, row: bool(value) or isinstance(value, int)


def _known(argument: Any) -> Test:
    return lambda value, row: True


def _items(argument: Any) -> list[Any]:
    return argument if isinstance(argument, list) else [argument]


def _near_numbers(argument: Any) -> Iterator[Value]:
    bound = number(argument)
    for value in () if bound is None else (bound - 1, bound, bound + 1):
        yield from (value, str(value))


def _near_globs(argument: Any) -> Iterator[Value]:
    """Of each glob a text that fits it."""
    return (sample(glob) for glob in _items(argument))


def sample(glob: str) -> str:
    """A text that fits a glob."""
    return glob.replace("**", "x").replace("*", "x").replace("?", "x")


def _near_lists(argument: Any) -> Iterator[Value]:
    """Texts with a part or all of them, lists with an item, with all of them, and with one too many."""
    items = _items(argument)
    yield from items
    yield " ".join(map(str, items))
    yield from ((item,) for item in items)
    yield tuple(items)
    yield (*items, "other")


def _near_modes(argument: Any) -> Iterator[Value]:
    """No bit, those asked about, all but those, all."""
    mask = int(argument, 8)
    return (f"{bits:04o}" for bits in (0, mask, 0o7777 & ~mask, 0o7777))


_LIST = frozenset({"list"})
_PLAIN = frozenset({"text"})
_TEXT = _PLAIN | {"version", "time"}
_NUMBERS = frozenset({"number", "text"})
_SIZE = frozenset({"size"})
_VERSION = frozenset({"version"})
_TIME = frozenset({"time"})
_ORDER: Mapping[str, tuple[str, Callable[[int, int], bool]]] = {
    "lt": ("less than {}", lambda found, bound: found < bound),
    "le": ("at most {}", lambda found, bound: found <= bound),
    "gt": ("more than {}", lambda found, bound: found > bound),
    "ge": ("at least {}", lambda found, bound: found >= bound),
}
_BITS: dict[str, tuple[str, Callable[[int, int], bool], str]] = {
    "mode_within": ("no more than {}", lambda found, mask: not found & ~mask, "grants no bit that the argument lacks"),
    "mode_has": ("any bit of {}", lambda found, mask: bool(found & mask), "has at least one bit of the argument"),
}

ROWS = (
    Operator("in", SCALARS, "one of {}", "is one of the list", LISTED, _in, _items),
    Operator("not_in", SCALARS, "none of {}", "is none of the list; holds where it is absent", LISTED, _not_in, _items),
    Operator("glob", _TEXT, "like {}", "fits a glob: `*` any characters, `?` one", TEXTS, _glob, _near_globs),
    Operator("regex", _TEXT, "as the expression {}", "fits an expression as a whole", TEXT, _regex),
    Operator(
        "contains",
        _TEXT | _LIST,
        "containing {}",
        "a text has all the given parts; a list has all the given items",
        {"anyOf": [TEXT, LISTED]},
        _contains,
        _near_lists,
    ),
    Operator(
        "subset",
        _LIST,
        "nothing but {}",
        "every item is one of the given; so is an empty list",
        LISTED,
        _subset,
        _near_lists,
    ),
    *(
        Operator(
            name,
            _NUMBERS,
            words,
            f"is {words.format('the argument')}, as a number",
            WHOLE,
            _compare(how),
            _near_numbers,
        )
        for name, (words, how) in _ORDER.items()
    ),
    *(
        Operator(
            name,
            _SIZE,
            words,
            f"is {words.format('the argument')}, in bytes: `4096`, `10 MiB`, `2 GB`",
            _AMOUNT,
            _sizes(how),
            measures.near_sizes,
        )
        for name, (words, how) in _ORDER.items()
    ),
    *(
        Operator(
            name,
            _VERSION,
            words,
            f"is {words.format('the argument')}, in the order of its package system",
            WHOLE | {"x-expected": "a version"},
            versions.version_order(how),
            versions.near_versions,
            SYSTEM,
        )
        for name, (words, how) in _ORDER.items()
    ),
    Operator(
        "older_than",
        _TIME,
        "more than {} ago",
        "lies further back than the argument, such as `90 days`",
        _AGE,
        measures.age(lambda past, bound: past > bound),
        measures.near_times,
        CLOCK,
    ),
    Operator(
        "newer_than",
        _TIME,
        "less than {} ago",
        "lies less far back than the argument, or is yet to come",
        _AGE,
        measures.age(lambda past, bound: past < bound),
        measures.near_times,
        CLOCK,
    ),
    Operator(
        "due_within",
        _TIME,
        "past, or less than {} ahead",
        "has come, or comes before as much time as the argument has gone by",
        _AGE,
        measures.age(lambda past, bound: past > -bound),
        measures.near_times,
        CLOCK,
    ),
    Operator(
        "cidr",
        _PLAIN,
        "within {}",
        "an address or a network that lies within a network, or one of several: `10.0.0.0/8`",
        TEXTS,
        measures.cidr,
        measures.near_networks,
    ),
    Operator(
        "port_in",
        _NUMBERS,
        "a port of {}",
        "is a port, or lies within a range of ports, or one of several: `22`, `8000-8999`",
        _PORTS,
        measures.ports,
        measures.near_ports,
    ),
    *(
        Operator(name, _PLAIN, words, f"an octal mode that {doc}", MODE, _bits(how), _near_modes)
        for name, (words, how, doc) in _BITS.items()
    ),
    Operator("absent", ALL, "absent", "there is nothing: no value, an empty text or list", ONLY_TRUE, _absent),
    Operator(
        KNOWN,
        ALL,
        "known",
        "the column was collected, whatever is in it; for `where`, and the only operator that is never unknown",
        ONLY_TRUE,
        _known,
    ),
    Operator("present", ALL, "present", "there is a value that is not empty", ONLY_TRUE, _present),
)

OPERATORS: Mapping[str, Mapping[str, Operator]] = {
    name: {kind: row for row in ROWS if row.name == name for kind in row.types}
    for name in dict.fromkeys(row.name for row in ROWS)
}
"""Operators by name and type of column."""


def plainest(types: Iterable[str]) -> set[str]:
    """Types without those that another of them has within it: what people are told."""
    known = set(types)
    return {kind for kind in known if SUBTYPES.get(kind) not in known}


NESTED: Mapping[str, tuple[frozenset[str], str]] = {
    "not": (ALL, "the condition, or the literal, does not hold"),
    "any": (_LIST, "the condition holds of at least one item"),
    "every": (_LIST, "the condition holds of each item; also of an empty list"),
    "none": (_LIST, "the condition holds of no item"),
    "count": (_LIST, "the number of items, as a number or a condition on it"),
}
"""Operators that hold a condition: the column types they fit, and what they say."""
