"""Names for user ids, from /etc/passwd: what the network and process tables of the kernel lack."""

from collections.abc import Mapping

from driftscan.collectors._accounts import User, users
from driftscan.collectors._text import value
from driftscan.errors import UnavailableError
from driftscan.model.source import Captures


def names(captures: Captures) -> Mapping[int, str]:
    """User id -> name, of several the first, as getpwuid(3) answers. Empty where passwd cannot be read: a number is a
    user's name too, and whoever hides passwd shows in the collectors that judge it."""
    found: dict[int, str] = {}
    try:
        for row in users(captures):
            if isinstance(row, User):
                found.setdefault(row.uid, value(row.name))
    except UnavailableError:
        pass
    return found


def name(owners: Mapping[int, str], uid: int) -> str:
    """The name of a user id, or the id as text."""
    return owners.get(uid, str(uid))
