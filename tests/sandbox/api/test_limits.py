"""Rows beyond limits: dropped, or aggregated (limitAggregation)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doit_mcp.sandbox.api.costs.other_rows import OTHER

from .test_queries import COST, FIXED, METRICS, micro, name_dimensions, records, result_of

BY_CLOUD = {"type": "fixed", "id": "cloud_provider"}
BY_SERVICE = {"type": "fixed", "id": "service_description"}
MONTHS = {"timeInterval": "month", "timeRange": {"mode": "last", "amount": 3, "unit": "month", "includeCurrent": True}}
COMPARED = {"secondaryTimeRange": {"amount": 1, "unit": "month"}}


def limit(count: int, sort: str = "desc") -> dict[str, Any]:
    """A limit of a group."""
    return {"limit": {"metric": COST, "sort": sort, "value": count}}


limits = st.builds(limit, st.integers(1, 5), st.sampled_from(["a_to_z", "asc", "desc"])) | st.just({})
groups = st.lists(st.sampled_from(FIXED), min_size=1, max_size=3, unique=True).flatmap(
    lambda found: st.tuples(
        *(limits.map(lambda extra, item=item: name_dimensions(item)[0] | extra) for item in found)
    ).map(list)
)
metric_filters = st.none() | st.fixed_dictionaries(
    {
        "metric": st.just(COST),
        "operator": st.sampled_from(["gt", "lt"]),
        "values": st.lists(st.integers(0, 3000), min_size=1, max_size=1),
        "operand": st.sampled_from(["single_value", "series_total"]),
    }
)


@given(groups, metric_filters, st.sampled_from(["top", "all"]))
def test_sums_with_remainder_equal_unlimited_sums(group: Any, metric_filter: Any, rest: str) -> None:
    filtered = {"metricFilter": metric_filter} if metric_filter else {}
    config = {**MONTHS, **COMPARED, "group": group, "metrics": METRICS, **filtered}
    limited = result_of(**config, limitAggregation=rest)
    unlimited = result_of(
        **{name: value for name, value in config.items() if name != "metricFilter"}
        | {
            "group": [{"type": item["type"], "id": item["id"]} for item in group],
        }
    )
    for rows in ("rows", "secondaryRows"):
        for metric in ("cost", "usage", "savings"):
            assert micro(records(limited, rows), metric) == micro(records(unlimited, rows), metric)
    keys = [tuple(row[: len(group)] + row[-1:]) for row in limited["rows"]]
    assert len(set(keys)) == len(keys), "a series has one row per period"


def test_top_has_one_remainder_and_all_has_one_per_value() -> None:
    group = [BY_CLOUD | limit(2), BY_SERVICE | limit(1)]
    limited = {
        rest: [tuple(row[:2]) for row in result_of(group=group, limitAggregation=rest, timeInterval="year")["rows"]]
        for rest in ("none", "top", "all")
    }
    first, second = [cloud for cloud, _ in limited["none"]]
    assert len(limited["none"]) == 2
    assert limited["top"] == [*limited["none"], (OTHER, OTHER)]
    assert limited["all"] == [
        limited["none"][0],
        (first, OTHER),
        limited["none"][1],
        (second, OTHER),
        (OTHER, OTHER),
    ]


def test_percentages_include_the_remainder() -> None:
    result = result_of(
        group=[BY_SERVICE | limit(2)],
        limitAggregation="top",
        aggregation="percent_total",
        timeInterval="year",
    )
    assert sum(row["cost"] for row in records(result)) == pytest.approx(100)


def test_remainder_has_a_forecast() -> None:
    config = {**MONTHS, "forecastSettings": {"mode": "grouping", "futureTimeIntervals": 2}}
    limited = result_of(group=[BY_CLOUD | limit(1)], limitAggregation="all", **config)
    unlimited = result_of(group=[BY_CLOUD], **config)
    clouds = [row["cloud_provider"] for row in records(limited, "forecastRows")]
    assert clouds[2:] == [OTHER, OTHER] and clouds[0] == clouds[1] == records(limited)[0]["cloud_provider"]
    # Future months are predicted from the aggregated rest, so they are only close to the sum of the predictions.
    near = pytest.approx(micro(records(unlimited, "forecastRows")), rel=0.02)
    assert micro(records(limited, "forecastRows")) == near


def test_no_remainder_without_limits() -> None:
    config = {**MONTHS, "group": [BY_CLOUD]}
    assert result_of(**config, limitAggregation="all") == result_of(**config)


@pytest.mark.parametrize("display", ["actuals_only", "absolute_change", "percentage_change", "absolute_and_percentage"])
def test_display_option_changes_no_number(display: str) -> None:
    config = {**MONTHS, **COMPARED, "group": [BY_CLOUD]}
    assert result_of(**config, displayValues=display) == result_of(**config)
