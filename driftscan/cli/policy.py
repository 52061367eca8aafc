"""`driftscan policy lint`, `test`, `list`, `show`, `schema`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from driftscan.cli import _options as opt
from driftscan.cli._command import Argument, Call, Command
from driftscan.errors import DriftscanError
from driftscan.model.names import show
from driftscan.reports._terminal import Painter, table
from driftscan.reports._words import plural

if TYPE_CHECKING:
    from driftscan.model.resource import Kind
    from driftscan.policy.model import Control, DriftRule, Policy, Rule

BAD_INPUT = 2
FAILED = 1


def _kinds() -> "Mapping[str, Kind]":
    from driftscan.scan.parsing import kinds

    return kinds()


def _load(names: Sequence[str]) -> "tuple[Policy, ...]":
    from driftscan.policy.load import load

    return load(names, _kinds())


def _lint(call: Call) -> int:
    """Each file by itself, so that one bad file does not hide the next; then all together."""
    bad = False
    for name in call.settings.policy:
        try:
            loaded = _load([name])
        except DriftscanError as error:
            call.console.error(error)
            bad = True
        else:
            rules = sum(len(policy.rules) for policy in loaded)
            call.console.note(f"{show(name)}: good, {plural(rules, 'rule')}")
    if not bad and len(call.settings.policy) > 1:
        _load(call.settings.policy)
    return BAD_INPUT if bad else 0


def _test(call: Call) -> int:
    """Each name by itself: what a policy does to one that it extends is no matter of the latter's cases."""
    from driftscan.cli import _policy_test as printed
    from driftscan.policy.load import load_own, shipped
    from driftscan.policy.trial import trials

    settings, console = call.settings, call.console
    names, kinds = settings.policy or shipped(), _kinds()
    policies = [policy for name in names for policy in load_own(name, kinds)]
    found = list(trials(policies, flip=settings.mutate))
    if settings.json:
        console.write(printed.as_json(found))
    else:
        shown = found if settings.verbose else [trial for trial in found if not trial.passed]
        console.writelines(f"{line}\n" for trial in shown for line in printed.text(trial))
        console.write(printed.summary(found) + "\n")
    return 0 if all(trial.passed for trial in found) else FAILED


def _schema(call: Call) -> int:
    import json

    from driftscan import atomic
    from driftscan.cli._outputs import check_writable
    from driftscan.policy.schema import schema

    path = call.settings.output
    if path:
        check_writable(path, "-o")
    text = json.dumps(schema(_kinds()), indent=1) + "\n"
    if path:
        atomic.write(path, [text.encode()])
        call.console.note(f"{show(path)}: the schema of policy files, as this driftscan reads them")
    else:
        call.console.write(text)
    return 0


def _list(call: Call) -> int:
    from driftscan.policy.load import shipped

    rows = []
    for name in shipped():
        policies = _load([name])
        drift = sum(len(policy.drift) for policy in policies)
        controls = sum(len(policy.controls) for policy in policies)
        titles = "; ".join(show(policy.title) for policy in policies)
        rows.append([name, str(drift), str(controls), titles])
    widths = [None, None, None, max(30, call.console.width - 50)]
    call.console.write(table(rows, ["POLICY", "DRIFT RULES", "CONTROLS", "TITLE"], widths) + "\n")
    return 0


def _show(call: Call) -> int:
    painter = Painter(call.console.style)
    blocks = [_policy(policy, painter) for policy in _load([call.settings.policy])]
    call.console.write("\n\n".join(blocks) + "\n")
    return 0


def _policy(policy: "Policy", painter: Painter) -> str:
    head = painter.paint(f"{show(policy.id)} {policy.version}: {show(policy.title)}", "bold")
    lines = [head, f"  {show(policy.file)}"]
    for parameter in policy.parameters.values():
        lines += painter.wrap(f"parameter {parameter.name} = {parameter.value}: {show(parameter.doc)}", "  ", "    ")
    lines += [f"  patch window: {window}" for window in policy.windows]
    drift, controls = list(policy.drift), list(policy.controls)
    if drift:
        lines += ["", painter.paint("  What a change means (the most severe rule that fits decides)", "bold")]
        lines += [line for rule in drift for line in _drift(rule, painter)]
    if controls:
        lines += ["", painter.paint("  What must hold", "bold")]
        lines += [line for control in controls for line in _control(control, painter)]
    return "\n".join(lines)


def _drift(rule: "DriftRule", painter: Painter) -> list[str]:
    verdict = f"allowed: {show(rule.allow)}" if rule.allow else f"{rule.severity.word}, {rule.action.word}"
    return [*_rule(rule, painter), *painter.wrap(verdict, "      ")]


def _control(control: "Control", painter: Painter) -> list[str]:
    refs = ", ".join(f"{name} {' '.join(ids)}" for name, ids in sorted(control.refs.items()))
    lines = [*_rule(control, painter), *painter.wrap(f"{control.severity.word}, {control.action.word}", "      ")]
    lines += painter.wrap(f"fix: {show(control.fix)}", "      ") if control.fix else []
    return lines + (painter.wrap(show(refs), "      ") if refs else [])


def _rule(rule: "Rule", painter: Painter) -> list[str]:
    lines = painter.wrap(f"{show(rule.id)} (line {rule.ref.line}): {show(rule.title)}", "    ", "      ")
    return lines + (painter.wrap(f"why: {show(rule.why)}", "      ") if rule.why else [])


LINT = Command(
    name="policy lint",
    summary="check policy files",
    examples=(
        ("driftscan policy lint policies/ours.yaml", "each problem with file:line:column and what was probably meant"),
        ("driftscan policy lint policies/*.yaml", "also that they fit together"),
    ),
    arguments=(Argument(name="POLICY", many=True, least=1, help="files, folders, or names of shipped policies"),),
    notes=("Exit codes: 0 all are good; 2 some are not.",),
    run=_lint,
)
TEST = Command(
    name="policy test",
    summary="run the cases that rules carry",
    examples=(
        ("driftscan policy test policies/ours.yaml", "each case that came out otherwise, and why"),
        ("driftscan policy test policies --mutate", "also whether a mistake in a rule would be noticed"),
        ("driftscan policy test", "the shipped policies"),
    ),
    arguments=(Argument(name="POLICY", many=True, help="files, folders, or shipped names; else all that are shipped"),),
    options=(opt.MUTATE, opt.JSON),
    notes=(
        "A rule fails by a missing or unexpected finding, by a result for which it has no case, and if it never fires.",
        "Exit codes: 0 all rules passed; 1 some failed; 2 a file is wrong.",
    ),
    run=_test,
)
LIST = Command(
    name="policy list",
    summary="list the policies that are shipped",
    examples=(("driftscan policy list", "names for `scan -p`"),),
    run=_list,
)
SHOW = Command(
    name="policy show",
    summary="show the rules of a policy",
    examples=(("driftscan policy show immutable-core", "each rule, why it is there, and what it asks for"),),
    arguments=(Argument(name="POLICY", help="a shipped policy's name, or a file"),),
    run=_show,
)
SCHEMA = Command(
    name="policy schema",
    summary="print the JSON Schema of policy files, for editors",
    examples=(
        ("driftscan policy schema -o policy.schema.json", "with every kind, column and operator of this version"),
    ),
    options=(opt.OUTPUT,),
    notes=("docs/policy.md says how an editor is told of it.",),
    run=_schema,
)
commands = (LINT, TEST, LIST, SHOW, SCHEMA)
