"""Finds policies by name or path, reads them, and resolves what they extend."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from driftscan import content
from driftscan.errors import UsageError
from driftscan.model.finding import Action, Severity
from driftscan.model.names import show
from driftscan.model.resource import Kind, Value
from driftscan.policy import derived, outside
from driftscan.policy.compile import compile_policy, misfit
from driftscan.policy.model import Control, DriftRule, Extension, Override, Policy, Rule
from driftscan.policy.schema import shape
from driftscan.policy.scope import HINT
from driftscan.schema_check import did_you_mean, quoted
from driftscan.yaml_strict import Document, check
from driftscan.yaml_strict import load as load_yaml

RuleT = TypeVar("RuleT", DriftRule, Control)
_SUFFIXES = (".yaml", ".yml")
_HEAD = 4096
"""Bytes in which a policy's first key stands."""


def shipped() -> tuple[str, ...]:
    """The names of the packs that come with driftscan: folders of its content that hold policies."""
    root = content.folder()
    return tuple(sorted(folder.name for folder in root.iterdir() if folder.is_dir() and any(_policy_files(folder))))


def _policy_files(folder: Path) -> Iterator[Path]:
    """Files of a shipped folder that are policies; zone packs lie beside them."""
    for path in _yaml_files(folder):
        with path.open("rb") as stream:
            if any(line.startswith(b"policy:") for line in stream.read(_HEAD).splitlines()):
                yield path


def _yaml_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES and not path.name.startswith("."))


def load(names: Sequence[str], kinds: Mapping[str, Kind]) -> tuple[Policy, ...]:
    """Policies by names of shipped packs and by paths of files and folders, with all that they extend, which comes
    first. UsageError, with every problem of a file at its place, or with a suggestion for an unknown name."""
    loader = _Loader(kinds)
    for name in names:
        loader.add_all(files_of(name, Path()))
    return loader.policies()


def load_own(name: str, kinds: Mapping[str, Kind]) -> tuple[Policy, ...]:
    """The policies of one name or path as `load` has them, without those that they only extend."""
    own = {path.resolve() for path in files_of(name, Path())}
    return tuple(policy for policy in load([name], kinds) if Path(policy.file).resolve() in own)


def files_of(name: str, base: Path) -> list[Path]:
    """The files of a shipped policy's name, or of a path below a folder. UsageError if it is neither."""
    if name in (packs := shipped()):
        return list(_policy_files(content.folder() / name))
    path = base / Path(name).expanduser()
    if path.is_dir():
        found = _yaml_files(path)
        if not found:
            raise UsageError(f"{show(name)}: no policy in this folder", "Policies are files that end in .yaml.")
        return found
    if path.is_file():
        return [path]
    if "/" in name or name.endswith(_SUFFIXES):
        raise UsageError(f"{show(name)}: no such file or folder", "Check the path.")
    raise UsageError(f"no policy is called {quoted(name)}{did_you_mean(name, packs)}", "`driftscan policy list`.")


@dataclass(frozen=True, slots=True)
class _Changes:
    """What is changed of a policy, in the order in which it was; `owner`: who did so last."""

    owner: str
    settings: Mapping[str, Value] = field(default_factory=dict)
    overrides: tuple[Override, ...] = ()


