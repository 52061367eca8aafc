"""When an entry of a pack holds: what of a target's resources it asks for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from driftscan.model.resource import Value
from driftscan.model.snapshot import Resources
from driftscan.model.zone import Zone
from driftscan.zones.pack import Pack, When


@dataclass(frozen=True)
class _Target:
    resources: Resources
    packages: frozenset[str] = field(init=False)
    systems: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        names = frozenset(key.partition("/")[0] for kind, key in self.resources.small if kind == "package")
        object.__setattr__(self, "packages", names)
        system = self.resources.get("os_version", "-")
        object.__setattr__(self, "systems", frozenset(_systems(system.attributes if system else {})))

    def satisfies(self, when: When) -> bool:
        return (
            (not when.package or any(name in self.packages for name in when.package))
            and (not when.os or any(name in self.systems for name in when.os))
            and (not when.path or any(path in self.resources.files for path in when.path))
        )


def in_force(packs: Iterable[Pack], resources: Resources) -> tuple[Zone, ...]:
    """The zones of all entries whose conditions hold for a target. A condition about what the target does not have,
    or what could not be looked at, does not hold: the stricter default stays."""
    target = _Target(resources)
    return tuple(
        entry.zone
        for pack in packs
        if target.satisfies(pack.when)
        for entry in pack.entries
        if target.satisfies(entry.when)
    )


def _systems(attributes: Mapping[str, Value]) -> Iterable[str]:
    for name in ("platform", "platform_like", "id", "id_like"):
        value = attributes.get(name)
        words = value.split() if isinstance(value, str) else value if isinstance(value, tuple) else ()
        yield from (word for word in words if isinstance(word, str))
