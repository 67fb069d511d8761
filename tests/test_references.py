"""The repository is self-contained: its files cite only public specifications."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("doit_mcp", "tests", "scripts", "docs", "deploy", "examples", ".ci", ".github")
TEXT = {"", ".cfg", ".css", ".html", ".js", ".lua", ".md", ".mjs", ".py", ".rst", ".toml", ".txt", ".yaml", ".yml"}
GENERATED = {"__pycache__", "_build", "node_modules"}

SOURCES = "clients|conformance|design|facts|hardening|protocol|security"
OUTSIDE = {
    "a row of a sheet": r"\b\d{4}-\d\d-\d\d/[A-Z]\d|\b(?i:rows?) [A-Z]\d|\b(?i:worked cases?)\b|\brow \d+ of the\b",
    "a section of a document": rf"\b(?i:{SOURCES}),? (?:(?i:sections?) \d|[A-Z]\d|\d+\.\d)",
    "a decision or an issue": r"\b(?i:decision|issue) \d+\b",
    "a sheet": r"(?<!\|)\b(?i:requirement|security|protocol|clients|the) sheet\b",
    # Markdown files of this repository have names in capitals.
    "a file": r"(?<![\w./-])[a-z][\w-]*\.md\b",
    "a path of one machine": r"(?<![\w:/.~}])/(?:home|root|Users|work)/[\w-]+/",
    "an id outside a marker": r'"""[A-Z]\d{1,2}(?:[.:;,]|-[A-Z]\d)|(?:\(|: |\bsecurity )[A-Z]\d{1,2}(?:, [A-Z]\d{1,2})+\)',
}
SECTION = re.compile(r"\b[Ss]ections? \d")
PUBLIC = re.compile(r"\b(?:CIMD|HTML|JSON-RPC|MCP|OAuth|OpenID|RFC|SEC|SEP|W3C)\b")


def files() -> Iterator[Path]:
    """Yield the text files of the repository."""
    yield from (path for path in sorted(ROOT.iterdir()) if path.is_file() and path.suffix in TEXT - {""})
    for folder in FOLDERS:
        for directory, below, names in os.walk(ROOT / folder):
            below[:] = sorted(set(below) - GENERATED)
            yield from (Path(directory, name) for name in sorted(names) if Path(name).suffix in TEXT)


def references(text: str) -> list[str]:
    """Return the lines of *text* that refer to non-public documents, each with the kind of reference."""
    problems = []
    for number, line in enumerate(text.splitlines(), start=1):
        problems += [f"{number}: {kind}: {line.strip()}" for kind, form in OUTSIDE.items() if re.search(form, line)]
        if SECTION.search(line) and not PUBLIC.search(line):
            problems.append(f"{number}: a section of what: {line.strip()}")
    return problems


def test_files_cite_public_documents_only() -> None:
    problems = [
        f"{path.relative_to(ROOT)}:{reference}"
        for path in files()
        if path != Path(__file__).resolve()
        for reference in references(path.read_text("utf-8", errors="replace"))
    ]
    assert problems == [], "\n".join(problems)


@pytest.mark.parametrize(
    "line",
    [
        "2025-11-25/M13",
        "Worked case 26.",
        "protocol section 5, decision 4",
        "(conformance 7.4)",
        "(security X6, G2)",
        "design 7.2",
        "(issue 6)",
        "(facts, section 9)",
        "see security.md",
        "/home/someone/checkout/",
        '"""J2: no tool runs."""',
        "the rows of the security sheet",
        "Section 17, 1",
    ],
)
def test_detects_references(line: str) -> None:
    assert references(line)


@pytest.mark.parametrize(
    "line",
    [
        "RFC 6750, section 3.1",
        "MCP 2025-11-25, Transports",
        "see SECURITY.md and docs/security/requirements.rst",
        "protocol 2026-07-28",
        "a quiet caller (Q2)",
    ],
)
def test_accepts_public_references(line: str) -> None:
    assert references(line) == []
