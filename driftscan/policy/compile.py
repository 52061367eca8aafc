"""A policy file that has passed its schema becomes a `Policy`; what no schema can say is checked here."""

from collections.abc import Iterator, Mapping
from typing import Any

from driftscan.model.codec import canonical, digest
from driftscan.model.finding import Action, RuleRef, Severity
from driftscan.model.resource import Kind, Value
from driftscan.policy.compile_cases import compile_cases
from driftscan.policy.compile_control import compile_control
from driftscan.policy.compile_match import compile_match
from driftscan.policy.model import Applies, Control, DriftRule, Extension, Override, Parameter, Policy
from driftscan.policy.scope import Scope
from driftscan.policy.window import compile_windows
from driftscan.schema_check import Path, quoted
from driftscan.yaml_strict import Document, listed

_TYPES: Mapping[str, type] = {"text": str, "number": int, "truth": bool, "list": list}


def compile_policy(document: Document, kinds: Mapping[str, Kind], settings: Mapping[str, Value]) -> Policy:
    """The policy of a document with some of its parameters set. UsageError that lists every problem."""
    data = document.data
    scope = Scope(document, kinds)
    parameters = {name: _parameter(scope, name, raw) for name, raw in data.get("parameters", {}).items()}
    scope.values = {name: parameter.value for name, parameter in parameters.items()} | dict(settings)
    applies = _applies(scope, data, ())
    drift: list[DriftRule] = []
    controls: list[Control] = []
    seen: dict[str, Path] = {}
    for index, raw in enumerate(data.get("rules", ())):
        path: Path = ("rules", index)
        if raw["id"] in seen:
            first = document.position((*seen[raw["id"]], "id"))
            scope.problem((*path, "id"), f"the rule id {quoted(raw['id'])} stands twice; first at {first}")
        seen.setdefault(raw["id"], path)
        common = _common(scope, data["policy"], raw, path, applies)
        if "on" in raw:
            drift.append(_drift(scope, raw, path, common))
        else:
            controls.append(compile_control(scope, raw, path, common))
    for name in sorted(set(parameters) - scope.used):
        scope.problem(("parameters", name), f"no rule uses the parameter {quoted(name)}", key=True)
    if not seen and not {"extends", "patch_window", "waivers"} & set(data):
        scope.problem(("policy",), "this policy has no rules and extends none", key=True)
    windows = compile_windows(scope, data["patch_window"], ("patch_window",)) if "patch_window" in data else ()
    extends = tuple(_extension(scope, raw, ("extends", index)) for index, raw in enumerate(data.get("extends", ())))
    scope.finish()
    return Policy(
        id=data["policy"],
        version=data["version"],
        title=data["title"],
        file=document.file,
        digest=digest(canonical([data, {name: _plain(value) for name, value in settings.items()}])),
        applies=applies,
        windows=windows,
        waiver_days={Severity.parse(word): days for word, days in data.get("waivers", {}).get("max_days", {}).items()},
        parameters=parameters,
        extends=extends,
        drift=tuple(drift),
        controls=tuple(controls),
    )


def _plain(value: Value) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _common(scope: Scope, policy: str, raw: Mapping[str, Any], path: Path, applies: tuple[Applies, ...]) -> Any:
    severity, action = raw.get("severity", "info"), raw.get("recommendation", "observe")
    if action == "quarantine" and severity != "critical":
        scope.problem((*path, "severity"), "'quarantine' goes with severity 'critical' alone", key=True)
    return {
        "id": raw["id"],
        "policy": policy,
        "title": raw["title"],
        "severity": Severity.parse(severity),
        "action": Action.parse(action),
        "why": raw.get("why", ""),
        "ref": RuleRef(raw["id"], scope.document.file, scope.line(path), raw.get("why", raw.get("allow", "")), policy),
        "applies": applies + _applies(scope, raw, path),
        "tests": compile_cases(scope, raw, path),
    }


def _applies(scope: Scope, raw: Mapping[str, Any], path: Path) -> tuple[Applies, ...]:
    given = raw.get("applies_to")
    if not given:
        return ()
    for name in ("os", "role", "image"):
        for glob in listed(given.get(name)):
            if what := _fits_nothing(name, glob):
                scope.problem((*path, "applies_to", name), f"{quoted(glob)} fits no host: {what}")
    parts = {name: listed(given[name]) for name in ("os", "role", "image") if name in given}
    return (Applies(**parts, label={name: listed(value) for name, value in given.get("label", {}).items()}),)


