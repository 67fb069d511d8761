"""Report configuration: the queries of run_query, create_report and update_report; the API calls them ``config``."""

import re
from typing import Annotated, Any, Literal, Required, TypedDict

from ..protocol.json_schema import (
    UNLISTED,
    UNLISTED_OPTIONS,
    JsonObject,
    Length,
    PublishedMembers,
    Range,
)
from .change_filter import OPERATOR_NAMES, ChangeFilter, NamedMetric
from .common_types import Currency, Filter

Span = TypedDict("Span", {"from": str, "to": str})
Unit = Literal["day", "week", "month", "quarter", "year"]
Sort = Literal["asc", "desc", "a_to_z"]
DateRange = TypedDict("DateRange", {"from": str, "to": str}, total=False)


class Metric(TypedDict):
    """A metric to query."""

    type: Literal["basic", "custom", "extended"]
    value: str


class Dimension(TypedDict):
    """A dimension of the data. Its types are those of filters, which list them once to save tokens."""

    id: str
    type: str


class RowLimit(TypedDict, total=False):
    """How many values of a group to show."""

    metric: NamedMetric
    sort: Sort
    value: int


class Group(Dimension, total=False):
    """A dimension whose values become rows."""

    limit: Annotated[JsonObject, PublishedMembers(RowLimit), "First group only: value: row count."]


class TimeRange(TypedDict, total=False):
    """The period of a query."""

    mode: Required[
        Annotated[Literal["last", "current", "custom"], "last requires amount and unit; current requires unit."]
    ]
    amount: Annotated[int, Range(0, 5000)]
    unit: Unit
    includeCurrent: bool
    customTimeRange: Annotated[Span, UNLISTED]
    """Its former place; now it is a member of QueryFields."""


class SecondaryTimeRange(TypedDict, total=False):
    """A period to compare with."""

    amount: int
    unit: Annotated[Literal["day", "month", "quarter", "year"], UNLISTED_OPTIONS]
    includeCurrent: bool
    customTimeRange: DateRange


class MetricFilter(TypedDict, total=False):
    """Selects rows by their values."""

    metric: NamedMetric
    operator: Literal["gt", "lt", "lte", "gte", "e", "ne", "b", "nb"]
    values: Annotated[list[float], Length(maximum=100)]
    operand: Annotated[Literal["single_value", "series_total"], UNLISTED_OPTIONS]


class AdvancedAnalysis(TypedDict, total=False):
    """What to find in the rows."""

    forecast: bool
    notTrending: bool
    trendingDown: bool
    trendingUp: bool


class ForecastSettings(TypedDict, total=False):
    """The periods of a forecast."""

    mode: Literal["totals", "grouping", "none"]
    historicalTimeIntervals: int
    futureTimeIntervals: int
    historicalCustomDateRange: DateRange
    futureCustomDateRange: DateRange


class CostSource(TypedDict, total=False):
    """A value of a dimension."""

    id: str
    type: str


class SplitTarget(CostSource, total=False):
    """A target that gets a part of shared costs."""

    value: float


class Split(CostSource, total=False):
    """Shared costs to spread."""

    mode: Literal["even", "custom", "proportional"]
    includeOrigin: bool
    origin: CostSource
    targets: Annotated[list[SplitTarget], Length(maximum=1000)]


DisplayValues = Literal["actuals_only", "absolute_change", "percentage_change", "absolute_and_percentage"]
Layout = Literal[
    "column_chart",
    "stacked_column_chart",
    "bar_chart",
    "stacked_bar_chart",
    "line_chart",
    "spline_chart",
    "area_chart",
    "area_spline_chart",
    "stacked_area_chart",
    "treemap_chart",
    "sankey_chart",
    "column_and_line_chart",
    "trend_board",
    "cumulative_comparison",
    "table",
    "table_heatmap",
    "table_row_heatmap",
    "table_col_heatmap",
    "csv_export",
    "sheets_export",
]
FORMER_LAYOUTS = ("csv_export", "sheets_export")
"""Layouts that the API refuses. Their rows are those of a table."""
FontSize = Literal["auto", "small", "medium", "large"]


class DisplaySettings(TypedDict, total=False):
    """How a report looks."""

    themeId: str
    dataLabelFontSize: Annotated[FontSize, UNLISTED_OPTIONS]
    axisLabelFontSize: Annotated[FontSize, UNLISTED_OPTIONS]
    numberScale: Annotated[Literal["auto", "thousands", "millions", "billions", "raw"], UNLISTED_OPTIONS]
    decimalPrecision: int


