"""Which hosts of an inventory are meant: names, groups, globs, labels.

A pattern is a list of terms with commas; a host is meant if any term matches it and no `!term` does (if all
terms are negated: every other host). A term is a host's name or instance id, a group, a glob of either
(`web-*`), or `label=value`, where the value may be a glob (`env=prod`, `az=eu-west-1*`).
"""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from driftscan.errors import UsageError
from driftscan.model.host import Host
from driftscan.schema_check import did_you_mean, quoted

_WILD = frozenset("*?[")


def select(hosts: Sequence[Host], targets: Iterable[str] = (), limit: str | Iterable[str] = ()) -> tuple[Host, ...]:
    """The hosts, in their order, that any of the targets means (none: all) and every limit admits. Hosts that are
    gone are meant only by their exact name or instance id. UsageError for a term that means no host."""
    patterns = tuple(targets)
    limits = (limit,) if isinstance(limit, str) else tuple(limit)
    for pattern in (*patterns, *limits):
        _check(pattern, hosts)
    chosen = [
        host
        for host in hosts
        if (any(_means(pattern, host) for pattern in patterns) if patterns else True)
        and all(_means(pattern, host) for pattern in limits if pattern)
        and (not host.gone or any(_names(term, host) for p in (*patterns, *limits) for term in _terms(p)))
    ]
    if hosts and not chosen:
        what = f"--limit {quoted(' '.join(limits))} leaves no host" if any(limits) else "every host meant is gone"
        raise UsageError(what, _HINT)
    return tuple(chosen)


def _terms(pattern: str) -> list[str]:
    return [term.strip() for term in pattern.split(",") if term.strip()]


def _means(pattern: str, host: Host) -> bool:
    terms = _terms(pattern)
    wanted = [term for term in terms if not term.startswith("!")]
    return (not wanted or any(_matches(term, host) for term in wanted)) and not any(
        _matches(term[1:], host) for term in terms if term.startswith("!")
    )


def _names(term: str, host: Host) -> bool:
    return term in {host.name, host.labels.get("instance_id")}


def _matches(term: str, host: Host) -> bool:
    label, equals, value = term.partition("=")
    if equals:
        return label in host.labels and fnmatchcase(host.labels[label], value)
    return _names(term, host) or any(fnmatchcase(name, term) for name in (host.name, *host.groups))


def _check(pattern: str, hosts: Sequence[Host]) -> None:
    for term in _terms(pattern):
        text = term.removeprefix("!")
        if any(_matches(text, host) for host in hosts):
            continue
        label, equals, value = text.partition("=")
        if not equals:
            known = {name for host in hosts for name in (host.name, *host.groups)}
            what = "matches no host or group" if _WILD & set(text) else "is no host or group of the inventory"
            raise UsageError(f"{quoted(text)} {what}{did_you_mean(text, known)}", _HINT)
        values = {host.labels[label] for host in hosts if label in host.labels}
        if values:
            raise UsageError(
                f"no host has {quoted(value)} as its label {quoted(label)}{did_you_mean(value, values)}", _HINT
            )
        labels = {name for host in hosts for name in host.labels}
        raise UsageError(f"no host has a label {quoted(label)}{did_you_mean(label, labels)}", _HINT)


_HINT = "`driftscan inventory list` shows the hosts with their groups and labels."
