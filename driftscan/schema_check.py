"""JSON Schema problems in a newcomer's words. The one home of jsonschema.

Words come from the schema: its `title` names the thing ("rule"), its own keyword `x-expected` completes the
sentence "expected ..." where a pattern or a choice of shapes would not be understood, and `x-instead` says by keys or
texts that are not known what to write in their place.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from driftscan.model.names import show
from driftscan.schema_fast import UndecidedError, conforms

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

Path: TypeAlias = tuple[str | int, ...]
MAX_NAMED = 20
"""Words that a message names of those that would be known."""
MAX_SHOWN = 60
"""Characters of a value that a message quotes."""
_EXPECTED = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping (key: value)",
    "null": "nothing",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, where (keys and indices from the top), and whether the key itself is at fault."""

    path: Path
    what: str
    key: bool = False


def problems(data: Any, schema: Mapping[str, Any]) -> tuple[Problem, ...]:
    """All that keeps plain data from being what a JSON Schema (draft 2020-12) describes; empty: it is."""
    with suppress(UndecidedError):
        if conforms(data, schema):
            return ()
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - 100 ms, paid only by whose data is not right

    found: dict[Problem, None] = {}
    for error in Draft202012Validator(schema).iter_errors(data):
        found.update(dict.fromkeys(_explain(error)))
    return tuple(found)


def did_you_mean(word: str, known: Iterable[str], *, all_known: bool = True) -> str:
    """`; did you mean 'x'?`, else `; one of: ...` for words joined by '-' of which it is one, else for a short list
    (unless `all_known` is false), else nothing."""
    names = sorted(set(known))
    folded = {name.lower(): name for name in reversed(names)}
    close = difflib.get_close_matches(word.lower(), list(folded), n=1, cutoff=0.6)
    if close and _alike(word.lower(), close[0]):
        return f"; did you mean '{show(folded[close[0]])}'?"
    if having := [name for name in names if word.lower() in name.lower().split("-")]:
        return "; one of: " + show(", ".join(having))
    if all_known and names and len(names) <= MAX_NAMED:
        return "; one of: " + show(", ".join(names))
    return ""


def _alike(word: str, other: str) -> bool:
    """Of short words half the letters are alike by chance: all of them in another order, or all but few."""
    if len(word) > 4 or sorted(word) == sorted(other):
        return True
    return difflib.SequenceMatcher(None, word, other).ratio() >= 0.7


def quoted(value: object) -> str:
    """A value for a message: one line, safe on a terminal, shortened."""
    text = show(str(value))
    return f"'{text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + '...'}'"


def _explain(error: "ValidationError") -> Iterator[Problem]:
    if list(error.relative_schema_path)[-2:-1] == ["propertyNames"]:
        yield _key_name(error)
    else:
        yield from _HANDLERS.get(str(error.validator), _otherwise)(error)


def _at(error: "ValidationError") -> Path:
    return tuple(error.absolute_path)


def _instance(error: "ValidationError") -> Any:
    return error.instance


def _rule(error: "ValidationError") -> Any:
    """What the keyword that failed says."""
    return error.validator_value


def _schema(error: "ValidationError") -> Mapping[str, Any]:
    return error.schema if isinstance(error.schema, Mapping) else {}


def _place(error: "ValidationError") -> str:
    """What to call the mapping in which something is wrong."""
    if title := _schema(error).get("title"):
        return str(title)
    names = [part for part in error.absolute_path if isinstance(part, str)]
    return quoted(names[-1]) if names else "this file"


def _found(value: object) -> str:
    match value:
        case None:
            return "nothing: the value is missing"
        case bool():
            return str(value).lower()
        case int() | float():
            return "a number"
        case str():
            return f"the text {quoted(value)}"
        case list() | tuple():
            return "a list"
        case _:
            return "a mapping (key: value)"


def _advice(expected: object, value: object) -> str:
    if expected == "string" and isinstance(value, bool | int | float):
        return ": put it in quotes"
    if expected == "boolean" and isinstance(value, str) and value.lower() in {"yes", "no", "on", "off", "y", "n"}:
        return f": write {'true' if value.lower() in {'yes', 'on', 'y'} else 'false'}"
    if expected == "integer" and isinstance(value, float):
        return " with a point"
    if expected == "array" and isinstance(value, Mapping):
        return ": put '- ' before its first key"
    if expected == "array" and isinstance(value, str | int | float):
        return f": write [{show(str(value))[:MAX_SHOWN]}]"
    return ""


def _type(error: "ValidationError") -> Iterator[Problem]:
    expected = _rule(error)
    names = [expected] if isinstance(expected, str) else list(expected)
    words = _schema(error).get("x-expected") or " or ".join(_EXPECTED[name] for name in names)
    found = _found(_instance(error))
    yield Problem(_at(error), f"expected {words}, found {found}{_advice(expected, _instance(error))}")


def _unknown_keys(error: "ValidationError") -> Iterator[Problem]:
    schema = _schema(error)
    known = list(schema.get("properties", {}))
    for name in _instance(error):
        if name not in known and not _matches(name, schema.get("patternProperties", {})):
            instead = _instead(error, name) or did_you_mean(name, known)
            what = f"unknown key {quoted(name)} in {_place(error)}{instead}"
            yield Problem((*_at(error), name), what, key=True)


