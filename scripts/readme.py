"""Owns the generated tables of README.rst: settings from the record that reads them, tools from the catalogue, and the
tests that prove the rows of the security sheet."""

from __future__ import annotations

import argparse
import csv
import io
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from doit_mcp.catalog.registry import all_tools
from doit_mcp.catalog.tool_lists import CORE_TOOLS
from doit_mcp.settings import Settings
from doit_mcp.transports.http.landing_page import first_sentence
from scripts.token_counts import cost_table, make_tokenizer, measure_costs

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.rst"
SECURITY = ROOT / "tests" / "data" / "security.txt"
MARKUP = re.compile(r"([\\*`|])|(_)(?=\W|$)")


def settings_table() -> str:
    """A row for every environment variable."""
    rows = [
        (_code(declared.name), _format_default(declared.default), _escape_markup(declared.description))
        for declared in Settings.variables().values()
    ]
    return _csv_table(("Variable", "Default", "Meaning"), (34, 22, 44), rows)


def tools_table() -> str:
    """A row for every tool, in the order in which clients see them."""
    rows = [
        (
            _code(tool.name),
            _escape_markup(tool.title),
            _escape_markup(first_sentence(tool.description)),
            "writes" if tool.writes else "reads",
            _code(tool.area),
            "yes" if tool.name in CORE_TOOLS else "no",
        )
        for tool in all_tools()
    ]
    return _csv_table(("Name", "Title", "What it does", "Access", "Toolset", "Usual"), (20, 16, 40, 8, 10, 6), rows)


def security_table() -> str:
    """A row for every requirement of the security sheet, its sentence if it has one, and the tests that prove it."""
    rows: list[tuple[str, list[str]]] = []
    for line in SECURITY.read_text("utf-8").splitlines():
        if line.startswith("    "):
            rows[-1][1].append(line.strip().removeprefix("- "))
        elif line and not line.startswith("#"):
            rows.append((line, []))
    shown = ((_escape_markup(row), "; ".join(map(_escape_markup, tests))) for row, tests in rows)
    return _csv_table(("Requirement", "Tests, under tests/"), (30, 70), shown)


def replace_tables(text: str) -> str:
    """*text* with each table between its markers written anew; raises ValueError for a marker that is not there."""
    tables = (
        ("settings", settings_table()),
        ("tokens", cost_table(measure_costs(make_tokenizer()))),
        ("tools", tools_table()),
        ("security", security_table()),
    )
    for name, table in tables:
        begin, end = f".. {name}: written by scripts/docs\n", f"\n.. {name}: end\n"
        head, found_begin, rest = text.partition(begin)
        _, found_end, tail = rest.partition(end)
        if not found_begin or not found_end:
            raise ValueError(f"README.rst has no markers for the table of {name}")
        text = f"{head}{begin}\n{table}{end}{tail}"
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the tables; with --check, 1 when that would change something."""
    parser = argparse.ArgumentParser(prog="scripts/docs", description="Write the tables of README.rst from the code.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail when a table is not current")
    parser.add_argument("file", nargs="?", type=Path, default=README)
    options = parser.parse_args(arguments)
    old = options.file.read_text("utf-8")
    new = replace_tables(old)
    if options.check and new != old:
        print(f"The tables of {options.file.name} are not current: run scripts/docs", file=sys.stderr)
        return 1
    if not options.check:
        options.file.write_text(new, "utf-8")
    return 0


def _csv_table(heads: Sequence[str], widths: Sequence[int], rows: Iterable[Sequence[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([heads, *rows])
    lines = "".join(f"   {line}\n" for line in out.getvalue().splitlines())
    return f".. csv-table::\n   :header-rows: 1\n   :widths: {' '.join(map(str, widths))}\n\n{lines}"


def _format_default(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_code, value)) or "none"
    if isinstance(value, bool):
        return _code(str(value).lower())
    return _code(str(value)) if value != "" else "none"


def _code(text: str) -> str:
    return f"``{text}``"


def _escape_markup(text: str) -> str:
    """Plain text, with what reStructuredText would read as markup escaped."""
    return MARKUP.sub(r"\\\g<0>", text)


if __name__ == "__main__":
    sys.exit(main())
