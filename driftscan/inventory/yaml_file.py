"""The YAML inventory: defaults, groups, hosts (docs/formats/inventory.md)."""

import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path as FilePath
from typing import Any, TypeAlias

from driftscan import yaml_strict
from driftscan.errors import UsageError
from driftscan.inventory._address import parse_address
from driftscan.inventory._base import InventorySource
from driftscan.model.amount import bytes_of
from driftscan.model.host import ConnectOptions, Host
from driftscan.model.names import show
from driftscan.schema_check import quoted

Path: TypeAlias = tuple[str | int, ...]

_PLAIN = (
    *("user", "port", "jump", "sudo", "timeout", "connect_timeout", "accept_new_host_keys"),
    *("max_cpu", "max_read", "probe"),
)
_HINT = "docs/formats/inventory.md lists every key."


def accepts(spec: str) -> bool:
    """Files named .yaml or .yml (or .json, which is YAML too)."""
    return spec.endswith((".yaml", ".yml", ".json"))


def load(spec: str) -> tuple[Host, ...]:
    """The hosts of a YAML inventory: those under `hosts`, then those that groups alone name."""
    document = yaml_strict.load(os.path.expanduser(spec))
    yaml_strict.check(document, schema(), _HINT)
    return _Reader(document).hosts()


@cache
def schema() -> Mapping[str, Any]:
    """The JSON Schema of the file."""
    text = FilePath(__file__).with_name("schema").joinpath("inventory.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


class _Reader:
    """Merges the layers of a checked document: defaults, then groups, then the host; the nearest wins."""

    def __init__(self, document: yaml_strict.Document) -> None:
        self._document = document
        self._base = os.path.dirname(os.path.abspath(document.file))
        self._defaults: Mapping[str, Any] = document.data.get("defaults") or {}
        self._groups = _mappings(document.data.get("groups"))
        self._hosts = _mappings(document.data.get("hosts"))
        self._groups_of: dict[str, dict[str, Mapping[str, Any]]] = {}
        for group, content in self._groups.items():
            for name in content.get("hosts", ()):
                self._groups_of.setdefault(name, {})[group] = content

    def hosts(self) -> tuple[Host, ...]:
        places: dict[str, Path] = {name: ("hosts", name) for name in self._hosts}
        for group, content in self._groups.items():
            for index, name in enumerate(content.get("hosts", ())):
                places.setdefault(name, ("groups", group, "hosts", index))
        if not places:
            raise UsageError(f"{self._document.position(())}: the inventory names no host", _HINT)
        for name, path in places.items():
            if name == "local" or name in self._groups:
                meaning = "the word for this machine" if name == "local" else "a group's name"
                raise self._document.error(path, f"a host cannot be called {quoted(name)}: that is {meaning}", key=True)
        return tuple(self._host(name, path) for name, path in places.items())

    def _host(self, name: str, path: Path) -> Host:
        groups = self._groups_of.get(name, {})
        layers = _Layers(self._document, self._defaults, groups, name, self._hosts.get(name, {}))
        position = self._document.position(path, key=True)
        return Host(
            name=name,
            address=self._hosts.get(name, {}).get("address", name),
            options=self._options(layers),
            manifest=self._path(layers.value("manifest") or ""),
            policy=tuple(self._policy(item) for item in yaml_strict.listed(layers.value("policy"))),
            labels=layers.labels(),
            groups=tuple(groups),
            origin=f"{show(position.file)}:{position.line}",
        )

    def _options(self, layers: "_Layers") -> ConnectOptions:
        values = {key: value for key in _PLAIN if (value := layers.value(key)) is not None}
        if jump := layers.nearest("jump"):
            self._check_jump(*jump)
        if "max_read" in values:
            values["max_read"] = bytes_of(str(values["max_read"]))
        return ConnectOptions(
            identity=tuple(self._path(item) for item in yaml_strict.listed(layers.value("identity"))),
            known_hosts=tuple(self._path(item) for item in yaml_strict.listed(layers.value("known_hosts"))),
            ssh_config=self._path(layers.value("ssh_config") or ""),
            **values,
        )

    def _check_jump(self, path: Path, jump: str) -> None:
        try:
            parse_address(jump)
        except ValueError as error:
            raise self._document.error(path, f"{quoted(jump)}: {error}", "Write [user@]host[:port].") from None

    def _path(self, text: str) -> str:
        """Absolute: `~` expanded, else relative to the file. URLs stay. A last slash stays: it says directory."""
        if not text or "://" in text:
            return text
        path = os.path.normpath(os.path.join(self._base, os.path.expanduser(text)))
        return path + "/" if text.endswith("/") and path != "/" else path

    def _policy(self, text: str) -> str:
        """A pack's name stays; what looks like a path is one."""
        return self._path(text) if "/" in text or text.endswith((".yaml", ".yml")) else text


class _Layers:
    """What one host's keys are: its own, else its groups', else the defaults'."""

    def __init__(
        self,
        document: yaml_strict.Document,
        defaults: Mapping[str, Any],
        groups: Mapping[str, Mapping[str, Any]],
        name: str,
        own: Mapping[str, Any],
    ) -> None:
        self._document = document
        self._defaults = defaults
        self._name = name
        self._own = own
        self._between = groups

    def value(self, *keys: str) -> Any:
        """The nearest value of a key, or None."""
        found = self.nearest(*keys)
        return found[1] if found else None

    def nearest(self, *keys: str) -> tuple[Path, Any] | None:
        """Where the nearest value of a key stands, and the value. UsageError if two groups disagree about it."""
        if (value := _dig(self._own, keys)) is not None:
            return ("hosts", self._name, *keys), value
        found: list[tuple[Path, Any]] = [
            (("groups", group, *keys), value)
            for group, content in self._between.items()
            if (value := _dig(content, keys)) is not None
        ]
        for path, value in found[1:]:
            if value != found[0][1]:
                raise self._disagreement(keys, found[0][0], path)
        if found:
            return found[0]
        value = _dig(self._defaults, keys)
        return None if value is None else (("defaults", *keys), value)

    def labels(self) -> dict[str, str]:
        """All labels of all layers, by name; of each the nearest value."""
        layers = [self._defaults, *self._between.values(), self._own]
        names = {name for layer in layers for name in layer.get("labels") or {}}
        return {name: self.value("labels", name) for name in sorted(names)}

    def _disagreement(self, keys: tuple[str, ...], first: Path, second: Path) -> UsageError:
        what = f"the label {quoted(keys[1])}" if len(keys) > 1 else quoted(keys[0])
        return self._document.error(
            second,
            f"the groups {quoted(first[1])} ({self._document.position(first)}) and {quoted(second[1])} disagree about"
            f" {what} of the host {quoted(self._name)}",
            f"Say it for {self._name} itself, or take it out of one of the groups.",
        )


def _mappings(value: Mapping[str, Any] | None) -> dict[str, Mapping[str, Any]]:
    """A mapping of mappings; one that is left empty (`web-1:`) is an empty one."""
    return {name: content or {} for name, content in (value or {}).items()}


def _dig(layer: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    for key in keys[:-1]:
        layer = layer.get(key) or {}
    return layer.get(keys[-1])


source = InventorySource(name="yaml", accepts=accepts, load=load)
