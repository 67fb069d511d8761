"""The architecture, read from the syntax trees: imports point down, and concepts stay with their owners."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import doit_mcp

ROOT = Path(doit_mcp.__file__).parent
BELOW = {
    "protocol": "",
    "settings": "",
    "observability": "process",
    "resilience": "observability",
    "process": "",
    "auth": "protocol resilience observability process",
    "api": "protocol observability resilience process",
    "events": "api protocol resilience process",
    "catalog": "api events protocol resilience process",
    "server": "catalog events api protocol resilience observability process",
    "redis_state": "server catalog events auth protocol resilience process",
    "sandbox": "protocol observability",
    "check": "redis_state auth protocol resilience settings",
    "transports": "check server catalog events api protocol auth redis_state settings observability resilience process",
    "cli": "transports check sandbox process settings observability",
    "__main__": "cli",
}
# The only module that connects objects of different layers.
WIRING = {"transports.http.app"}
TREES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): ast.parse(path.read_bytes())
    for path in sorted(ROOT.rglob("*.py"))
}
SCRIPTS = sorted((ROOT.parent / "scripts").rglob("*.py"))
MAX_MODULE_LINES, MAX_FUNCTION_LINES = 300, 45
DATE = re.compile(r"20\d\d-[01]\d-[0-3]\d")


def find_imports(module: str) -> Iterator[str]:
    """Yield the modules of this package that *module* imports, including local and type-checking imports."""
    for node in ast.walk(TREES[module]):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.split(".")[0] == "doit_mcp"]
        elif isinstance(node, ast.ImportFrom):
            base = ["doit_mcp", *module.split(".")][: -node.level] if node.level else []
            base += node.module.split(".") if node.module else []
            names = [".".join([*base, alias.name]) for alias in node.names] if base[0] == "doit_mcp" else []
        for name in names:
            parts = name.split(".")[1:]
            # A name may be a module or an attribute of one; a folder is its __init__.
            paths = (parts, [*parts, "__init__"], parts[:-1], [*parts[:-1], "__init__"])
            yield next(imported_module for path in paths if (imported_module := ".".join(path)) in TREES)


def test_imports_are_detected() -> None:
    assert set(find_imports("protocol.request_metadata")) == {
        "protocol.client_info",
        "protocol.jsonrpc",
        "protocol.revisions",
    }


@pytest.mark.parametrize("module", TREES)
def test_imports_point_down(module: str) -> None:
    layer = module.split(".")[0]
    if layer == "__init__":
        assert not list(find_imports(module))
        return
    allowed = {layer, "__init__", *BELOW[layer].split()}
    if module in WIRING:
        allowed |= set(BELOW)
    wrong = sorted({other for other in find_imports(module) if other.split(".")[0] not in allowed})
    assert not wrong, f"{module} may import from {', '.join(sorted(allowed))} only, not {', '.join(wrong)}"


def test_no_cycles() -> None:
    graph = {module: {other for other in find_imports(module) if other != module} for module in TREES}
    assert len(list(TopologicalSorter(graph).static_order())) == len(TREES)


def catalog_parts() -> dict[str, set[str]]:
    """Return the packages and modules of the catalog, with those that each imports."""
    parts: dict[str, set[str]] = {}
    for module in TREES:
        layer, _, rest = module.partition(".")
        if layer == "catalog" and rest != "__init__":
            part = rest.partition(".")[0]
            others = {other.split(".")[1] for other in find_imports(module) if other.startswith("catalog.")}
            parts.setdefault(part, set()).update(others - {part, "__init__"})
    return parts


def test_parts_of_the_catalog_import_in_one_direction() -> None:
    parts = catalog_parts()
    assert parts["savings"] >= {"commitments", "costs", "periods"}
    assert len(list(TopologicalSorter(parts).static_order())) == len(parts)


def docstrings(tree: ast.AST) -> set[ast.expr]:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    bodies = (node.body for node in ast.walk(tree) if isinstance(node, kinds))
    return {body[0].value for body in bodies if body and isinstance(body[0], ast.Expr)}


def dates(module: str) -> list[str]:
    tree = TREES[module]
    prose = docstrings(tree)
    texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and node not in prose)
    return [text for text in texts if isinstance(text, str) and DATE.fullmatch(text)]


def test_revisions_are_named_in_one_module() -> None:
    revisions = set(dates("protocol.revisions"))
    assert len(revisions) == 5
    assert {module: dates_found for module in TREES if (dates_found := revisions & set(dates(module)))} == {
        "protocol.revisions": revisions
    }


@pytest.mark.parametrize("module", TREES)
def test_modules_are_small_and_have_a_docstring(module: str) -> None:
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    lines = len(path.read_text().splitlines())
    assert lines <= MAX_MODULE_LINES, f"{module} has {lines} lines; at most {MAX_MODULE_LINES} are allowed: split it"
    vague = set(module.split(".")) & {"utils", "util", "helpers", "common", "misc"}
    assert not vague, f"{module}: name it for what it contains instead of {', '.join(vague)}"
    assert ast.get_docstring(TREES[module]), f"{module} needs a docstring"


def long_functions(tree: ast.AST) -> list[tuple[str, int]]:
    """Return the functions with too many lines. Decorators, which are facts of a declaration, do not count."""
    functions = (node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))
    lines = [(function.name, (function.end_lineno or 0) - function.lineno + 1) for function in functions]
    return [(name, count) for name, count in lines if count > MAX_FUNCTION_LINES]


@pytest.mark.parametrize("module", TREES)
def test_functions_are_short(module: str) -> None:
    problems = [
        f"{module}.{name} has {count} lines; at most {MAX_FUNCTION_LINES} are allowed"
        for name, count in long_functions(TREES[module])
    ]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_scripts_are_small(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= MAX_MODULE_LINES
    assert long_functions(ast.parse(text)) == []


@pytest.mark.parametrize("module", TREES)
def test_only_settings_reads_the_environment(module: str) -> None:
    read = {node.attr for node in ast.walk(TREES[module]) if isinstance(node, ast.Attribute)}
    read |= {alias.name for node in ast.walk(TREES[module]) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert module == "settings.__init__" or not read & {"environ", "environb", "getenv"}
