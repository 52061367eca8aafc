"""driftscan.yaml: found upward from the working directory, then in the user's config directory; the nearer wins."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from driftscan.cli._command import Option
from driftscan.errors import UsageError

if TYPE_CHECKING:
    from driftscan.yaml_strict import Document

NAME = "driftscan.yaml"


@dataclass(frozen=True, slots=True)
class Config:
    """The options that config files set, by option name, each with the file that says so."""

    data: Mapping[str, Any] = field(default_factory=dict)
    documents: Mapping[str, "Document"] = field(default_factory=dict)

    def where(self, option: Option) -> str:
        """`file:line:column: key` of the value."""
        return f"{self.documents[option.name].position((option.name,))}: {option.name}"

    def value(self, option: Option) -> Any:
        """As the command line would give it: text, or a list of text; file names made relative to the file, and left as
        they are where it lies in the working directory: reports then name files by their place in the repository."""
        raw = self.data[option.name]
        if not option.metavar:
            return raw
        folder = os.path.dirname(os.path.abspath(self.documents[option.name].file))
        folder = "" if folder == os.getcwd() else folder
        if option.many:
            return [_text(option, item, folder) for item in (raw if isinstance(raw, list) else [raw])]
        return _text(option, raw, folder)


def read(options: tuple[Option, ...], given: str | None, environ: Mapping[str, str], start: str) -> Config:
    """The settings of `given` alone, else of the file found upward from `start` and of the user's, where the former
    wins key by key. UsageError with file:line:column for an unknown key or a wrong value."""
    paths = [given] if given else [path for path in (_upward(start), user_file(environ)) if path]
    data: dict[str, Any] = {}
    documents: dict[str, Document] = {}
    for path in paths:
        document = _load(path, options)
        for key in document.data or {}:
            if key not in data:
                data[key] = document.data[key]
                documents[key] = document
    return Config(data, documents)


def user_file(environ: Mapping[str, str]) -> str:
    """The user's own config file, if there is one."""
    home = environ.get("XDG_CONFIG_HOME") or os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".config")
    path = os.path.join(home, "driftscan", NAME)
    return path if os.path.isfile(path) else ""


def schema(options: tuple[Option, ...]) -> dict[str, Any]:
    """The JSON Schema of the file, made from the options."""
    return {
        "title": "config file",
        "type": "object",
        "additionalProperties": False,
        "properties": {option.name: _type(option) for option in options if option.name != "config"},
    }


def _type(option: Option) -> dict[str, Any]:
    if option.counts:
        return {"type": "integer", "minimum": 0, "maximum": 9}
    if not option.metavar:
        return {"type": "boolean"}
    one: dict[str, Any] = {"type": ["string", "integer"]}
    if option.choices:
        one = {"enum": list(option.choices)}
    if not option.many:
        return one
    return {"anyOf": [one, {"type": "array", "items": one}], "x-expected": "a text or a list of texts"}


def _load(path: str, options: tuple[Option, ...]) -> "Document":
    from driftscan import yaml_strict

    document = yaml_strict.load(path)
    if document.data is not None:
        yaml_strict.check(document, schema(options), "See docs/cli.md for what may stand there.")
    return document


def _upward(start: str) -> str:
    """The nearest driftscan.yaml. One that another user could have put there is refused: it names files to trust."""
    folder = os.path.abspath(start)
    while True:
        path = os.path.join(folder, NAME)
        if os.path.isfile(path):
            _check_owner(path)
            return path
        parent = os.path.dirname(folder)
        if parent == folder:
            return ""
        folder = parent


def _check_owner(path: str) -> None:
    status = os.stat(path)
    if status.st_uid not in {0, os.geteuid()} or status.st_mode & 0o002:
        raise UsageError(
            f"{path}: belongs to another user, or everybody may write it, so it is not obeyed",
            f"If you trust it, name it: --config {path}",
        )


def _text(option: Option, raw: Any, folder: str) -> str:
    text = str(raw)
    if not option.path or not _is_file_name(option, text):
        return text
    return os.path.join(folder, os.path.expanduser(text))


def _is_file_name(option: Option, text: str) -> bool:
    """A shipped policy's name, a URL and a source such as `ec2:` are no file names."""
    if option.name == "policy":
        return "/" in text or text.endswith((".yaml", ".yml"))
    return "://" not in text and not text.startswith(("ec2:", "none"))
