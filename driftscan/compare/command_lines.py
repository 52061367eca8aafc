"""The words of a command line, as logs have it."""

import re
import shlex
from functools import lru_cache


@lru_cache(maxsize=1 << 15)
def words(command: str) -> frozenset[str]:
    """The words of a command line, also those within quoted scripts and after `=` and redirections. What `sudo -i`
    hands to a shell has a backslash before each character that is no letter or digit (sudo(8))."""
    try:
        parts = shlex.split(command)
    except ValueError:
        parts = command.split()
    parts += [bare for part in parts if (bare := part.replace("\\", "")) != part]
    return frozenset(word for part in parts for word in (part, *re.split(r"[\s;&|<>()='\"`,]+", part)) if word)
