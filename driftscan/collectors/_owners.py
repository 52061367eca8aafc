"""Names for user ids, from /etc/passwd: what the network and process tables of the kernel lack."""

from collections.abc import Iterable, Mapping

from driftscan.collectors._accounts import PASSWD, User, users
from driftscan.collectors._text import value
from driftscan.model.resource import Value
from driftscan.model.source import Captures, Status

Owners = Mapping[int, str] | None
"""User id -> name; None where passwd is there and could not be read: then nobody's name is known."""


def names(captures: Captures) -> Owners:
    """The names of users, of several with one id the first, as getpwuid(3) answers."""
    if captures[PASSWD].status not in (Status.OK, Status.ABSENT):
        return None
    found: dict[int, str] = {}
    for row in users(captures):
        if isinstance(row, User):
            found.setdefault(row.uid, value(row.name))
    return found


def name(owners: Mapping[int, str], uid: int) -> str:
    """The name of a user id, or the id as text."""
    return owners.get(uid, str(uid))


def user_column(owners: Owners, uid: int) -> dict[str, Value]:
    """The column `user`; none where it is not known: a number in its place would be another user."""
    return {} if owners is None else {"user": name(owners, uid)}


def users_column(owners: Owners, uids: Iterable[int]) -> dict[str, Value]:
    """The column `users` alike."""
    return {} if owners is None else {"users": tuple(sorted({name(owners, uid) for uid in uids}))}
