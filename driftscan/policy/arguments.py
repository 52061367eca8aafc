"""What an operator's argument may be: read once, when a policy is loaded."""

from typing import Any


class ArgumentError(ValueError):
    """An operator's argument is wrong; the text says why."""


def several(argument: Any) -> list[Any]:
    """The items of a list, or of what stands for a list of one; each once."""
    items = argument if isinstance(argument, list) else [argument]
    if not items:
        raise ArgumentError("is an empty list, which asks for nothing")
    if len({(type(item), item) for item in items}) < len(items):
        raise ArgumentError("says the same twice")
    return items


def texts_of(argument: Any) -> list[str]:
    """The same, of texts alone."""
    items = several(argument)
    if not all(isinstance(item, str) and item for item in items):
        raise ArgumentError("must be text")
    return items
