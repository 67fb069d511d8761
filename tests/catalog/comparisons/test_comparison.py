"""What the tools that compare two periods share."""

from __future__ import annotations

from datetime import date
from decimal import Decimal as D
from typing import Any

import pytest

from doit_mcp.api.errors import ApiError
from doit_mcp.catalog.comparisons.causes import CostAndUsage
from doit_mcp.catalog.comparisons.comparison import (
    ComparedDimension,
    CostLine,
    change_figures,
    fetch_first_day,
    group_config,
    list_clouds,
    read_cost_lines,
    sum_line_costs,
)
from doit_mcp.catalog.costs.groups import GroupDimension, find_fixed_group
from doit_mcp.catalog.costs.scope import Scope
from doit_mcp.catalog.periods.alignment import AlignedPeriods, align
from doit_mcp.catalog.periods.period import Period, ReportedPeriod
from tests.api.recorder import Recorder

from ..billing import Line, make_api
from ..caller import Caller

TODAY = date(2026, 9, 21)
AUGUST, JULY = Period(date(2026, 8, 1), date(2026, 8, 31)), Period(date(2026, 7, 1), date(2026, 7, 31))
EQUAL = align(ReportedPeriod(AUGUST, TODAY))


def bill(*days: str) -> Recorder:
    """Return an API whose bill has a cost on each of these days."""
    lines: list[Line] = [(day, {}, 1.0, 0.0) for day in days]
    return Recorder(make_api({}, lines))


def cost_on(*days: str) -> Caller:
    """Return a caller with such a bill."""
    return Caller(bill(*days))


def table(names: list[str], *rows: list[Any]) -> dict[str, Any]:
    return {"columns": [{"name": name} for name in names], "rows": list(rows)}


def test_lines_have_the_cells_that_were_asked_for() -> None:
    answer = table(["a", "b", "cost", "usage"], ["x", None, 0.1, 2], ["y", ["odd"], None, None], ["short"])
    assert list(read_cost_lines(answer, ["b", "a"])) == [
        CostLine((None, "x"), CostAndUsage(D("0.1"), D(2))),
        CostLine(("['odd']", "y"), CostAndUsage(D(0), D(0))),
    ]
    assert sum_line_costs(answer) == D("0.1")
    assert [line.charge for line in read_cost_lines(table(["cost"], [3]), [])] == [CostAndUsage(D(3), D(0))]


def test_missing_columns_are_an_error_unless_there_are_no_rows() -> None:
    assert list(read_cost_lines(table([]), ["a"])) == [] and sum_line_costs(table([])) == 0
    with pytest.raises(ApiError, match="no columns a, cost") as caught:
        list(read_cost_lines(table(["b"], [1]), ["a"]))
    assert caught.value.kind == "answer"


def test_dimensions_are_matched_by_id_and_shown_by_name() -> None:
    project = ComparedDimension.from_group(find_fixed_group("project"))
    assert (project.key, project.label) == ("project_id", "project_name")
    sku = ComparedDimension.from_group(find_fixed_group("sku"))
    assert (sku.key, sku.label) == ("sku_id", "sku_description")
    team = ComparedDimension.from_group(GroupDimension("label:team", "team", "label", "team"))
    assert (team.key, team.label, team.groups) == ("team", "team", ({"id": "team", "type": "label"},))
    config = group_config({}, [project, team], [{"id": "x", "type": "fixed"}])
    assert [group["id"] for group in config["group"]] == ["project_id", "project_name", "team", "x"]
    # The API accepts a limit of the first group only.
    assert [group.get("limit", {}).get("value") for group in config["group"]] == [1000, None, None, None]


def test_clouds_are_those_of_the_scope_or_of_the_answers() -> None:
    by_cloud = table(["cloud_provider", "cost"], ["google-cloud", 1], ["snowflake", 2])
    assert list_clouds([by_cloud], Scope()) == ["google-cloud", "snowflake"]
    assert list_clouds([by_cloud], Scope("microsoft-azure")) == ["microsoft-azure"]
    assert list_clouds([table(["x"], [1])], Scope()) == []


@pytest.mark.parametrize(
    ("before", "after", "alignment", "figures"),
    [
        (100, 150, EQUAL, {"change": 50.0, "changePercent": 50.0}),
        (0, 150, EQUAL, {"change": 150.0, "changePercent": None}),
        (0.004, 150, EQUAL, {"change": 150.0, "changePercent": None}),
        # "+150 %" of a refund says nothing.
        (-100, 50, EQUAL, {"change": 150.0, "changePercent": None}),
        # Of today, only a part of the costs has arrived.
        (
            100,
            40,
            align(ReportedPeriod(Period(TODAY, TODAY), TODAY)),
            {"change": -60.0, "changePercent": None},
        ),
        # June has 30 days: 3 a day, and 4 a day in July.
        (
            90,
            124,
            align(ReportedPeriod(JULY, TODAY)),
            {"change": 34.0, "changePercent": 37.8, "perDayChangePercent": 33.3},
        ),
        # 10 a day, and 5 a day.
        (
            310,
            50,
            AlignedPeriods(
                ReportedPeriod(JULY, TODAY), ReportedPeriod(Period(AUGUST.first, date(2026, 8, 10)), TODAY), "per_day"
            ),
            {"change": -260.0, "changePercent": None, "perDayChangePercent": -50.0},
        ),
    ],
)
def test_changes_are_like_for_like(
    before: float, after: float, alignment: AlignedPeriods, figures: dict[str, Any]
) -> None:
    assert change_figures(D(str(before)), D(str(after)), alignment, "USD") == figures


def test_changes_are_rounded_to_the_currency() -> None:
    assert change_figures(D("10.4"), D("20.5"), EQUAL, "JPY") == {"change": 11.0, "changePercent": 110.0}


async def test_the_history_is_queried_until_it_is_known() -> None:
    api = bill("2026-06-15", "2026-07-10")
    caller = Caller(api)
    assert await fetch_first_day(caller, JULY, "EUR") == date(2026, 6, 15)
    config = (api.requests[0].body or {})["config"]
    assert config["customTimeRange"] == {"from": "2026-05-31T00:00:00Z", "to": "2026-07-31T23:59:59Z"}
    assert (config["currency"], config["timeInterval"]) == ("EUR", "day") and "filters" not in config
    assert await fetch_first_day(caller, AUGUST, "EUR") == date(2026, 6, 15) and len(api.requests) == 1
    # An earlier period needs another look.
    assert await fetch_first_day(caller, Period(date(2026, 6, 1), date(2026, 6, 14)), "EUR") is None
    assert len(api.requests) == 2


async def test_a_period_at_the_beginning_of_time_has_no_days_before_it() -> None:
    assert await fetch_first_day(cost_on(), Period(date(1, 1, 1), date(1, 12, 31)), "USD") is None
