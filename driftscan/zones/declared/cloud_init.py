"""What cloud-init's enabled modules write at first boot, by /etc/cloud/cloud.cfg and cloud.cfg.d (cloud-init's
"Base configuration" and "Module reference").

A module that acts without being told (the host's name, the locale) writes its file on each new instance; others write
where the image's own configuration gives their key. What user data asks for is no declaration of the image. Modules
for accounts, keys, sudo rules, packages, certificates and agents declare nothing here: what they do decides who gets in
and what runs. All this is `boot-once`. With `cloud-init.disabled` nothing is declared.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from driftscan import yaml_strict
from driftscan.errors import UsageError
from driftscan.model.source import Captures, Glob, Redact, Status
from driftscan.model.zone import Zone
from driftscan.zones.declared._base import Declarer, boot_once, origin_of
from driftscan.zones.declared._paths import path

CONFIG = Glob(("/etc/cloud/cloud.cfg", "/etc/cloud/cloud.cfg.d/*.cfg"), redact=Redact.SECRETS, public=True)
DISABLED = Glob(("/etc/cloud/cloud-init.disabled",), content=False)
_STAGES = ("cloud_init_modules", "cloud_config_modules", "cloud_final_modules")
_LOCALE = {"debian": "/etc/default/locale", "ubuntu": "/etc/default/locale"}
_OTHER_LOCALE = "/etc/locale.conf"


@dataclass(frozen=True, slots=True)
class _Value:
    """A top-level value of the configuration, and where its key stands."""

    data: Any
    origin: str


def parse(captures: Captures) -> Iterator[Zone]:
    """The zones of all modules that are enabled."""
    if captures.members(DISABLED):
        return
    config = _config(captures)
    for module, where in _modules(config).items():
        reason = f"cloud-init's module {module} writes it at first boot"
        for name, origin in _written(module, where, config):
            pattern = path(name)
            if pattern is not None:
                yield boot_once(pattern, reason, origin)


def _config(captures: Captures) -> dict[str, _Value]:
    """Top-level keys: those of cloud.cfg.d win over cloud.cfg's, of two files there the later. A file that is no YAML
    is passed over, as cloud-init does."""
    found: dict[str, _Value] = {}
    members = sorted(captures.members(CONFIG), key=lambda member: member.path.count(b"/"))
    for member in members:
        name = member.path.decode("utf-8", "surrogateescape")
        if member.status is not Status.OK:
            continue
        try:
            document = yaml_strict.parse(member.data.decode("utf-8", "replace"), name)
        except UsageError:
            continue
        for key, value in document.data.items() if isinstance(document.data, Mapping) else ():
            found[key] = _Value(value, origin_of(name, document.position((key,), key=True).line))
    return found


def _modules(config: Mapping[str, _Value]) -> dict[str, str]:
    """Enabled modules with where their list stands. An entry is a name, or a list or mapping that begins with one."""
    found: dict[str, str] = {}
    for stage in _STAGES:
        listed = config.get(stage)
        for entry in listed.data if listed is not None and isinstance(listed.data, Sequence) else ():
            name = entry.get("name") if isinstance(entry, Mapping) else entry
            name = name[0] if isinstance(name, list) and name else name
            if isinstance(name, str) and listed is not None:
                found[name.replace("-", "_")] = listed.origin
    return found


def _written(module: str, where: str, config: Mapping[str, _Value]) -> Iterator[tuple[str, str]]:
    """What a module writes, and where it is declared."""
    match module:
        case "set_hostname" | "update_hostname":
            if not _is_true(config.get("preserve_hostname")):
                yield "/etc/hostname", where
        case "locale":
            yield _locale(config), where
        case "timezone" if (said := config.get("timezone")) is not None:
            yield "/etc/timezone", said.origin
            yield "/etc/localtime", said.origin
        case "keyboard" if (said := config.get("keyboard")) is not None:
            yield "/etc/default/keyboard", said.origin
        case "write_files" | "write_files_deferred" if (said := config.get("write_files")) is not None:
            for entry in said.data if isinstance(said.data, list) else ():
                if isinstance(entry, Mapping) and isinstance(entry.get("path"), str):
                    yield entry["path"], said.origin


def _locale(config: Mapping[str, _Value]) -> str:
    said = config.get("locale_configfile")
    if said is not None and isinstance(said.data, str):
        return said.data
    system = config.get("system_info")
    distro = system.data.get("distro") if system is not None and isinstance(system.data, Mapping) else ""
    return _LOCALE.get(str(distro), _OTHER_LOCALE)


def _is_true(value: _Value | None) -> bool:
    return value is not None and str(value.data).lower() in {"true", "1", "on", "yes"}


declarer = Declarer(
    name="cloud_init",
    doc="What cloud-init's enabled modules write at first boot",
    sources=(CONFIG, DISABLED),
    parse=parse,
)
