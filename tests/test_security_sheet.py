"""``data/security.txt``: every row of the security sheet is there once, with tests that exist or a reason for none.

A test whose name begins with N rows (``test_n9_...``, ``test_n9_n10_...``) is listed under each of them.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
# How many rows each section has.
ROWS = {
    "T": 14,
    "H": 9,
    "K": 5,
    "S": 10,
    "X": 8,
    "C": 4,
    "P": 5,
    "J": 13,
    "O": 3,
    "U": 3,
    "F": 8,
    "L": 7,
    "Q": 5,
    "G": 6,
    "A": 5,
    "N": 24,
}

# "N9", "N9 N10", or either with ": " and the requirement in a sentence.
HEAD = re.compile(r"([A-Z]\d+(?: [A-Z]\d+)*)(?:: (\S.+[.]))?")
NAMED = re.compile(r"test((?:_n\d+)+)_")


def table() -> list[tuple[str, list[str]]]:
    """The rows in order, each with its tests or the one reason."""
    found: list[tuple[str, list[str]]] = []
    current: list[list[str]] = []
    for line in (TESTS / "data" / "security.txt").read_text().splitlines():
        if line.startswith("    "):
            for proofs in current:
                proofs.append(line.strip())
        elif line and not line.startswith("#"):
            head = HEAD.fullmatch(line)
            assert head, f"security.txt: {line!r} must be rows, or rows, a colon, and a sentence"
            rows = head[1].split()
            current = [[] for _ in rows]
            found += zip(rows, current, strict=True)
    return found


def named_for_rows() -> list[tuple[str, str]]:
    """Every N row that the name of a test begins with, and that test."""
    found: list[tuple[str, str]] = []
    for file in sorted(TESTS.rglob("test_*.py")):
        for name in sorted(functions(file)):
            rows = NAMED.match(name)
            for row in rows[1].upper().split("_")[1:] if rows else ():
                found.append((row, f"{file.relative_to(TESTS)}::{name}"))
    return found


@cache
def functions(file: Path) -> frozenset[str]:
    """The tests of a module."""
    nodes = ast.walk(ast.parse(file.read_text()))
    return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_every_row_is_there_once() -> None:
    wanted = [f"{letter}{number}" for letter, count in ROWS.items() for number in range(1, count + 1)]
    assert Counter(row for row, _ in table()) == Counter(wanted)


@pytest.mark.parametrize(("row", "proofs"), table(), ids=[row for row, _ in table()])
def test_every_test_named_exists(row: str, proofs: list[str]) -> None:
    assert proofs and len(set(proofs)) == len(proofs)
    for proof in proofs:
        if proof.startswith("- "):
            assert len(proofs) == 1 and len(proof) > 20
            continue
        file, _, name = proof.partition("::")
        assert (TESTS / file).is_file(), proof
        assert name.startswith("test_") if name else file.rpartition("/")[2].startswith("test_"), proof
        assert not name or name in functions(TESTS / file), proof


def test_every_test_named_for_a_row_is_listed_there() -> None:
    """Naming a test for its row is enough to be reminded of the sheet."""
    listed = {(row, proof) for row, proofs in table() for proof in proofs}
    missing = [f"{row}: {proof}" for row, proof in named_for_rows() if (row, proof) not in listed]
    assert not missing, "not in tests/data/security.txt:\n" + "\n".join(missing)