def _fits_nothing(name: str, glob: str) -> str:
    """Why: else a policy would be for nobody, and all would seem well."""
    if glob.startswith("!"):
        return "there is no 'all but'; name those that are meant"
    if name == "os" and (" " in glob or glob != glob.lower()):
        return "write ID of os-release, or ID/VERSION_ID, in lower case, such as debian or debian/12"
    return ""


def _drift(scope: Scope, raw: Mapping[str, Any], path: Path, common: Mapping[str, Any]) -> DriftRule:
    allow = raw.get("allow", "")
    if allow and not {"cause", "subject", "key"} & set(raw["match"]):
        scope.problem((*path, "match"), "'allow' must say of what: give a cause, a subject or a key")
    judged = [name for name in ("severity", "recommendation", "why") if name in raw]
    if allow and judged:
        scope.problem((*path, judged[0]), f"'allow' accepts the mutation: '{judged[0]}' says nothing then", key=True)
    elif not allow and len(judged) < 3:
        lacking = next(name for name in ("severity", "recommendation", "why") if name not in raw)
        scope.problem(path, f"drift rule lacks the key '{lacking}' (or 'allow' with a reason)", key=True)
    return DriftRule(**common, match=compile_match(scope, raw["match"], (*path, "match")), allow=allow)


def _parameter(scope: Scope, name: str, raw: Mapping[str, Any]) -> Parameter:
    path: Path = ("parameters", name)
    bounds = [each for each in ("minimum", "maximum") if each in raw]
    if bounds and raw["type"] != "number":
        scope.problem((*path, bounds[0]), f"'{bounds[0]}' is for numbers", key=True)
    default = raw["default"]
    found = Parameter(
        name=name,
        type=raw["type"],
        value=tuple(default) if isinstance(default, list) else default,
        doc=raw["doc"],
        minimum=raw.get("minimum"),
        maximum=raw.get("maximum"),
        choices=tuple(raw.get("choices", ())),
    )
    for what in misfit(found, default):
        scope.problem((*path, "default"), what)
    return found


def misfit(parameter: Parameter, value: Any) -> Iterator[str]:
    """What keeps a value from being one of the parameter's."""
    if type(value) is not _TYPES[parameter.type]:
        yield f"the parameter '{parameter.name}' is a {parameter.type}, {quoted(value)} is not"
        return
    items = value if isinstance(value, list) else [value]
    if not items:
        yield f"the parameter '{parameter.name}' cannot be an empty list"
    for item in items:
        if parameter.choices and item not in parameter.choices:
            yield f"{quoted(item)} is none of the choices: {', '.join(map(str, parameter.choices))}"
        if parameter.minimum is not None and isinstance(item, int) and item < parameter.minimum:
            yield f"{item} is out of range: expected at least {parameter.minimum}"
        if parameter.maximum is not None and isinstance(item, int) and item > parameter.maximum:
            yield f"{item} is out of range: expected at most {parameter.maximum}"


def _extension(scope: Scope, raw: Any, path: Path) -> Extension:
    if isinstance(raw, str):
        return Extension(policy=raw, path=path)
    overrides: list[Override] = []
    for index, each in enumerate(raw.get("overrides", ())):
        where: Path = (*path, "overrides", index)
        if not {"severity", "recommendation", "disabled"} & set(each):
            scope.problem(where, "this override changes nothing: give severity, recommendation, or disabled", key=True)
        overrides.append(
            Override(
                rule=each["rule"],
                reason=each["reason"],
                severity=Severity.parse(each["severity"]) if "severity" in each else None,
                action=Action.parse(each["recommendation"]) if "recommendation" in each else None,
                disabled=each.get("disabled", False),
                path=where,
            )
        )
    settings = {name: tuple(value) if isinstance(value, list) else value for name, value in raw.get("set", {}).items()}
    return Extension(policy=raw["policy"], settings=settings, overrides=tuple(overrides), path=path)
