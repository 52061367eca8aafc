"""The floors of ARCHITECTURE.md, no cycles, one home for each outside library; every plugin is tested by name.

That every collector has cases, a broken one among them, is tested in tests/collectors.
"""

import ast
import re
import shlex
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from driftscan.capture.probe.render import OWN, SHARED, script

PACKAGE = Path(__file__).parent.parent / "driftscan"
TESTS = Path(__file__).parent
FLOORS = (
    {"model", "errors", "schema_fast"},
    {"plugins", "schema_check", "content", "atomic", "stored", "compressed"},
    {"yaml_strict", "aws"},
    {"transports"},
    {
        "inventory",
        "manifests",
        "archives",
        "advisories",
        "capture",
        "collectors",
        "zones",
        "changes",
        "waivers",
        "compare",
        "policy",
        "reports",
        "store",
        "alerts",
    },
    {"scan"},
    {"cli"},
)
FLOOR_OF = {name: floor for floor, names in enumerate(FLOORS) for name in names}
HOMES = {
    "subprocess": {"transports/local.py", "transports/_process.py", "transports/hook.py"},
    "paramiko": {"transports/"},
    "yaml": {"yaml_strict.py"},
    "boto3": {"aws.py"},
    "botocore": {"aws.py"},
    "sqlite3": {"store/"},
    "sqlalchemy": {"store/"},
    "alembic": {"store/"},
    "psycopg": {"store/"},
    "jsonschema": {"schema_check.py"},
    "deepdiff": {"compare/texts.py"},
    "tabulate": {"reports/"},
    "jinja2": {"reports/_page/markup.py", "alerts/template.py"},
    "apprise": {"alerts/send.py"},
    "markupsafe": {"reports/_page/markup.py"},
    "backports": {"compressed.py"},
    "cvss": {"advisories/severity.py"},
}
PURE = ("collectors", "compare", "policy")
CLOCKS_AND_NOISE = {"logging", "time", "datetime.now", "datetime.utcnow", "datetime.today"}
LARGEST = 500


@cache
def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def rooms() -> dict[str, list[Path]]:
    """Modules by the package, or module, of the top that they are of."""
    found: dict[str, list[Path]] = {}
    for path in modules():
        found.setdefault(place(path).split("/")[0].removesuffix(".py"), []).append(path)
    return found


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def place(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def room(name: str) -> str:
    return name.split(".")[1] if name.count(".") else ""


@pytest.mark.parametrize("own", sorted(FLOOR_OF))
def test_imports_run_down(own: str) -> None:
    for path in rooms()[own]:
        for name in imports(path):
            other = room(name) if name.startswith("driftscan.") else ""
            if other in FLOOR_OF and other != own:
                assert FLOOR_OF[other] < FLOOR_OF[own] or {own, other} <= FLOORS[0], f"{place(path)} imports {name}"


def test_every_room_has_a_floor() -> None:
    assert rooms().keys() - {"__init__", "__main__"} == set(FLOOR_OF)


def test_no_cycles() -> None:
    names = {
        "driftscan." + place(path).removesuffix(".py").removesuffix("/__init__").replace("/", "."): path
        for path in modules()
    }
    graph = {
        name: {other for other in known_modules(path) if other in names and other != name}
        for name, path in names.items()
    }
    done: set[str] = set()
    for name in sorted(graph):
        visit(name, graph, [], done)


def known_modules(path: Path) -> Iterator[str]:
    """What a module needs to be understood, wherever in it: inside functions and for types alone, too."""
    yield from modules_of(ast.walk(tree(path)))


def run_time_imports(path: Path) -> Iterator[str]:
    """Imports at the top of a module."""
    yield from modules_of(tree(path).body)


def modules_of(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            inside = [name for name in names if (PACKAGE.parent / (name.replace(".", "/") + ".py")).exists()]
            yield from inside
            if len(inside) < len(names):
                yield node.module


def visit(name: str, graph: dict[str, set[str]], trail: list[str], done: set[str]) -> None:
    assert name not in trail, " -> ".join([*trail, name])
    if name in done:
        return
    for other in sorted(graph[name]):
        visit(other, graph, [*trail, name], done)
    done.add(name)


def test_outside_libraries_have_one_home() -> None:
    for path in modules():
        for name in imports(path):
            homes = HOMES.get(name.split(".")[0])
            if homes is not None:
                assert any(place(path).startswith(home) for home in homes), f"{place(path)} imports {name}"


@pytest.mark.parametrize("own", PURE)
def test_pure_rooms_have_no_clock_and_make_no_noise(own: str) -> None:
    for path in rooms()[own]:
        assert not CLOCKS_AND_NOISE & set(imports(path)), place(path)
        calls = {ast.unparse(node.func) for node in ast.walk(tree(path)) if isinstance(node, ast.Call)}
        noise = {"print", "open", "datetime.now", "time.time", "time.monotonic", "datetime.utcnow"} & calls
        assert not noise, place(path)


def test_files_are_rooms_not_halls() -> None:
    assert [place(path) for path in modules() if len(path.read_text().split("\n")) > LARGEST] == []


def test_functions_fit_a_screen() -> None:
    for path in modules():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef) and node.end_lineno:
                assert node.end_lineno - node.lineno < 60, f"{place(path)}: {node.name}"


def test_the_program_for_targets_is_whole_and_all_of_it_is_ours() -> None:
    """Its parts share one namespace there: what one imports of another stands before it, and no two have one name."""
    names: dict[str, str] = {}
    standing: set[str] = set()
    folders = [(PACKAGE / "model", name) for name in SHARED] + [(PACKAGE / "capture/probe", name) for name in OWN]
    for folder, name in folders:
        for module in run_time_imports(folder / name):
            if module.startswith("driftscan."):
                assert module.rpartition(".")[2] + ".py" in standing, f"{name} needs {module} before it"
            else:
                assert module.partition(".")[0] in sys.stdlib_module_names
        for defined in top_level(folder / name):
            assert names.setdefault(defined, name) == name, f"{defined}: {name} and {names[defined]}"
        standing.add(name)
    program = script()
    ast.parse(shlex.split(program.partition("DRIFTSCAN_WORKER=")[2])[0], feature_version=(3, 6))
    assert "import driftscan" not in program
    assert "from driftscan" not in program
    assert "TYPE_CHECKING" not in program


def top_level(path: Path) -> Iterator[str]:
    for node in tree(path).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name))


def plugins(folder: str) -> list[str]:
    return sorted(path.stem for path in (PACKAGE / folder).glob("*.py") if not path.name.startswith("_"))


@pytest.mark.parametrize(
    ("folder", "tests"), [("compare/folds", "compare"), ("reports", "reports"), ("inventory", "inventory")]
)
def test_every_other_plugin_is_tested_by_name(folder: str, tests: str) -> None:
    text = "\n".join(path.read_text() for path in (TESTS / tests).rglob("*.py"))
    files = "\n".join(path.name for path in (TESTS / tests).rglob("*"))
    missing = [name for name in plugins(folder) if not re.search(rf"\b{name}\b|{name}", text + files)]
    assert not missing
