"""`driftscan verify`."""

from driftscan.cli._command import Argument, Call, Command
from driftscan.model.names import show


def _run(call: Call) -> int:
    from driftscan.manifests import files

    path: str = call.settings.file
    lines = [f"  {name:<14} {show(value)}" for name, value in files.verify(path)]
    call.console.write("\n".join([f"{show(path)}: whole", *lines]) + "\n")
    return 0


COMMAND = Command(
    name="verify",
    summary="check that a manifest or snapshot is whole and untampered",
    examples=(("driftscan verify web-2026.11.20.manifest", "format, digests, order; then what it holds"),),
    arguments=(Argument(name="FILE", help="a manifest or a snapshot"),),
    notes=("Exit codes: 0 whole; 2 not a manifest, cut short, or changed since it was written.",),
    run=_run,
)
commands = (COMMAND,)
