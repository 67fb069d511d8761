"""``data/requirements.txt``: every MUST of the requirement sheet has a test that exists, or a reason for none."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SHEET = TESTS.parent.parent / "shared" / "mcp" / "protocol.md"
ROW = re.compile(r"\d{4}-\d\d-\d\d/[A-Z]\d+")


def table() -> dict[str, list[str]]:
    """Row -> its tests, or the one reason."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in (TESTS / "data" / "requirements.txt").read_text().splitlines():
        if ROW.match(line):
            current = line.split()
            found |= {row: [] for row in current}
        elif line.startswith("    "):
            for row in current:
                found[row].append(line.strip())
    return found


def names(file: Path) -> set[str]:
    """The functions of a test module."""
    tree = ast.parse(file.read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_test_named_exists() -> None:
    for row, proofs in table().items():
        assert proofs, row
        for proof in proofs:
            if proof.startswith("- "):
                assert len(proofs) == 1 and len(proof) > 20, row
                continue
            file, _, name = proof.partition("::")
            assert (TESTS / file).is_file(), (row, proof)
            assert not name or name in names(TESTS / file), (row, proof)


def test_every_must_is_in_the_table() -> None:
    if not SHEET.is_file():
        assert os.environ.get("DOIT_MCP_TEST_REQUIRE_ALL") != "1", f"{SHEET.name} is not beside the checkout"
        pytest.skip("the requirement sheet is not beside the checkout")
    musts = set()
    revision = ""
    for line in SHEET.read_text().splitlines():
        if line.startswith("#"):
            heading = re.match(r"### 2\.\d Revision (\S+)", line)
            revision = heading[1] if heading else ""
        elif revision and (cells := re.match(r"\| ([A-Z]\d+) \| [^|]* \| MUST(?: NOT)? \|", line)):
            musts.add(f"{revision}/{cells[1]}")
    assert len(musts) > 200 and musts == set(table())