def _instead(error: "ValidationError", word: object) -> str:
    said = _schema(error).get("x-instead", {}).get(word) if isinstance(word, str) else None
    return f": {said}" if said else ""


def _matches(name: str, patterns: Mapping[str, Any]) -> bool:
    import re  # noqa: PLC0415 - jsonschema has paid for it

    return any(re.search(pattern, name) for pattern in patterns)


def _required(error: "ValidationError") -> Iterator[Problem]:
    for name in _rule(error):
        if name not in _instance(error):
            yield Problem(_at(error), f"{_place(error)} lacks the key '{name}'", key=True)


def _enum(error: "ValidationError") -> Iterator[Problem]:
    known = [str(item) for item in _rule(error)]
    if isinstance(_instance(error), str):
        what = f"{quoted(_instance(error))} is not known here{did_you_mean(_instance(error), known)}"
    else:
        what = f"expected one of {', '.join(known)}, found {_found(_instance(error))}"
    yield Problem(_at(error), what)


def _key_name(error: "ValidationError") -> Problem:
    """From below propertyNames: the instance is the key, the path that of its mapping."""
    expected = _schema(error).get("x-expected")
    what = f"{quoted(_instance(error))} cannot be a key here" + (f": expected {expected}" if expected else "")
    return Problem((*_at(error), str(_instance(error))), what, key=True)


def _choice(error: "ValidationError") -> Iterator[Problem]:
    """anyOf, oneOf: explain the branch whose shape was meant; name the shapes if it is none of them."""
    expected = _schema(error).get("x-expected")
    branches: dict[object, list[ValidationError]] = {}
    for inner in error.context or ():
        branches.setdefault(inner.relative_schema_path[0], []).append(inner)
    meant = [inner for inner in branches.values() if not any(_is_other_shape(item) for item in inner)]
    if meant:
        best = min(meant, key=lambda inner: (len(inner), -max(len(item.path) for item in inner)))
        for item in best:
            yield from _explain(item)
    elif expected:
        found = _found(_instance(error)) + _instead(error, _instance(error))
        yield Problem(_at(error), f"expected {expected}, found {found}")
    elif branches and all(item.validator == "type" for inner in branches.values() for item in inner):
        words = dict.fromkeys(_EXPECTED.get(str(_rule(inner[0])), "") for inner in branches.values())
        yield Problem(_at(error), f"expected {' or '.join(filter(None, words))}, found {_found(_instance(error))}")
    else:
        yield Problem(_at(error), f"{_found(_instance(error))} does not fit here")


def _is_other_shape(error: "ValidationError") -> bool:
    return not error.path and error.validator in {"type", "const"}


def _short(error: "ValidationError") -> Iterator[Problem]:
    yield Problem(_at(error), "must not be empty" if _rule(error) == 1 else f"too short: {error.message}")


def _limit(error: "ValidationError") -> Iterator[Problem]:
    word = "least" if str(error.validator).lower().endswith("minimum") else "most"
    bound = f"at {word} {_rule(error)}"
    if str(error.validator).startswith("exclusive"):
        bound = f"{'more' if word == 'least' else 'less'} than {_rule(error)}"
    yield Problem(_at(error), f"{_instance(error)} is out of range: expected {bound}")


def _unique(error: "ValidationError") -> Iterator[Problem]:
    seen: list[Any] = []
    for index, item in enumerate(_instance(error)):
        if item in seen:
            yield Problem((*_at(error), index), f"{quoted(item)} stands twice in this list")
        seen.append(item)


def _dependent(error: "ValidationError") -> Iterator[Problem]:
    for name, needs in _rule(error).items():
        for need in needs:
            if name in _instance(error) and need not in _instance(error):
                yield Problem((*_at(error), name), f"'{name}' needs the key '{need}' beside it", key=True)


def _otherwise(error: "ValidationError") -> Iterator[Problem]:
    expected = _schema(error).get("x-expected")
    if expected and isinstance(_instance(error), str | int | float):
        what = f"{quoted(_instance(error))}: expected {expected}"
    elif expected:
        what = f"expected {expected}"
    elif error.validator == "const":
        what = f"expected {quoted(_rule(error))}, found {_found(_instance(error))}"
    else:
        what = f"{_found(_instance(error))} does not fit here ({error.validator})"
    yield Problem(_at(error), what)


_HANDLERS: dict[str, Callable[["ValidationError"], Iterator[Problem]]] = {
    "type": _type,
    "additionalProperties": _unknown_keys,
    "unevaluatedProperties": _unknown_keys,
    "required": _required,
    "enum": _enum,
    "anyOf": _choice,
    "oneOf": _choice,
    "minItems": _short,
    "minLength": _short,
    "minProperties": _short,
    "minimum": _limit,
    "maximum": _limit,
    "exclusiveMinimum": _limit,
    "exclusiveMaximum": _limit,
    "uniqueItems": _unique,
    "dependentRequired": _dependent,
}
