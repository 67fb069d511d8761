"""Concurrent requests: which failures are raised, and how the others are listed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.partial_results import PartialResults, gather_partial, make_failures_member

MISSING = ApiError("no such report", kind="missing", status=404)
FORBIDDEN = ApiError("", kind="forbidden", status=403)
PARTS = PartialResults({"costs": 1}, {"budgets": FORBIDDEN, "report": MISSING})


async def fail(error: ApiError) -> Any:
    raise error


@pytest.mark.parametrize(
    ("names", "error"),
    [((), FORBIDDEN), (("report",), MISSING), (("costs", "report"), MISSING), (("report", "budgets"), FORBIDDEN)],
)
def test_the_first_error_of_required_parts_is_raised(names: tuple[str, ...], error: ApiError) -> None:
    with pytest.raises(ApiError) as caught:
        PARTS.require(*names)
    assert caught.value is error


def test_other_parts_may_fail() -> None:
    PARTS.require("costs")
    PartialResults({"costs": 1}).require()


def test_failed_parts_are_listed_with_the_reason() -> None:
    assert make_failures_member(PARTS.failures) == {
        "failed": [
            {"part": "budgets", "why": "the signed-in user lacks the permission (HTTP 403)"},
            {"part": "report", "why": "no such report (HTTP 404)"},
        ]
    }
    assert make_failures_member(()) == {}


async def test_slow_parts_and_failures_leave_the_other_results() -> None:
    parts = await gather_partial(
        {"slow": asyncio.Event().wait(), "report": fail(MISSING), "costs": asyncio.sleep(0, 5)}, timeout_seconds=0.05
    )
    assert parts.results == {"costs": 5} and list(parts.errors) == ["slow", "report"]
    assert parts.errors["slow"].kind == "timeout"


async def test_a_rejected_credential_is_raised_whatever_else_succeeded() -> None:
    with pytest.raises(ApiError) as caught:
        await gather_partial({"costs": asyncio.sleep(0, 5), "user": fail(ApiError("", kind="credential", status=401))})
    assert caught.value.kind == "credential"
