"""What holds for the tests themselves, so that they fail for faults of the server and for nothing else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from hypothesis import HealthCheck, settings

TESTS = Path(__file__).parent


def calls() -> Iterator[tuple[str, str, set[str]]]:
    """Every call in the tests: file, name of what is called, its keywords."""
    for file in TESTS.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func).rpartition(".")[2]
                yield str(file.relative_to(TESTS)), name, {one.arg or "" for one in node.keywords}


def test_there_is_one_hypothesis_profile() -> None:
    """It is the one of conftest.py, which sets no deadline: a busy machine makes examples slow, not wrong."""
    assert settings.default is not None and settings.default.deadline is None
    assert HealthCheck.too_slow in settings.default.suppress_health_check
    profiles = [file for file, name, _ in calls() if name in ("register_profile", "load_profile")]
    assert set(profiles) == {"conftest.py"}
    settled = {"deadline", "suppress_health_check", "derandomize", "print_blob"}
    assert not [file for file, name, keywords in calls() if name == "settings" and keywords & settled]
