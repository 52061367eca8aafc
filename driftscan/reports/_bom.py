"""CycloneDX 1.6 of a manifest or snapshot: what is installed there, for scanners of vulnerabilities and inventories.
Packages have package URLs with distribution, architecture and source, by which such scanners find their advisories."""

import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from driftscan import __version__
from driftscan.model.names import spellings
from driftscan.model.resource import Resource, Value
from driftscan.model.snapshot import CollectorCoverage, CollectorStatus, Resources
from driftscan.reports._build import plain

SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"
KINDS = ("package", "python_package", "npm_package")
_GONE = {"config-files", "not-installed"}
"""dpkg's states of a package whose files are gone (dpkg(1), package states)."""
_CPE = re.compile(r"cpe:/[aho](?::[A-Za-z0-9._~%-]*){1,6}")
"""CPE_NAME as os-release(5) has it; some write what is none, and CycloneDX refuses the whole bill for that."""
_KEPT = ("type", "status", "source", "source_version", "directory", "installer")
"""Attributes that have no place of their own."""
_SUBJECT = "driftscan:subject"
_SYSTEM = "os_version:-"
_NAMESPACES = {"rhel": "redhat", "opensuse-leap": "opensuse", "opensuse-tumbleweed": "opensuse"}
"""ID of os-release(5) -> namespace of package URLs, where that is another name (purl-spec: PURL-TYPES)."""
_TRIVY = "aquasecurity:trivy:Src"
"""Properties by which Trivy knows the source package; it reads no `upstream`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whose bill it is. `digest`: of the file that it is made from; `package_files`: package key -> its paths."""

    name: str
    version: str
    at: str
    digest: str
    resources: Resources
    package_files: Mapping[str, Sequence[str]]
    coverage: tuple[CollectorCoverage, ...]


def bom(subject: Subject) -> Iterator[str]:
    """The bill in pieces; the same file gives the same bytes."""
    system = subject.resources.get("os_version", "-")
    attributes = system.attributes if system else {}
    head = {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": uuid.uuid5(uuid.NAMESPACE_OID, f"driftscan {subject.digest}").urn,
        "version": 1,
        "metadata": _metadata(subject),
        "compositions": [{"aggregate": _aggregate(subject), "assemblies": [_SUBJECT]}],
    }
    yield f'{json.dumps(head)[:-1]},\n"components": ['
    before = "\n"
    parts: dict[str, list[str]] = {_SUBJECT: [], _SYSTEM: []} if attributes else {_SUBJECT: []}
    for component in _components(subject, attributes):
        yield before + json.dumps(component)
        before = ",\n"
        name = component["bom-ref"]
        of_system = attributes and name.startswith("package:")
        parts[_SYSTEM if of_system else _SUBJECT].append(name)
    dependencies = [{"ref": name, "dependsOn": found} for name, found in parts.items()]
    yield f'\n],\n"dependencies": {json.dumps(dependencies)}}}\n'


def _metadata(subject: Subject) -> dict[str, Any]:
    component = {
        "type": "platform",
        "bom-ref": _SUBJECT,
        "name": plain(subject.name) or "image",
        **({"version": plain(subject.version)} if subject.version else {}),
        "properties": [{"name": "driftscan:digest", "value": subject.digest}],
    }
    tool = {"type": "application", "name": "driftscan", "version": __version__}
    return {"timestamp": subject.at, "tools": {"components": [tool]}, "component": component}


def _aggregate(subject: Subject) -> str:
    """`complete` only where nothing hides a package: not looked at is not absent."""
    of_packages = [one for one in subject.coverage if set(one.kinds) & set(KINDS)]
    whole = {CollectorStatus.COMPLETE, CollectorStatus.NOT_APPLICABLE}
    return "complete" if of_packages and all(one.status in whole for one in of_packages) else "incomplete"


def _components(subject: Subject, system: Mapping[str, Value]) -> Iterator[dict[str, Any]]:
    if system:
        yield {
            "type": "operating-system",
            "bom-ref": _SYSTEM,
            "name": _text(system, "platform") or "linux",
            **({"version": _text(system, "version_id")} if system.get("version_id") else {}),
            "description": _text(system, "pretty_name"),
            **({"cpe": cpe} if _CPE.fullmatch(cpe := _text(system, "cpe_name")) else {}),
        }
    for kind in KINDS:
        for resource in subject.resources.of(kind):
            if resource.attributes.get("status") in _GONE:
                continue
            component = _component(resource, system)
            if files := list(_files(resource, subject)):
                component["components"] = files
            yield component


