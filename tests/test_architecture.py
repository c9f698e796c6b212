"""Who may import whom, and what a core must not know. Read the tables; the rest holds the tree against them."""

import ast
import sys
from pathlib import Path

PROTOCOL, WARDEN, BROKER = "ffmesh_protocol", "ffmesh_warden", "ffmesh_broker"
#: Read a row as: this package may import those, itself and what is not ours.
MAY_IMPORT: dict[str, set[str]] = {
    PROTOCOL: set(),
    WARDEN: set(),
    BROKER: {PROTOCOL, WARDEN},
    "ffmesh_agent": {PROTOCOL, WARDEN},
    "ffmesh_coordinator": {PROTOCOL, WARDEN, BROKER},
    "ffmesh_client": {PROTOCOL, WARDEN, BROKER},
}
#: Inside a package, the left never imports the right.
BACKWARDS = [("core", "shell"), ("core", "__main__"), ("shell", "__main__")]
#: The clocks, sockets, disks, dice and loggers that no core knows, nor anything of ours that it imports.
IMPURE = {"aiomqtt", "aiosqlite", "asyncio", "logging", "os", "paho", "pathlib", "psutil", "random", "secrets"} | {
    *("shutil", "socket", "sqlite3", "ssl", "subprocess", "tempfile", "threading", "time"),
    *("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today"),
    *("datetime.now", "datetime.utcnow", "datetime.today", "date.today", "open", "print", "input"),
}
#: The protocol is pure as a whole, what carries packets excepted, and may parse ids; a core is handed them.
CARRIERS, DICE_OF_IDS = {"ffmesh_protocol.bus", "ffmesh_protocol.line"}, "ulid"

ROOT = Path(__file__).parent.parent
FILES = {path.relative_to(ROOT): ast.parse(path.read_bytes()) for path in sorted(ROOT.glob("*/ffmesh_*/**/*.py"))}
#: Our modules by name: agent/ffmesh_agent/core/__init__.py is ffmesh_agent.core.
TREES = {".".join(file.with_suffix("").parts[1:]).removesuffix(".__init__"): tree for file, tree in FILES.items()}


def _reached(tree: ast.Module) -> set[str]:
    """Every name an import reaches, wherever it stands in the module: `from a import b` reaches a and a.b."""
    plain = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert [node.lineno for node in froms if node.level] == [], "a relative import hides who imports whom"
    return plain.union(*({node.module or "", *(f"{node.module}.{a.name}" for a in node.names)} for node in froms))


IMPORTS = {module: _reached(tree) for module, tree in TREES.items()}
ARROWS = sorted((module, name) for module, names in IMPORTS.items() for name in names)
#: The agent's manners decide too, by folds of their own.
CORES = {module for module in TREES if module.split(".")[1:2] in (["core"], ["manners"])}


def _package(name: str) -> str:
    return name.split(".")[0]


def _layer(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


def _closure(modules: set[str]) -> set[str]:
    """These modules and all of ours that they import, however far away."""
    further = {name for module in modules for name in IMPORTS[module] if name in TREES} - modules
    return _closure(modules | further) if further else modules


def test_a_package_imports_only_what_its_row_allows() -> None:
    ours = [(module, name) for module, name in ARROWS if _package(name) in MAY_IMPORT]
    assert [a for a in ours if _package(a[1]) not in MAY_IMPORT[_package(a[0])] | {_package(a[0])}] == []


def test_no_core_imports_a_shell_and_no_shell_a_main() -> None:
    inside = [(module, name) for module, name in ARROWS if _package(module) == _package(name)]
    assert [(module, name) for module, name in inside if (_layer(module), _layer(name)) in BACKWARDS] == []


def test_neither_a_core_nor_the_wire_knows_a_clock_a_socket_a_disk_dice_or_a_logger() -> None:
    pure = _closure(CORES | {module for module in TREES if _package(module) == PROTOCOL} - CARRIERS)
    imported = [(module, _package(name)) for module, name in ARROWS if module in pure]
    called = [(m, ast.unparse(node.func)) for m in pure for node in ast.walk(TREES[m]) if isinstance(node, ast.Call)]
    dice = [(module, name) for module, name in imported if name == DICE_OF_IDS and module in CORES]
    assert sorted({(module, name) for module, name in imported + called if name in IMPURE}) + dice == []


def test_the_process_of_the_warden_runs_on_the_standard_library_alone() -> None:
    process = _closure({f"{WARDEN}.__main__"} & TREES.keys())
    arrows = [(module, _package(name)) for module, name in ARROWS if module in process]
    assert [arrow for arrow in arrows if arrow[1] not in sys.stdlib_module_names | {WARDEN}] == []


def test_nobody_imports_the_private_names_of_another_package() -> None:
    around = [path for folder in ("tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    arrows = ARROWS + [(str(path), name) for path in around for name in _reached(ast.parse(path.read_bytes()))]
    foreign = [(who, name) for who, name in arrows if _package(name) in MAY_IMPORT and _package(name) != _package(who)]
    assert [a for a in foreign if any(part[0] == "_" and part[:2] != "__" for part in a[1].split("."))] == []


def test_every_module_says_what_it_promises() -> None:
    assert [str(file) for file, tree in FILES.items() if tree.body and not ast.get_docstring(tree)] == []


def test_every_package_has_a_row_and_no_folder_of_tests_is_a_package() -> None:
    assert {_package(module) for module in TREES} == MAY_IMPORT.keys()
    assert [str(path) for path in (ROOT / "tests").rglob("__init__.py")] == []