class _Loader:
    """Collects policies by id; the version of one that an extending policy has changed wins over the plain one, and
    that of a policy which extends the one that changed it over that."""

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self._kinds = {**derived.KINDS, **outside.KINDS, **kinds}
        self._found: dict[str, Policy] = {}
        self._changes: dict[str, _Changes] = {}
        self._beneath: defaultdict[str, set[str]] = defaultdict(set)
        """What each policy extends, directly or not."""
        self._documents: dict[Path, Document] = {}

    def policies(self) -> tuple[Policy, ...]:
        """All policies; UsageError if two rules of different policies share an id."""
        owners: dict[str, str] = {}
        for policy in self._found.values():
            for rule in policy.rules:
                place = f"{rule.ref.file}:{rule.ref.line}"
                if rule.id in owners:
                    raise UsageError(
                        f"{show(place)}: the rule id {quoted(rule.id)} also stands at {show(owners[rule.id])}",
                        "Rename one of them: waivers and reports name rules by id.",
                    )
                owners[rule.id] = place
        return tuple(self._found.values())

    def add_all(self, files: Sequence[Path], chain: tuple[Path, ...] = ()) -> list[Policy]:
        """Add the policies of files, and first what they extend."""
        return [self._add(path, chain) for path in files]

    def _add(self, path: Path, chain: tuple[Path, ...]) -> Policy:
        where = path.resolve()
        if where in chain:
            raise UsageError(f"{show(str(path))}: extends itself, by way of {len(chain)} policies", "Break the circle.")
        document = self._document(path)
        known = self._found.get(document.data["policy"])
        if known is not None and Path(known.file).resolve() == where:
            return known
        policy = compile_policy(document, self._kinds, {})
        for extension in policy.extends:
            self._extend(document, policy, extension, (*chain, where))
        if (known := self._found.get(policy.id)) is not None:
            raise UsageError(
                f"{document.position(('policy',))}: {show(known.file)} is also called {quoted(policy.id)}",
                "Give one of them another name.",
            )
        self._found[policy.id] = policy
        return policy

    def _document(self, path: Path) -> Document:
        where = path.resolve()
        if where not in self._documents:
            document = load_yaml(path)
            check(document, shape(), HINT)
            self._documents[where] = document
        return self._documents[where]

    def _extend(self, document: Document, owner: Policy, extension: Extension, chain: tuple[Path, ...]) -> None:
        try:
            files = files_of(extension.policy, Path(owner.file).parent)
        except UsageError as error:
            raise document.error(extension.path, error.message, error.hint) from None
        bases = self.add_all(files, chain)
        self._beneath[owner.id].update(*({base.id, *self._beneath[base.id]} for base in bases))
        self._check_rules(document, extension, bases)
        _check_names(document, extension, bases)
        for base, path in zip(bases, files, strict=True):
            overrides = [each for each in extension.overrides if any(each.rule == rule.id for rule in base.rules)]
            settings = {name: value for name, value in extension.settings.items() if name in base.parameters}
            if overrides or settings:
                before = self._before(document, owner, extension, base)
                changes = _Changes(owner.id, {**before.settings, **settings}, (*before.overrides, *overrides))
                self._changes[base.id] = changes
                self._found[base.id] = self._changed(path, changes)

    def _before(self, document: Document, owner: Policy, extension: Extension, base: Policy) -> "_Changes":
        """What is changed of a policy already. UsageError if that is by one which the owner does not extend."""
        before = self._changes.get(base.id, _Changes(owner.id))
        if before.owner != owner.id and before.owner not in self._beneath[owner.id]:
            raise document.error(
                extension.path,
                f"{quoted(before.owner)} also changes {quoted(base.id)}; which of them holds is not clear",
                "Let one of the two extend the other, as the first under its 'extends', or run them apart.",
            )
        return before

    def _changed(self, path: Path, changes: "_Changes") -> Policy:
        policy = compile_policy(self._document(path), self._kinds, changes.settings)
        for override in changes.overrides:
            policy = replace(
                policy,
                drift=tuple(_overridden(policy.drift, override)),
                controls=tuple(_overridden(policy.controls, override)),
            )
        return policy

    def _check_rules(self, document: Document, extension: Extension, bases: Sequence[Policy]) -> None:
        """UsageError for an override of a rule that none of the policies has, with the one that has it, if known."""
        rules = {rule.id for base in bases for rule in base.rules}
        for override in extension.overrides:
            if override.rule not in rules:
                others = [
                    policy for policy in self._found.values() if override.rule in {each.id for each in policy.rules}
                ]
                what = f"{extension.policy} has no rule {quoted(override.rule)}"
                if others:
                    what += f" of its own: under 'extends' name {_name_of(others[0])}, too, with this override"
                else:
                    what += did_you_mean(override.rule, rules, all_known=False)
                raise document.error((*override.path, "rule"), what)


def _name_of(policy: Policy) -> str:
    """How a policy is named under `extends`."""
    path = Path(policy.file)
    return path.parent.name if path.is_relative_to(content.folder()) else show(policy.file)


def _check_names(document: Document, extension: Extension, bases: Sequence[Policy]) -> None:
    rules = {rule.id: rule for base in bases for rule in base.rules}
    for override in extension.overrides:
        _check_quarantine(document, override, rules[override.rule])
    parameters = {name: found for base in bases for name, found in base.parameters.items()}
    for name, value in extension.settings.items():
        path = (*extension.path, "set", name)
        if name not in parameters:
            what = f"{extension.policy} has no parameter {quoted(name)}{did_you_mean(name, parameters)}"
            raise document.error(path, what, key=True)
        for what in misfit(parameters[name], list(value) if isinstance(value, tuple) else value):
            raise document.error(path, what)


def _check_quarantine(document: Document, override: Override, rule: Rule) -> None:
    severity = rule.severity if override.severity is None else override.severity
    action = rule.action if override.action is None else override.action
    if action is Action.QUARANTINE and severity is not Severity.CRITICAL:
        raise document.error(
            override.path,
            f"'quarantine' goes with severity 'critical' alone: {quoted(rule.id)} would be {severity.word}",
            "Give the override a recommendation, too.",
        )


def _overridden(rules: Sequence[RuleT], change: Override) -> Iterator[RuleT]:
    for rule in rules:
        if rule.id != change.rule:
            yield rule
        elif not change.disabled:
            severity = rule.severity if change.severity is None else change.severity
            action = rule.action if change.action is None else change.action
            yield replace(rule, severity=severity, action=action, overridden=change.reason)
