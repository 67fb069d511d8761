"""Cost answers: why they are empty, where the data begins, and large ones."""

from __future__ import annotations

from datetime import date
from threading import current_thread
from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.api.operation import Request
from doit_mcp.catalog.costs import answers, group_costs
from doit_mcp.catalog.costs.answers import explain_empty_answer, find_later_start
from doit_mcp.catalog.costs.data_start import DATA_START_PART, DataStart
from doit_mcp.catalog.costs.scope import Scope
from doit_mcp.catalog.periods.grammar import parse_period
from doit_mcp.resilience.compute_thread import MAX_INLINE_ROWS
from tests.api.recorder import Recorder

from ..billing import Line, make_api
from ..caller import Caller, run

TODAY = date(2026, 9, 21)
AUGUST = parse_period("2026-08", "period", TODAY)
BQ = {"service_description": "BigQuery", "cloud_provider": "google-cloud"}
LINES: list[Line] = [("2026-03-05", BQ, 5.0, 1.0)]


def values(*names: str) -> dict[str, Any]:
    return {"dimension": {"values": [{"value": name} for name in names]}}


@pytest.mark.parametrize(
    ("lines", "scope", "note", "is_known"),
    [
        ([], Scope(), "The customer has no cost data yet.", False),
        ([("2026-09-01", BQ, 5.0, 1.0)], Scope(), "The data begins on 2026-09-01", False),
        (LINES, Scope(), "Nothing had a cost in this period.", True),
        (LINES, Scope(include_credits=True), "Nothing had a cost in this period.", True),
        (LINES, Scope("gcp"), "exist in the data, but had no cost", True),
    ],
)
async def test_an_empty_answer_is_explained(lines: list[Line], scope: Scope, note: str, is_known: bool) -> None:
    call = Caller(Recorder(make_api(values("google-cloud"), lines)))
    empty = await explain_empty_answer(call, scope, AUGUST)
    assert note in empty.note and empty.is_known is is_known


async def test_without_the_first_day_an_empty_answer_is_unknown() -> None:
    others = {**values("google-cloud"), "query": ApiError("", kind="timeout")}
    empty = await explain_empty_answer(Caller(Recorder(make_api(others, []))), Scope("gcp"), AUGUST)
    assert not empty.is_known and "could not be read" in empty.note


@pytest.mark.parametrize(
    ("first_period", "start"),
    [
        # The period begins in March, where the data begins on the 5th.
        ("2026-04", date(2026, 3, 5)),
        # It has costs from its beginning, or none at all.
        ("2026-03", None),
        ("2026-03-01", None),
        (None, None),
    ],
)
async def test_the_start_is_looked_for_if_the_first_costs_are_later(first_period: str | None, start: Any) -> None:
    call = Caller(Recorder(make_api({}, LINES)))
    period = parse_period("2026-03/2026-06", "period", TODAY)
    assert await find_later_start(call, period, first_period) == DataStart(start)


async def test_an_unknown_start_is_a_failure() -> None:
    for kind, status in (("timeout", None), ("rate", 429)):
        error = ApiError("", kind=kind, status=status)  # type: ignore[arg-type]  # the loop widens the literal
        start = await find_later_start(Caller(Recorder(error)), AUGUST, "2026-09")
        assert start.day is None and [failure["part"] for failure in start.failures] == [DATA_START_PART]
    with pytest.raises(ApiError):
        await find_later_start(Caller(Recorder(ApiError("", kind="credential", status=401))), AUGUST, "2026-09")


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("cost_breakdown", {"groupBy": ["service", "project"], "topN": 2}),
        ("cost_trend", {"groupBy": ["service", "project"], "topN": 2}),
    ],
)
async def test_large_answers_are_read_and_summed_in_the_thread(
    tool: str, arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    count = MAX_INLINE_ROWS + 1
    columns = ("service_description", "project_id", "project_name", "cloud_provider", "year", "month", "cost")
    rows = [["a" if n % 3 else "b", f"p{n % 7}", f"P{n % 7}", "aws", "2026", "09", 0.01] for n in range(count)]

    def answer(request: Request) -> Any:
        config = (request.body or {})["config"]
        few = {group["id"] for group in config.get("group", ())} <= {"cloud_provider"}
        return {"result": {"schema": [{"name": name} for name in columns], "rows": rows[:1] if few else rows}}

    threads: list[str] = []
    read = group_costs.read_cost_rows

    def note_thread(*given: Any) -> Any:
        threads.append(current_thread().name)
        return read(*given)

    monkeypatch.setattr(answers, "read_cost_rows", note_thread)
    result = await run(tool, Recorder(answer), **arguments)
    assert threads.count("heavy") == 1
    assert [group["id"] for group in result["groups"]] == ["a", "b"]
    assert result["total"]["shown"] == round(count / 100, 2)
    for group in result["groups"]:
        parts = [part["cost"] for part in group["groups"]]
        assert len(parts) == 2 and round(sum(parts) + group["other"], 2) == group["cost"]
