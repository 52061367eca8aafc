"""Report files: checked before the scan begins, written whole or not at all."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from driftscan import atomic
from driftscan.errors import DriftscanError, IncompleteError, UsageError
from driftscan.model.names import show
from driftscan.model.result import ScanResult
from driftscan.reports._base import Report, Style

FILE_STYLE = Style(width=100)
BOM = "cyclonedx"
"""A format that is made of a manifest or snapshot alone (docs/adr/0033)."""
MOST_SUMMARY = (1 << 20) - 1024
SUMMARY_CUT = b"\n**Cut off: GitHub shows 1 MiB. Write a report with `--report` and keep it as an artifact.**\n"


@dataclass(frozen=True, slots=True)
class Output:
    """One report file to write."""

    report: Report
    path: str


def formats() -> dict[str, Report]:
    """All report formats by name."""
    from driftscan.plugins import discover

    return discover("driftscan.reports", "report", Report)


def screen_format(name: str) -> Report:
    """The format of `-o`. UsageError for one that there is not, or that is for files alone."""
    found = formats()
    if name in found and found[name].screen:
        return found[name]
    offered = ", ".join(report.name for report in found.values() if report.screen)
    if name in found:
        raise UsageError(f"-o {name}: this format is for files", f"Use --report {name}:FILE; -o takes {offered}.")
    raise UsageError(f"-o {name}: no such format", f"There are {offered}.")


def outputs(words: Iterable[str], later: str = "") -> tuple[Output, ...]:
    """What `--report FORMAT:PATH` asks for. UsageError for an unknown format, and for a path that cannot be
    written: better said now than after the scan. `later`: a directory that will be there then."""
    words = tuple(words)
    found = formats() if words else {}
    return tuple(Output(found[name], path) for name, path in plan(words, found, later))


def plan(words: Iterable[str], names: Iterable[str], later: str = "") -> tuple[tuple[str, str], ...]:
    """(format, path) of each FORMAT:PATH, for formats of these names. Errors as `outputs`."""
    names = tuple(names)
    planned: dict[str, tuple[str, str]] = {}
    for word in words:
        name, colon, path = word.partition(":")
        if name == BOM:
            raise UsageError(
                f"--report {word}: a bill of materials is of a manifest or a snapshot, and a scan holds neither",
                f"Use driftscan report {BOM}:FILE --from manifest:web.manifest.",
            )
        if not colon or not path or name not in names:
            raise UsageError(
                f"--report {word}: not FORMAT:PATH",
                f"FORMAT is one of {', '.join(names)}; for example json:report.json.",
            )
        path = os.path.expanduser(path)
        if os.path.dirname(os.path.abspath(path)) != later:
            check_writable(path, f"--report {word}")
        if os.path.realpath(path) in planned:
            raise UsageError(f"--report {word}: another report goes to the same file", "Give each its own file.")
        planned[os.path.realpath(path)] = name, path
    return tuple(planned.values())


def check_writable(path: str, what: str) -> None:
    """UsageError if a file could not be created or replaced there."""
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path):
        raise UsageError(f"{what}: {path} is a directory", "Give the name of a file.")
    if not os.path.isdir(folder):
        raise UsageError(f"{what}: there is no directory {folder}", "Create it first.")
    target = path if _is_special(path) else folder
    if not os.access(target, os.W_OK):
        raise UsageError(
            f"{what}: {target} may not be written by you", "Choose another place, or change its permissions."
        )


def write_all(planned: Iterable[Output], result: ScanResult) -> list[DriftscanError]:
    """Write each report whole; what could not be written. One that fails does not stop the others."""
    failed = []
    for output in planned:
        try:
            write(output.path, output.report.render(result, FILE_STYLE), shared=output.report.shared)
        except DriftscanError as error:
            failed.append(error)
    return failed


def once(report: Report) -> Report:
    """The format for one result that goes to several places: rendered where it is first asked for, and held. For those
    that heed no style."""
    held: list[str] = []

    def render(result: ScanResult, style: Style) -> Iterator[str]:
        if not held:
            held.extend(report.render(result, style))
        return iter(held)

    return replace(report, render=render)


def append_summary(screen: Report, result: ScanResult, environ: Mapping[str, str]) -> None:
    """The page that goes with a format of the screen, at the end of the file that GitHub Actions names for it. GitHub
    refuses one above 1 MiB: what is cut off is said. IncompleteError if it cannot be written."""
    path = environ.get("GITHUB_STEP_SUMMARY", "")
    if not path or not screen.summary:
        return
    pieces = formats()[screen.summary].render(result, FILE_STYLE)
    try:
        with open(path, "ab") as stream:
            stream.writelines(_fitting(pieces, MOST_SUMMARY - stream.tell()))
    except OSError as error:
        raise IncompleteError(f"{show(path)}: the step's summary cannot be written: {error.strerror}") from None


def _fitting(pieces: Iterable[str], room: int) -> Iterator[bytes]:
    """Whole pieces as far as they and the sentence about the rest fit."""
    room -= len(SUMMARY_CUT)
    fenced = False
    for piece in pieces:
        data = piece.encode("utf-8", "backslashreplace")
        room -= len(data)
        if room < 0:
            yield (b"  ```\n" if fenced else b"") + SUMMARY_CUT
            return
        fenced ^= piece.lstrip().startswith("```")
        yield data


def write(path: str, pieces: Iterable[str], *, shared: bool = False) -> None:
    """A report, whole or not at all; into a device or pipe as it is made. `shared`: see `atomic.write`. DriftscanError
    if it cannot be written."""
    data = (piece.encode("utf-8", "backslashreplace") for piece in pieces)
    if not _is_special(path):
        atomic.write(path, data, shared=shared)
        return
    try:
        with open(path, "wb") as stream:
            stream.writelines(data)
    except OSError as error:
        raise IncompleteError(f"{show(path)}: cannot be written: {error.strerror}") from None


def _is_special(path: str) -> bool:
    """A device or a pipe, which is written to and not replaced."""
    return os.path.exists(path) and not os.path.isfile(path)
