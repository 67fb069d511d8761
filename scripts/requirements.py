"""The requirements page of the docs: each requirement with its sentence and the tests that are marked with its id.

Sentences come from docs/security/requirements.toml, tests from ``@pytest.mark.requirement("T1", ...)`` on functions and
classes and from ``pytestmark`` of modules. Tests are parsed, not imported.
"""

from __future__ import annotations

import ast
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "docs" / "security" / "requirements.toml"
TESTS = ROOT / "tests"

INTRODUCTION = """\
Requirements and their tests
============================

Each requirement is a sentence about what the server does. The tests beside it are marked with its id and fail if the
sentence is no longer true. Paths are relative to ``tests/``.
"""


@dataclass(frozen=True, slots=True)
class Section:
    """A group of requirements: sentences by id."""

    title: str
    sentences: dict[str, str]


@dataclass(frozen=True, slots=True)
class MarkedTest:
    """A test, or a whole module if *name* is empty, and the requirements it is marked with."""

    file: str
    name: str
    requirements: tuple[str, ...]


def read_sections(source: Path = SOURCE) -> tuple[list[Section], dict[str, str]]:
    """The sections, and why some requirements have no test, by id."""
    document = tomllib.loads(source.read_text("utf-8"))
    return [Section(section["title"], section["requirements"]) for section in document["section"]], document["untested"]


def find_marked_tests(directory: Path = TESTS) -> list[MarkedTest]:
    """Every marked test below *directory*, in the order of files and lines."""
    texts = ((path, path.read_text("utf-8")) for path in sorted(directory.rglob("test_*.py")))
    return [
        MarkedTest(path.relative_to(directory).as_posix(), name, ids)
        for path, text in texts
        if "mark.requirement" in text
        for name, ids in _markers(ast.parse(text))
    ]


def _markers(module: ast.Module) -> Iterator[tuple[str, tuple[str, ...]]]:
    for node in module.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["pytestmark"]:
            marks = node.value.elts if isinstance(node.value, ast.List | ast.Tuple) else [node.value]
            yield from (("", ids) for mark in marks if (ids := _marker_ids(mark)))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _marked_tests(node)


def _marked_tests(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> Iterator[tuple[str, tuple[str, ...]]]:
    ids = tuple(requirement for decorator in node.decorator_list for requirement in _marker_ids(decorator))
    if ids:
        yield node.name, ids
    if isinstance(node, ast.ClassDef):
        for member in node.body:
            if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from ((f"{node.name}::{name}", member_ids) for name, member_ids in _marked_tests(member))


def _marker_ids(node: ast.expr) -> tuple[str, ...]:
    """The ids in ``pytest.mark.requirement("T1", "T2")``; () for any other expression."""
    if not isinstance(node, ast.Call) or ast.unparse(node.func) != "pytest.mark.requirement":
        return ()
    return tuple(str(ast.literal_eval(argument)) for argument in node.args)


def requirements_page() -> str:
    """The page as reStructuredText, without the comment at its top."""
    sections, untested = read_sections()
    tests: dict[str, list[MarkedTest]] = defaultdict(list)
    for test in find_marked_tests():
        for requirement in test.requirements:
            tests[requirement].append(test)
    parts = [INTRODUCTION]
    for section in sections:
        rows = [_row("Id", "Requirement", ["Tests"])]
        for requirement, sentence in section.sentences.items():
            lines = _test_lines(tests[requirement]) or [f"Untested: {untested.get(requirement, '')}"]
            rows.append(_row(requirement, sentence, lines))
        head = f".. list-table::\n   :header-rows: 1\n   :widths: 6 44 50\n\n{''.join(rows)}"
        parts.append(f"{section.title}\n{'-' * len(section.title)}\n\n{head}")
    return "\n\n".join(parts)


def _test_lines(tests: Sequence[MarkedTest]) -> list[str]:
    """A line for each file with its tests."""
    lines = []
    for file, group in groupby(tests, key=lambda test: test.file):
        names = [f"``{test.name}``" for test in group if test.name]
        lines.append(f"``{file}``" + (f": {', '.join(names)}" if names else ""))
    return lines


def _row(requirement: str, sentence: str, lines: Sequence[str]) -> str:
    cell = (
        f"- {lines[0]}"
        if len(lines) == 1
        else "\n       ".join(["- - " + lines[0], *(f"- {line}" for line in lines[1:])])
    )
    return f"   * - {requirement}\n     - {sentence}\n     {cell}\n"
