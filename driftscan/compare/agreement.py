"""Hosts that brought a package to the same version, beside each other: one version of a package has one content. Where
only the hosts' own databases vouch for their files, others that are clean otherwise can say the same, or contradict."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from driftscan.compare.mutation import make
from driftscan.model.drift import Attribution, CauseType, Difference, Grade, Mutation
from driftscan.model.proof import Proof, Rank

_OPERATIONS = frozenset(cause for cause in CauseType if cause.value.startswith("package-"))
_SHOWN = 3
_OWN = ("/etc/", "/var/")
"""Where one host may have its own settings and state in a file of a package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A host as far as it is heard. `spec` tells results apart, `machine` machines: one that is scanned by two names
    does not vouch for itself."""

    spec: str
    name: str
    machine: str
    mutations: tuple[Mutation, ...]

    @property
    def is_clean_otherwise(self) -> bool:
        """Whether it differs from its image by package operations alone."""
        return all(mutation.cause.type in _OPERATIONS for mutation in self.mutations)


@dataclass(frozen=True, slots=True)
class _Said:
    """What one host has in a path of one package at one version."""

    host: Witness
    content: str


def agreed(hosts: Sequence[Witness]) -> dict[str, tuple[Mutation, ...]]:
    """By spec, the mutations of hosts that others say something of. A file that more of the others contradict than
    confirm is promoted; one that somebody confirms and nobody contradicts is proved by a host."""
    said: dict[tuple[str, str], list[_Said]] = {}
    for host in hosts:
        for mutation in host.mutations if host.is_clean_otherwise else ():
            for path, package, content in _claims(mutation):
                said.setdefault((path, package), []).append(_Said(host, content))
    found = {}
    for host in hosts:
        mutations = tuple(each for mutation in host.mutations for each in _heard(host, mutation, said))
        if mutations != host.mutations:
            found[host.spec] = mutations
    return found


def _claims(mutation: Mutation) -> Iterable[tuple[str, str, str]]:
    """Path, package with version, and content of each file that the host alone vouches for."""
    claims = mutation.proof.claims if mutation.proof else {}
    for item in mutation.differences if claims else ():
        content = item.attributes.get("sha256")
        if item.kind == "file" and item.key in claims and content is not None and isinstance(content.actual, str):
            yield item.key, claims[item.key].package, content.actual


def _heard(host: Witness, mutation: Mutation, said: Mapping[tuple[str, str], Sequence[_Said]]) -> Iterable[Mutation]:
    """A mutation as it is after the others were heard: itself, and what was promoted out of it."""
    confirmed, refuted = set(), {}
    for path, package, content in _claims(mutation):
        others = [each for each in said.get((path, package), ()) if each.host.machine != host.machine]
        against = sorted({each.host.name for each in others if each.content != content})
        same = len({each.host.machine for each in others if each.content == content})
        if same and not against:
            confirmed.add(path)
        elif len(against) > same and not path.startswith(_OWN):
            refuted[path] = against
    if mutation.proof is None or not (confirmed or refuted):
        yield mutation
        return
    proof = _proof(mutation.proof, confirmed, refuted)
    left = tuple(item for item in mutation.differences if item.kind != "file" or item.key not in refuted)
    cause = replace(mutation.cause, detail=proof.words)
    yield replace(mutation, differences=left, proof=proof, cause=cause)
    for item in mutation.differences:
        if item.kind == "file" and item.key in refuted:
            yield _promoted(item, mutation, refuted[item.key])


def _proof(before: Proof, confirmed: Iterable[str], refuted: Iterable[str]) -> Proof:
    """The same with what the others said."""
    claims = {path: claim for path, claim in before.claims.items() if path not in refuted}
    files = dict(before.files)
    for path in refuted:
        files[before.claims[path].rank] -= 1
    for path in confirmed:
        files[before.claims[path].rank] -= 1
        files[Rank.HOST] = files.get(Rank.HOST, 0) + 1
        claims[path] = replace(claims[path], rank=Rank.HOST)
    return replace(before, files={rank: files[rank] for rank in Rank if files.get(rank)}, claims=claims)


def _promoted(item: Difference, mutation: Mutation, against: Sequence[str]) -> Mutation:
    assert mutation.proof is not None
    package, _, version = mutation.proof.claims[item.key].package.partition(" ")
    more = f" and {len(against) - _SHOWN} more" if len(against) > _SHOWN else ""
    who = f"{', '.join(against[:_SHOWN])}{more}"
    detail = (
        f"in the paths of package {package} but does not match it: other hosts with version {version} have another"
        f" content ({who}), and each host's own database vouches for its own"
    )
    given = mutation.attribution
    blamed = Attribution(Grade.CONTRADICTED, None, given.command, given.at, given.evidence) if given.command else given
    title = f"{item.key} is not what package {package} is on other hosts"
    return make(CauseType.BINARY_CHANGED, item.key, title, [item], detail=detail, attribution=blamed)
