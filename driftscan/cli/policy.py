"""`driftscan policy lint`, `list`, `show`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from driftscan.cli._command import Argument, Call, Command
from driftscan.errors import DriftscanError
from driftscan.model.names import show
from driftscan.reports._terminal import Painter, table

if TYPE_CHECKING:
    from driftscan.model.resource import Kind
    from driftscan.policy.model import Control, DriftRule, Policy, Rule

BAD_INPUT = 2


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
            call.console.note(f"{show(name)}: good, {rules} rules")
    if not bad and len(call.settings.policy) > 1:
        _load(call.settings.policy)
    return BAD_INPUT if bad else 0


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
commands = (LINT, LIST, SHOW)
