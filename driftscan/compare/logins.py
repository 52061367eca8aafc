"""Logins as mutations, where policy asks about them: one for each account and key, however often it was used."""

from collections.abc import Sequence

from driftscan.compare.mutation import make
from driftscan.compare.witness import Session, Witness
from driftscan.model.drift import Attribution, CauseType, Change, Delta, Difference, Grade, Mutation
from driftscan.model.names import show
from driftscan.model.times import utc

MOST = 200
"""Accounts and keys that are told one by one: who can write to syslog can write any number of them."""
MOST_TOLD = 20
"""Logins of one account and key that are told one by one."""
_TERMINAL = {True: "with a terminal", False: "without a terminal", None: "whether with a terminal is not known"}


def logins(witness: Witness) -> tuple[Mutation, ...]:
    """A mutation for each account and key that logged in; beyond MOST of them, one for all the others."""
    groups: dict[str, list[Session]] = {}
    for each in sorted(witness.logins, key=lambda session: session.opened):
        groups.setdefault(f"{each.user}/{each.key or each.how}", []).append(each)
    names = sorted(groups)
    others = [session for name in names[MOST:] for session in groups[name]]
    found = [_mutation(name, _who(groups[name][0]), groups[name]) for name in names[:MOST]]
    if others:
        found.append(_mutation("others", f"{len(names) - MOST} more accounts and keys", others))
    return tuple(found)


def _who(session: Session) -> str:
    with_key = f" with key {session.key}" if session.key else ""
    return f"{session.user}{with_key}" + ("" if session.how == "ssh" else f" ({session.how})")


def _mutation(subject: str, who: str, sessions: Sequence[Session]) -> Mutation:
    last = max(sessions, key=lambda session: session.opened)
    told = {session.terminal for session in sessions}
    terminal = True if True in told else None if None in told else False
    addresses = sorted({session.address for session in sessions if session.address})
    item = Difference(
        kind="login",
        key=subject,
        change=Change.ADDED,
        attributes={"terminal": Delta(None, terminal)},
        observed={"addresses": tuple(addresses[:MOST_TOLD]), "logins": len(sessions)},
        why="a login since what the host is compared with was recorded",
    )
    times = "once" if len(sessions) == 1 else f"{len(sessions)} times"
    origin = f" from {_some(addresses)}" if addresses else ""
    return make(
        CauseType.INTERACTIVE_LOGIN,
        subject,
        f"{who} logged in {times}{origin}",
        [item],
        detail=_TERMINAL[terminal],
        attribution=Attribution(
            Grade.RECORDED, last.user if subject != "others" else None, None, utc(last.opened), _evidence(sessions)
        ),
    )


def _some(addresses: Sequence[str]) -> str:
    more = f" and {len(addresses) - 3} more" if len(addresses) > 3 else ""
    return ", ".join(addresses[:3]) + more


def _evidence(sessions: Sequence[Session]) -> tuple[str, ...]:
    """The last of them first."""
    lines = tuple(_line(session) for session in sorted(sessions, key=lambda session: -session.opened)[:MOST_TOLD])
    return (*lines, f"and {len(sessions) - MOST_TOLD} more before") if len(sessions) > MOST_TOLD else lines


def _line(session: Session) -> str:
    until = f" until {utc(session.closed)}" if session.closed else ""
    return show(f"{utc(session.opened)}{until}: {session.words}, {_TERMINAL[session.terminal]}")
