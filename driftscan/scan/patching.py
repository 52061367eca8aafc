"""Which image to bake anew, with what: the advisories of a fleet, by image and package; and what runs old code."""

from collections.abc import Iterable, Iterator, Sequence

from driftscan.advisories import counts, latest, worst
from driftscan.advisories.severity import ORDER
from driftscan.model.advisory import Fix, ImagePatching, Known, OldCode, Upgrade
from driftscan.model.result import HostImage
from driftscan.scan.judgement import Assessment


def by_image(hosts: Iterable[Assessment]) -> tuple[ImagePatching, ...]:
    """What hosts of each image lack, the worst first; nothing of hosts that lack nothing."""
    groups: dict[tuple[str, str, str], list[Assessment]] = {}
    for host in hosts:
        if host.patches or host.old_code:
            groups.setdefault(_image(host.image), []).append(host)
    found = [_patching(image, members) for image, members in groups.items()]
    return tuple(sorted(found, key=_urgency))


def _image(image: HostImage) -> tuple[str, str, str]:
    """A stand-in is no image: the host's own database."""
    return (image.id, image.version, image.manifest_digest) if image.manifest_digest else ("", "", "")


def _urgency(image: ImagePatching) -> tuple[int, int, int, str, str, str]:
    rank = ORDER.index(image.severity)
    return -rank, -len(image.hosts), -image.advisories, image.id, image.version, image.manifest_digest


def _patching(image: tuple[str, str, str], hosts: Sequence[Assessment]) -> ImagePatching:
    known = list(dict.fromkeys(each for host in hosts for each in host.patches))
    fixable = [each for each in known if each.fix is Fix.FIXED]
    number = counts(known)
    return ImagePatching(
        id=image[0],
        version=image[1],
        manifest_digest=image[2],
        hosts=tuple(sorted({host.target.name for host in hosts})),
        upgrades=tuple(sorted(_upgrades(fixable), key=lambda each: (-ORDER.index(each.severity), each.source))),
        advisories=number[Fix.FIXED],
        severity=worst(each.severity for each in fixable),
        unfixed=number[Fix.NONE],
        ignored=number[Fix.IGNORED],
        old_code=tuple(_old_code(hosts)),
    )


def _old_code(hosts: Sequence[Assessment]) -> Iterator[OldCode]:
    """By service: on most hosts first."""
    files: dict[str, set[str]] = {}
    names: dict[str, set[str]] = {}
    for host in hosts:
        for service, path in host.old_code:
            files.setdefault(service, set()).add(path)
            names.setdefault(service, set()).add(host.target.name)
    for service in sorted(files, key=lambda each: (-len(names[each]), each)):
        yield OldCode(service=service, files=tuple(sorted(files[service])), hosts=tuple(sorted(names[service])))


def _upgrades(fixable: Iterable[Known]) -> Iterator[Upgrade]:
    packages: dict[tuple[str, str], list[Known]] = {}
    for each in fixable:
        packages.setdefault((each.system, each.source), []).append(each)
    for (system, source), of_it in packages.items():
        yield Upgrade(
            source=source,
            system=system,
            version=latest({each.fixed for each in of_it}, system),
            installed=tuple(sorted({each.version for each in of_it})),
            packages=tuple(sorted({each.package for each in of_it})),
            advisories=tuple(sorted({each.advisory.id for each in of_it})),
            severity=worst(each.severity for each in of_it),
        )