class QueryFields(TypedDict, total=False):
    """A query without its period."""

    dataSource: Literal["billing", "bqlens", "billing-datahub", "kubernetes-utilization"]
    metrics: Annotated[
        list[Metric],
        "basic: cost, usage, savings; custom: its id; extended: e.g. amortized_cost.",
        Length(maximum=4),
    ]
    metric: Annotated[Metric, UNLISTED]
    """The former form of metrics."""
    customTimeRange: Annotated[Span, "Dates or RFC 3339."]
    secondaryTimeRange: Annotated[SecondaryTimeRange, "Compared period: amount units back."]
    timeInterval: Literal["hour", "day", "dayCumSum", "week", "isoweek", "month", "quarter", "year", "week_day"]
    group: Annotated[list[Group], "Rows; types as in filters.", Length(maximum=100)]
    filters: Annotated[list[Filter], Length(maximum=100)]
    dimensions: Annotated[list[Dimension], "Columns, e.g. datetime year, month.", Length(maximum=100)]
    aggregation: Annotated[
        Literal["total", "percent_total", "percent_col", "percent_row", "total_over_total", "count"],
        "count requires the field count.",
    ]
    count: CostSource
    metricFilter: Annotated[MetricFilter, "Rows in bounds; nb: not between."]
    limitByChange: Annotated[ChangeFilter, "Rows that changed."]
    limitAggregation: Annotated[Literal["none", "top", "all"], "Omitted rows to add up."]
    advancedAnalysis: AdvancedAnalysis
    forecastSettings: ForecastSettings
    currency: Annotated[Currency, "Such as EUR.", UNLISTED_OPTIONS]
    includePromotionalCredits: Annotated[bool, "Requires timeInterval month or longer."]
    includeSubtotals: bool
    splits: Annotated[
        list[Split],
        "Shared costs; origin type can be unallocated. value 0.3 is 30 %.",
        Length(maximum=100),
    ]
    sortGroups: Annotated[Sort, UNLISTED_OPTIONS]
    sortDimensions: Annotated[Sort, UNLISTED_OPTIONS]


class ReportLook(TypedDict, total=False):
    """How a report looks, which has no effect on its rows."""

    displayValues: Annotated[DisplayValues, UNLISTED_OPTIONS]
    layout: Annotated[Layout, "Such as table or line_chart.", UNLISTED_OPTIONS]
    displaySettings: DisplaySettings


class QueryConfig(QueryFields, ReportLook, total=False):
    """A query in the form that the API accepts."""

    timeRange: TimeRange


DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# The first alias of each provider is its code in other parts of the API.
PROVIDER_ALIASES = {
    "amazon-web-services": ("aws", "amazon", "amazon web services", "amazon_web_services"),
    "google-cloud": ("gcp", "google", "google cloud", "google cloud platform", "google_cloud"),
    "microsoft-azure": ("azure", "microsoft azure", "microsoft_azure"),
}
PROVIDER_BY_ALIAS = {name: provider for provider, names in PROVIDER_ALIASES.items() for name in names}


def normalize_provider(name: str) -> str:
    """Return the provider's name in billing data. Unknown names stay unchanged."""
    return PROVIDER_BY_ALIAS.get(name.strip().lower(), name)


def provider_code(name: str) -> str:
    """Return the short code of a provider: aws, gcp or azure. Unknown names stay unchanged."""
    return PROVIDER_ALIASES.get(normalize_provider(name), (name,))[0]


def normalize_config(config: JsonObject) -> JsonObject:
    """Return a config as the API expects it.

    This is the canonical form, with null in place of a forecast that is removed from a report (mode none).
    """
    body = canonical_config(config)
    if (body.get("forecastSettings") or {}).get("mode") == "none":
        # Arguments use a word for it, because in them null means omitted.
        body["forecastSettings"] = None
    return body


def canonical_config(config: JsonObject) -> JsonObject:
    """Return the canonical form of a config.

    Providers are named as in billing data, customTimeRange is beside timeRange, and former values are replaced.
    """
    filters = config.get("filters")
    body = {**config, "filters": normalize_filters(filters)} if filters else dict(config)
    if metric := body.pop("metric", None):
        body.setdefault("metrics", [metric])
    if isinstance(limit := body.get("limitByChange"), dict) and (name := limit.get("operator")) in OPERATOR_NAMES:
        body["limitByChange"] = {**limit, "operator": OPERATOR_NAMES[name]}
    if body.get("layout") in FORMER_LAYOUTS:
        body["layout"] = "table"
    # The API ignores a customTimeRange without mode custom.
    time_range = body.get("timeRange") or ({"mode": "custom"} if body.get("customTimeRange") else None)
    if not isinstance(time_range, dict) or time_range.get("mode") != "custom":
        return body
    span = body.get("customTimeRange") or time_range.get("customTimeRange")
    # Without unit and amount, which the API ignores today and will reject.
    body["timeRange"] = {"mode": "custom"}
    return {**body, "customTimeRange": _extend_to_whole_days(span)} if isinstance(span, dict) else body


def _extend_to_whole_days(span: JsonObject) -> JsonObject:
    """Return a range with dates as the first and the last second of their days, UTC. Other values are unchanged."""
    times = {"from": "T00:00:00Z", "to": "T23:59:59Z"}
    return {
        name: f"{value}{times.get(name, '')}" if isinstance(value, str) and DATE.fullmatch(value) else value
        for name, value in span.items()
    }


def allocation_scopes(allocations: list[str]) -> list[JsonObject]:
    """Return the scopes of single allocations with these ids. The API formerly accepted the ids themselves."""
    filters = {"id": "allocation_rule", "type": "allocation_rule", "mode": "is"}
    return [{**filters, "values": list(allocations)}] if allocations else []


def normalize_filters(filters: Any) -> Any:
    """Return filters with providers as billing data names them; anything else unchanged."""
    if not isinstance(filters, list):
        return filters
    return [_normalize_filter(condition) if isinstance(condition, dict) else condition for condition in filters]


def _normalize_filter(condition: JsonObject) -> JsonObject:
    if condition.get("id") != "cloud_provider" or "values" not in condition:
        return condition
    return {**condition, "values": [normalize_provider(value) for value in condition["values"]]}
