"""Rules for the tests themselves, so that they fail only for faults of the server."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from hypothesis import HealthCheck, settings

TESTS = Path(__file__).parent
# A timeout on something that must happen only ends a hang; it does not measure speed.
MIN_TIMEOUT_SECONDS = 20


@cache
def calls() -> list[tuple[str, ast.Call]]:
    """Return every function call in the tests, with its file."""
    trees = {str(file.relative_to(TESTS)): ast.parse(file.read_text()) for file in sorted(TESTS.rglob("*.py"))}
    return [(file, node) for file, tree in trees.items() for node in ast.walk(tree) if isinstance(node, ast.Call)]


def files_that_call(*names: str, with_any_of: frozenset[str] = frozenset()) -> set[str]:
    """Return the files that call one of these functions, with at least one of these keywords if any are given."""
    return {
        file
        for file, call in calls()
        if (call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")) in names
        and (not with_any_of or with_any_of & {keyword.arg for keyword in call.keywords})
    }


def test_only_one_hypothesis_profile_exists() -> None:
    """Only conftest.py defines a profile, without a deadline: a busy machine makes examples slow, not wrong."""
    assert settings.default is not None and settings.default.deadline is None
    assert HealthCheck.too_slow in settings.default.suppress_health_check
    assert files_that_call("register_profile", "load_profile") == {"conftest.py"}
    profile = frozenset({"deadline", "suppress_health_check", "derandomize", "print_blob"})
    assert files_that_call("settings", with_any_of=profile) == set()


def test_waits_for_required_events_are_long() -> None:
    """Timeouts are long, because one second of work may take ten on a busy machine."""
    short = []
    for file, call in calls():
        if isinstance(call.func, ast.Attribute) and call.func.attr == "wait_for" and len(call.args) > 1:
            limit = call.args[1]
            if isinstance(limit, ast.Constant) and limit.value is not None and limit.value < MIN_TIMEOUT_SECONDS:
                short.append(f"{file}:{call.lineno} waits {limit.value!r} s")
    assert not short


CLOCKS = ("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time", "thread_time", "timeit")


def test_no_assertion_measures_time() -> None:
    """Tests count work instead, with tests/work_counter.py. A clock only ends a hang here, or is the subject."""
    reasons = {
        "e2e/launch.py": "ends the wait for a server that does not start",
        "events/test_subscriptions.py": "events wait at least for a set time; a busy machine can only add to it",
        "test_bench.py": "compares two clocks for CPU time",
        "transports/http/test_outages.py": "sets the clock of a circuit breaker",
    }
    assert files_that_call(*CLOCKS) == reasons.keys(), "count work with tests/work_counter.py instead of measuring time"


# An exception from a check with nothing after it, or with its codes only.
UNEXPLAINED = re.compile(r"# (?:type: ignore|noqa)\b[^#]*$", re.MULTILINE)


def test_exceptions_from_checks_have_a_reason() -> None:
    """The reason is a comment after the exception: the reader cannot tell a false alarm from a fault."""
    root = TESTS.parent
    files = [file for folder in ("doit_mcp", "tests", "scripts") for file in sorted((root / folder).rglob("*.py"))]
    found = [f"{file.relative_to(root)}: {line}" for file in files for line in UNEXPLAINED.findall(file.read_text())]
    assert not found, "add a comment with the reason:\n" + "\n".join(found)