def _files(package: Resource, subject: Subject) -> Iterator[dict[str, Any]]:
    """A package's regular files with their digests as they are in the image. Beneath the package, and not beside it: so
    they belong to it, and Trivy, which reads no components beneath others, passes them by."""
    if package.kind != "package":
        return
    names = {name for path in subject.package_files.get(package.key, ()) for name in spellings(path)}
    for name in sorted(names):
        found = subject.resources.get("file", name)
        digest = found.attributes.get("sha256") if found is not None else None
        if isinstance(digest, str):
            yield {"type": "file", "name": plain(name), "hashes": [{"alg": "SHA-256", "content": digest}]}


def _component(resource: Resource, system: Mapping[str, Value]) -> dict[str, Any]:
    given = resource.attributes
    purl = _purl(resource, system)
    kept = {f"driftscan:{name}": _text(given, name) for name in _KEPT}
    kept |= _source(resource)
    return {
        "type": "library" if purl else "application",  # Trivy refuses a bill with a library of which it has no URL
        "bom-ref": f"{resource.kind}:{plain(resource.key)}",
        "name": _text(given, "name") or plain(resource.key),
        "version": _text(given, "version"),
        **({"publisher": _text(given, "maintainer")} if given.get("maintainer") else {}),
        **({"licenses": [{"license": {"name": _text(given, "license")}}]} if given.get("license") else {}),
        **({"purl": purl} if purl else {}),
        **({"evidence": {"occurrences": [{"location": place}]}} if (place := _text(given, "directory")) else {}),
        "properties": [{"name": name, "value": value} for name, value in kept.items() if value],
    }


def _source(resource: Resource) -> dict[str, str]:
    """The source package in Trivy's words, with the parts of its version: advisories of most systems name sources."""
    given = resource.attributes
    kind, name = _text(given, "type"), _text(given, "source")
    version = _text(given, "source_version") or _text(given, "version")
    if resource.kind != "package" or not name:
        return {}
    if kind == "rpm":  # the name of a file: bash-5.2-1.el9.src.rpm
        parts = name.removesuffix(".src.rpm").rsplit("-", 2)
        if len(parts) != 3:
            return {}
        name, number, release = parts
        epoch = _text(given, "version").partition(":")[0] if ":" in _text(given, "version") else ""
    elif kind == "deb":
        epoch, _, version = version.rpartition(":")
        number, _, release = version.rpartition("-") if "-" in version else (version, "", "")
    else:
        epoch, number, release = "", version, ""
    told = {"Name": name, "Version": number, "Release": release, "Epoch": epoch if epoch.isdecimal() else ""}
    return {_TRIVY + part: value for part, value in told.items()}


def _purl(resource: Resource, system: Mapping[str, Value]) -> str:
    """A package URL (package-url.github.io, types deb, rpm, apk, pypi, npm); empty where there can be none: a name
    with a slash would read as another."""
    from packageurl import PackageURL  # noqa: PLC0415 - needed by this format alone

    given = resource.attributes
    name, version = _text(given, "name"), _text(given, "version")
    qualifiers: dict[str, str] = {}
    if resource.kind == "python_package":
        kind, namespace = "pypi", ""
    elif resource.kind == "npm_package":
        kind, (namespace, _, name) = "npm", name.rpartition("/")
    else:
        platform = _text(system, "platform")
        kind, namespace = _text(given, "type"), _NAMESPACES.get(platform, platform)
        qualifiers = _qualifiers(given, system)
        if kind == "rpm" and ":" in version:
            qualifiers["epoch"], _, version = version.partition(":")
    if not name or "/" in name or not kind or "," in version:
        return ""
    try:
        return PackageURL(kind, namespace or None, name, version or None, qualifiers).to_string()
    except ValueError:
        return ""


def _qualifiers(given: Mapping[str, Value], system: Mapping[str, Value]) -> dict[str, str]:
    """`upstream` is the source package, as syft writes it and grype reads it: advisories of Debian name sources."""
    platform, release = _text(system, "platform"), _text(system, "version_id")
    source, source_version = _text(given, "source"), _text(given, "source_version")
    if source_version and source_version != _text(given, "version"):
        source = f"{source}@{source_version}"
    found = {
        "arch": _text(given, "arch"),
        "distro": f"{platform}-{release}" if platform and release else platform,
        "upstream": source if source != _text(given, "name") else "",
    }
    return {name: value for name, value in found.items() if value}


def _text(given: Mapping[str, Value], name: str) -> str:
    value = given.get(name)
    return plain(value) if isinstance(value, str) else ""
