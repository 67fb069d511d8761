"""The query engine compared with the billing lines: sums, filters, limits, aggregations, comparisons."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from doit_mcp.sandbox.api.costs.dimensions import DIMENSIONS, Dimension
from doit_mcp.sandbox.api.costs.estates import ACME_ESTATE
from doit_mcp.sandbox.api.costs.ledger import MEASURES, Ledger, Selection
from doit_mcp.sandbox.api.costs.query_engine import run_plan
from doit_mcp.sandbox.api.costs.query_plan import INTERVALS, make_plan
from doit_mcp.sandbox.api.responses import ApiError
from doit_mcp.sandbox.api.schemas import CONFIG_VALIDATOR

TODAY = date(2026, 11, 24).toordinal()
METRICS = [{"type": "extended" if name == "amortized_cost" else "basic", "value": name} for name in MEASURES]
COST = METRICS[0]
SERVICES = [{"type": "fixed", "id": "service_id"}]
FIXED = [item for item in DIMENSIONS if item.table == "series"]


@lru_cache
def ledger() -> Ledger:
    """Billing lines shared by all tests here, which only read."""
    return Ledger(ACME_ESTATE, seed=7, today=TODAY)


def result_of(**config: Any) -> Any:
    """The result of a valid configuration."""
    assert CONFIG_VALIDATOR.is_valid(config), config
    return run_plan(make_plan(config, TODAY), ledger())


def records(result: Any, rows: str = "rows") -> list[dict[str, Any]]:
    """Rows by the names of their columns."""
    names = [column["name"] for column in result["schema"]]
    return [dict(zip(names, row, strict=True)) for row in result[rows]]


def micro(rows: list[dict[str, Any]], name: str = "cost") -> int:
    """The sum of a column in whole millionths."""
    return sum(round(row[name] * 1_000_000) for row in rows)


def days(first: date, last: date) -> dict[str, Any]:
    """A custom range."""
    return {
        "timeRange": {"mode": "custom"},
        "customTimeRange": {"from": f"{first}T00:00:00Z", "to": f"{last}T23:59:59Z"},
    }


def year(number: int) -> dict[str, str]:
    """January to its second day."""
    return {"from": f"{number}-01-01T00:00:00Z", "to": f"{number}-01-02T00:00:00Z"}


def name_dimensions(*dimensions: Dimension) -> list[dict[str, Any]]:
    """Dimensions in the form of the API."""
    return [{"type": item.type, "id": item.id} for item in dimensions]


groupings = st.lists(st.sampled_from(DIMENSIONS), max_size=3, unique=True)
fixed_groupings = st.lists(st.sampled_from(FIXED), min_size=1, max_size=2, unique=True)
dates = st.dates(date(2025, 9, 15), date(2026, 12, 5))
ranges = st.tuples(dates, dates).map(lambda pair: days(min(pair), max(pair)))
intervals = st.sampled_from([name for name in INTERVALS if name != "dayCumSum"])


def limit_by_change(operator: str, *values: float) -> dict[str, Any]:
    """A limit by change of the cost."""
    condition = {"operator": operator, "values": list(values or (5,)), "includeIncompleteData": False}
    return {"limitByChange": {"metric": COST, "changeType": "percentage", **condition}}


@st.composite
def filters(draw: st.DrawFn) -> dict[str, Any]:
    """A filter on any dimension, of any mode."""
    dimension = draw(st.sampled_from(DIMENSIONS))
    members = sorted({value for _, value in ledger().members(dimension.table, dimension.column) if value is not None})
    mode = draw(st.sampled_from(["is", "starts_with", "ends_with", "contains", "regexp"]))
    values = draw(st.lists(st.sampled_from(members), min_size=1, max_size=1 if mode == "regexp" else 4))
    if mode == "regexp":
        values = ["^[" + "".join(sorted(set(values[0][0] + "aZ5"))).replace("$", r"\$") + "]"]
    elif mode != "is":
        size = draw(st.integers(1, 6))
        values = [value[-size:] if mode == "ends_with" else value[:size] for value in values]
    flags = {name: draw(st.booleans()) for name in ("inverse", "includeNull", "caseInsensitive")}
    return {**name_dimensions(dimension)[0], "mode": mode, "values": values, **flags}


@given(groupings, groupings, intervals, ranges)
def test_any_grouping_sums_to_the_ungrouped_total(
    groups: list[Dimension], splits: list[Dimension], interval: str, range_: Any
) -> None:
    config = {
        "group": name_dimensions(*groups),
        "dimensions": name_dimensions(*splits),
        "timeInterval": interval,
        "metrics": METRICS,
    }
    split = result_of(**config, **range_)
    first, last = (date.fromisoformat(range_["customTimeRange"][end][:10]).toordinal() for end in ("from", "to"))
    totals = ledger().sums((), first, last) or [(0,) * len(MEASURES)]
    assert [micro(records(split), name) for name in MEASURES] == list(totals[0])


@given(groupings, st.lists(filters(), max_size=2), filters(), ranges)
def test_filter_and_its_inverse_sum_to_the_total(groups: list[Dimension], others: Any, one: Any, range_: Any) -> None:
    total, matching, remaining = (
        micro(records(result_of(group=name_dimensions(*groups), filters=chosen, **range_)))
        for chosen in (others, [*others, one], [*others, {**one, "inverse": not one["inverse"]}])
    )
    assert matching + remaining == total


@given(filters(), st.sampled_from(FIXED))
def test_filter_keeps_matching_values(one: Any, other: Dimension) -> None:
    dimension = {"type": one["type"], "id": one["id"]}
    assume(one["type"] != "datetime")
    group = [dimension] + [item for item in name_dimensions(other) if item != dimension]
    for row in records(result_of(group=group, filters=[one], timeInterval="year")):
        value = row[one["id"]]
        assert _fits(one, value) != one["inverse"], (one, value)


def _fits(one: Any, value: str | None) -> bool:
    if value is None:
        return bool(one["includeNull"])
    fold = one["caseInsensitive"] and one["mode"] in ("starts_with", "ends_with", "contains")
    actual, expected = (value.lower(), [part.lower() for part in one["values"]]) if fold else (value, one["values"])
    tests = {
        "is": lambda: actual in expected,
        "starts_with": lambda: any(actual.startswith(part) for part in expected),
        "ends_with": lambda: any(actual.endswith(part) for part in expected),
        "contains": lambda: any(part in actual for part in expected),
        "regexp": lambda: actual[0] in expected[0],
    }
    return tests[one["mode"]]()


@pytest.mark.parametrize(
    ("interval", "start"),
    [
        ("day", lambda day: day),
        ("month", lambda day: day.replace(day=1)),
        ("quarter", lambda day: date(day.year, (day.month - 1) // 3 * 3 + 1, 1)),
        ("year", lambda day: date(day.year, 1, 1)),
        ("isoweek", lambda day: date.fromordinal(day.toordinal() - day.weekday())),
        ("week", lambda day: date.fromordinal(day.toordinal() - (day.weekday() + 1) % 7)),
    ],
)
def test_periods_follow_the_calendar(interval: str, start: Any) -> None:
    expected: dict[int, int] = defaultdict(int)
    for ordinal, cost in ledger().daily().items():
        midnight = (start(date.fromordinal(ordinal)) - date(1970, 1, 1)).days * 86_400
        expected[midnight] += cost
    date_range = days(date(2025, 10, 1), date(2026, 11, 24))
    rows = records(result_of(timeInterval=interval, **date_range))
    assert {row["timestamp"]: round(row["cost"] * 1e6) for row in rows} == expected
    names = [name for name in rows[0] if name not in ("cost", "timestamp")]
    # The columns identify the periods.
    assert len({tuple(row[name] for name in names) for row in rows}) == len(expected)


@given(fixed_groupings, st.sampled_from(METRICS), st.sampled_from(["desc", "asc", "a_to_z"]), st.integers(1, 4))
def test_limits_keep_the_first_groups_of_each_parent(
    groups: list[Dimension], metric: Any, sort: str, count: int
) -> None:
    group = name_dimensions(*groups)
    plain = records(result_of(group=group, metrics=METRICS, timeInterval="month"))
    limited = [*group[:-1], {**group[-1], "limit": {"metric": metric, "sort": sort, "value": count}}]
    rows = records(result_of(group=limited, metrics=METRICS, timeInterval="month"))
    names = [item["id"] for item in group]
    totals: dict[Any, dict[Any, int]] = defaultdict(lambda: defaultdict(int))
    for row in plain:
        totals[tuple(row[name] for name in names[:-1])][row[names[-1]]] += round(row[metric["value"]] * 1e6)
    for parent, children in totals.items():
        order = sorted(children, key=lambda value: (value is not None, value or ""))
        if sort != "a_to_z":
            order.sort(key=lambda value: children[value] * (-1 if sort == "desc" else 1))
        values = [row[names[-1]] for row in rows if tuple(row[name] for name in names[:-1]) == parent]
        assert list(dict.fromkeys(values)) == order[:count]
    assert all(row in plain for row in rows)


def test_nested_limits_apply_to_what_the_parent_level_kept() -> None:
    group = [
        {"type": "fixed", "id": "cloud_provider", "limit": {"metric": COST, "sort": "desc", "value": 1}},
        {"type": "fixed", "id": "service_description", "limit": {"metric": COST, "sort": "desc", "value": 2}},
    ]
    rows = records(result_of(group=group, timeInterval="year"))
    assert [(row["cloud_provider"], row["service_description"]) for row in rows] == [
        ("amazon-web-services", "Amazon Elastic Compute Cloud"),
        ("amazon-web-services", "Amazon Relational Database Service"),
    ]


@given(
    st.sampled_from(["gt", "lt", "gte", "lte", "b", "nb", "e", "ne"]),
    st.floats(0, 3000),
    st.floats(0, 3000),
    st.sampled_from(["single_value", "series_total"]),
)
def test_metric_filters_keep_matching_rows(operator: str, low: float, high: float, operand: str) -> None:
    low, high = sorted((low, high))
    metric_filter = {"metric": COST, "operator": operator, "values": [low, high] if operator in ("b", "nb") else [low]}
    config = {"group": SERVICES, "timeInterval": "day"}
    plain = records(result_of(**config))
    rows = records(result_of(**config, metricFilter={**metric_filter, "operand": operand}))
    totals: dict[Any, float] = defaultdict(float)
    for row in plain:
        totals[row["service_id"]] += row["cost"]
    tests = {
        "gt": lambda value: value > low,
        "lt": lambda value: value < low,
        "gte": lambda value: value >= low,
        "lte": lambda value: value <= low,
        "b": lambda value: low <= value <= high,
        "nb": lambda value: not low <= value <= high,
        "e": lambda value: value == low,
        "ne": lambda value: value != low,
    }
    judged = [round(totals[row["service_id"]], 6) if operand == "series_total" else row["cost"] for row in plain]
    assert rows == [row for row, value in zip(plain, judged) if tests[operator](value)]


@given(fixed_groupings, st.sampled_from(["percent_total", "percent_col", "percent_row"]))
def test_percentages_add_up(groups: list[Dimension], aggregation: str) -> None:
    config = {"group": name_dimensions(*groups), "timeInterval": "day"}
    plain, filtered = (records(result_of(**config, **more)) for more in ({}, {"aggregation": aggregation}))
    parts = {"percent_total": [], "percent_col": ["year", "month", "day"], "percent_row": [item.id for item in groups]}
    wholes: dict[Any, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for before, after in zip(plain, filtered, strict=True):
        total = wholes[tuple(after[name] for name in parts[aggregation])]
        total[0] += before["cost"]
        total[1] += after["cost"] or 0.0
    for before, after in zip(plain, filtered):
        total = wholes[tuple(after[name] for name in parts[aggregation])]
        if round(total[0], 2) == 0:
            # Reserved usage costs nothing.
            assert after["cost"] is None
            continue
        assert total[1] == pytest.approx(100)
        assert after["cost"] == pytest.approx(100 * before["cost"] / total[0])


@given(fixed_groupings, st.sampled_from([item for item in FIXED if item.type != "gke"]))
def test_counts_are_distinct_values(groups: list[Dimension], counted: Dimension) -> None:
    group = name_dimensions(*groups)
    rows = records(result_of(group=group, timeInterval="month", aggregation="count", count=name_dimensions(counted)[0]))
    other = [item for item in name_dimensions(counted) if item not in group]
    values_seen: dict[Any, set[Any]] = defaultdict(set)
    for row in records(result_of(group=group + other, timeInterval="month")):
        values_seen[tuple(row[column["id"]] for column in group)].add(row[counted.id])
    assert {tuple(row[column["id"]] for column in group): row["count"] for row in rows} == {
        key: len(values - {None}) for key, values in values_seen.items()
    }


@settings(max_examples=25)
@given(fixed_groupings, ranges)
def test_running_sums_end_at_the_sum(groups: list[Dimension], range_: Any) -> None:
    plain, running = (
        records(result_of(group=name_dimensions(*groups), timeInterval=unit, **range_)) for unit in ("day", "dayCumSum")
    )
    ends: dict[Any, float] = {}
    sums: dict[Any, float] = defaultdict(float)
    for before, after in zip(plain, running, strict=True):
        key = tuple(before[item.id] for item in groups)
        sums[key] += before["cost"]
        ends[key] = after["cost"]
        assert after["cost"] == pytest.approx(sums[key], abs=1e-6)
        assert {**after, "cost": 0} == {**before, "cost": 0}
    assert ends == pytest.approx(dict(sums), abs=1e-6)


@pytest.mark.parametrize(
    ("main", "compared", "first", "last"),
    [
        ({"mode": "current", "unit": "month"}, {"amount": 1, "unit": "month"}, (2026, 10, 1), (2026, 10, 24)),
        (
            {"mode": "current", "unit": "month"},
            {"amount": 1, "unit": "month", "includeCurrent": True},
            (2026, 10, 1),
            (2026, 10, 31),
        ),
        ({"mode": "last", "amount": 1, "unit": "month"}, {"amount": 1, "unit": "month"}, (2026, 9, 1), (2026, 9, 30)),
        ({"mode": "last", "amount": 1, "unit": "month"}, {"amount": 1, "unit": "year"}, (2025, 10, 1), (2025, 10, 31)),
        ({"mode": "last", "amount": 7, "unit": "day"}, {"amount": 7, "unit": "day"}, (2026, 11, 10), (2026, 11, 16)),
        ({"mode": "current", "unit": "quarter"}, {"amount": 1, "unit": "quarter"}, (2026, 7, 1), (2026, 8, 24)),
        (
            {"mode": "current", "unit": "week"},
            {"customTimeRange": {"from": "2026-03-01T00:00:00Z", "to": "2026-03-02T12:00:00+02:00"}},
            (2026, 3, 1),
            (2026, 3, 2),
        ),
    ],
)
def test_comparison_matches_a_query_of_the_other_range(
    main: Any, compared: Any, first: tuple[int, int, int], last: tuple[int, int, int]
) -> None:
    config = {"group": name_dimensions(FIXED[0]), "timeInterval": "day"}
    combined = result_of(**config, timeRange=main, secondaryTimeRange=compared)
    other = result_of(**config, **days(date(*first), date(*last)))
    assert combined["secondaryRows"] == other["rows"] != []
    assert combined["rows"] == result_of(**config, timeRange=main)["rows"]


def test_comparison_keeps_the_displayed_series() -> None:
    limit = {"metric": COST, "sort": "desc", "value": 2}
    result = result_of(
        group=[{**SERVICES[0], "limit": limit}],
        timeInterval="month",
        secondaryTimeRange={"amount": 1, "unit": "month"},
    )
    assert len({row[0] for row in result["rows"]}) == 2
    assert {row[0] for row in result["secondaryRows"]} == {row[0] for row in result["rows"]}


@pytest.mark.parametrize(
    ("settings", "first", "last"),
    [
        ({"mode": "last", "amount": 3, "unit": "day"}, (2026, 11, 21), (2026, 11, 23)),
        ({"mode": "last", "amount": 3, "unit": "day", "includeCurrent": True}, (2026, 11, 22), (2026, 11, 24)),
        ({"mode": "last", "amount": 1, "unit": "week"}, (2026, 11, 15), (2026, 11, 21)),
        ({"mode": "last", "amount": 2, "unit": "month"}, (2026, 9, 1), (2026, 10, 31)),
        ({"mode": "last", "amount": 2, "unit": "month", "includeCurrent": True}, (2026, 10, 1), (2026, 11, 24)),
        ({"mode": "last", "amount": 1, "unit": "quarter"}, (2026, 7, 1), (2026, 9, 30)),
        ({"mode": "last", "amount": 1, "unit": "year", "includeCurrent": True}, (2026, 1, 1), (2026, 11, 24)),
        ({"mode": "current", "unit": "quarter"}, (2026, 10, 1), (2026, 11, 24)),
        ({"mode": "current"}, (2026, 11, 24), (2026, 11, 24)),
    ],
)
def test_relative_ranges(settings: Any, first: tuple[int, int, int], last: tuple[int, int, int]) -> None:
    assert result_of(timeRange=settings)["rows"] == result_of(**days(date(*first), date(*last)))["rows"] != []


def test_patterns_take_bounded_time() -> None:
    endless = {"type": "fixed", "id": "sku_description", "mode": "regexp", "values": [r"^(([^!]+)+)+!$"]}
    assert result_of(filters=[endless])["rows"] == []
    some = {**endless, "values": ["(?i)storage|GP3"]}
    rows = records(result_of(group=[{"type": "fixed", "id": "sku_description"}], filters=[some], timeInterval="year"))
    assert {"Storage PD Capacity", "$0.08 per GB-month of General Purpose (gp3)"} <= {
        row["sku_description"] for row in rows
    }


def test_default_query_is_the_daily_cost_of_a_week() -> None:
    result = result_of()
    assert [column["name"] for column in result["schema"]] == ["year", "month", "day", "cost", "timestamp"]
    assert [row[:3] for row in result["rows"]] == [["2026", "11", f"{day}"] for day in range(18, 25)]


def test_promotional_credits_are_included_on_request() -> None:
    config = {"timeInterval": "month", "timeRange": {"mode": "last", "amount": 1, "unit": "month"}}
    without, with_them = (micro(records(result_of(**config, includePromotionalCredits=on))) for on in (False, True))
    october = (date(2026, 10, 1).toordinal(), date(2026, 10, 31).toordinal())
    assert with_them == ledger().cost(*october, Selection(credits=True)) < without == ledger().cost(*october)


def test_currencies_are_converted() -> None:
    dollars, euros = (result_of(currency=name, metrics=METRICS)["rows"] for name in ("USD", "EUR"))
    for item, other in zip(dollars, euros, strict=True):
        assert other[3] == pytest.approx(item[3] * 0.87, abs=1e-6) and other[5] == pytest.approx(
            item[5] * 0.87, abs=1e-6
        )
        assert other[4] == item[4], "usage is not money"


def test_legacy_null_labels_are_accepted() -> None:
    group = [{"type": "label", "id": "team"}]
    old, new = (
        result_of(group=group, filters=[{**group[0], **more}])["rows"]
        for more in ({"values": ["[Team N/A]", "data"]}, {"values": ["data"], "includeNull": True})
    )
    assert old == new and {row[0] for row in old} == {None, "data"}


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"timeInterval": "hour"}, "timeInterval"),
        ({"dataSource": "bqlens"}, "dataSource"),
        ({"displayValues": "percentage_change", "limitAggregation": "top"}, "limitAggregation"),
        (
            {"aggregation": "count", "count": {"type": "fixed", "id": "region"}, "limitAggregation": "all"},
            "limitAggregation",
        ),
        ({"aggregation": "total_over_total"}, "aggregation"),
        ({"aggregation": "count"}, "count"),
        ({"count": {"type": "fixed", "id": "sku_id"}}, "count"),
        (
            {"aggregation": "count", "count": {"type": "fixed", "id": "sku_id"}, "timeInterval": "dayCumSum"},
            "timeInterval",
        ),
        (limit_by_change("gt"), "limitByChange"),
        ({"splits": [{"id": "x"}]}, "splits"),
        ({"advancedAnalysis": {"trendingUp": True}}, "advancedAnalysis.trendingUp"),
        ({"metrics": [{"type": "extended", "value": "margin"}]}, "metrics[0]"),
        ({"metrics": [{"type": "basic", "value": "amortized_cost"}]}, "metrics[0]"),
        ({"metrics": [{"type": "extended", "value": "orders"}]}, "metrics[0]"),
        (
            {
                "dataSource": "billing-datahub",
                "metrics": [{"type": "extended", "value": "orders"}],
                "forecastSettings": {},
                "timeInterval": "month",
            },
            "metrics",
        ),
        ({"metrics": [{"type": "basic", "value": "margin"}]}, "metrics[0]"),
        ({"metrics": [COST, COST]}, "metrics[1]"),
        ({"group": [{"type": "fixed", "id": "nothing"}]}, "group[0]"),
        ({"group": name_dimensions(FIXED[0], FIXED[0])}, "group[1]"),
        ({"group": [{**SERVICES[0], "limit": {"metric": {"type": "custom", "value": "x"}}}]}, "group[0].limit.metric"),
        ({"dimensions": [{"type": "allocation", "id": "x"}]}, "dimensions[0]"),
        ({"filters": [{"type": "fixed", "id": "sku_id"}]}, "filters[0]"),
        ({"filters": [{"type": "fixed", "id": "sku_id", "mode": "regexp", "values": ["("]}]}, "filters[0]"),
        ({"filters": [{"type": "fixed", "id": "sku_id", "mode": "regexp", "values": ["a", "b"]}]}, "filters[0]"),
        ({"filters": [{"type": "fixed", "id": "sku_id", "mode": "regexp", "values": [r"(a)\1"]}]}, "filters[0]"),
        ({"includePromotionalCredits": True}, "timeInterval"),
        ({"timeRange": {"mode": "custom"}}, "customTimeRange"),
        (
            {"timeRange": {"mode": "custom"}, "customTimeRange": {"from": "2026-01-01", "to": "2026-01-02"}},
            "customTimeRange.from",
        ),
        (days(date(2026, 1, 2), date(2026, 1, 1)), "customTimeRange.to"),
        ({"timeRange": {"mode": "last", "amount": 0, "unit": "day"}}, "timeRange.amount"),
        ({"timeRange": {"mode": "last", "amount": 5000, "unit": "year"}}, "timeRange.amount"),
        ({"secondaryTimeRange": {"amount": 1}}, "secondaryTimeRange.unit"),
        ({"secondaryTimeRange": {"amount": 5000, "unit": "year"}}, "secondaryTimeRange"),
        ({"metricFilter": {"metric": COST, "operator": "b", "values": [1]}}, "metricFilter.values"),
        ({"metricFilter": {"metric": COST, "operator": "b", "values": [2, 1]}}, "metricFilter.values"),
        (
            {"metricFilter": {"metric": COST, "operator": "gt", "values": [1]}, "timeInterval": "dayCumSum"},
            "metricFilter.operand",
        ),
        ({"forecastSettings": {}, "timeInterval": "week_day"}, "timeInterval"),
        ({"forecastSettings": {}, "aggregation": "percent_total"}, "aggregation"),
        ({"forecastSettings": {}, "group": [{"type": "datetime", "id": "week_day"}]}, "forecastSettings"),
        ({"forecastSettings": {"futureTimeIntervals": 101}}, "forecastSettings.futureTimeIntervals"),
        ({"forecastSettings": {"historicalTimeIntervals": 1}}, "forecastSettings.historicalTimeIntervals"),
        ({"forecastSettings": {"futureCustomDateRange": year(2026)}}, "forecastSettings.futureCustomDateRange"),
        (
            {"forecastSettings": {"futureCustomDateRange": {"from": "now", "to": "soon"}}},
            "forecastSettings.futureCustomDateRange.to",
        ),
        ({"forecastSettings": {"historicalCustomDateRange": year(2027)}}, "forecastSettings.historicalCustomDateRange"),
        ({"forecastSettings": {"historicalCustomDateRange": year(2020)}}, "forecastSettings.historicalCustomDateRange"),
    ],
)
def test_invalid_queries_are_rejected_by_field(config: Any, field: str) -> None:
    with pytest.raises(ApiError) as caught:
        result_of(**config)
    assert caught.value.status == 400
    assert field in caught.value.message and (field in caught.value.field or caught.value.field in field)


def test_limit_by_change_takes_the_same_operators_as_metric_filters() -> None:
    for operator in ("gt", "gte", "lt", "lte", "b", "nb"):
        assert CONFIG_VALIDATOR.is_valid(limit_by_change(operator))
    for operator in (">", ">=", "<", "<=", "between", "not_between"):
        (problem,) = CONFIG_VALIDATOR.iter_errors(limit_by_change(operator))
        assert problem.instance_path == ["limitByChange", "operator"]
