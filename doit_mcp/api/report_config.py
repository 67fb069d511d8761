"""Report configuration: the ``config`` of run_query, create_report and update_report."""

import re
from typing import Annotated, Any, Literal, Required, TypedDict

from ..protocol.json_schema import JsonObject, Length, Range
from .common_types import Currency, Filter

Span = TypedDict("Span", {"from": str, "to": str})
Unit = Literal["day", "week", "month", "quarter", "year"]
Sort = Literal["asc", "desc", "a_to_z"]


class Metric(TypedDict):
    """A metric to query."""

    type: Literal["basic", "custom", "extended"]
    value: str


class Dimension(TypedDict):
    """A dimension of the data. It takes the same types as filters, which list them once to save tokens."""

    id: str
    type: str


class Group(Dimension, total=False):
    """A dimension whose values become rows."""

    limit: Annotated[JsonObject, "First group only: metric, sort (asc, desc, a_to_z), value (number of rows)."]


class TimeRange(TypedDict, total=False):
    """The period of a query."""

    mode: Required[
        Annotated[Literal["last", "current", "custom"], "last requires amount and unit; current requires unit."]
    ]
    amount: Annotated[int, Range(0, 5000)]
    unit: Unit
    includeCurrent: Annotated[bool, "Include the current period."]
    customTimeRange: Annotated[JsonObject, "Former location."]


class QueryFields(TypedDict, total=False):
    """A query without its period. Rarely used fields are open objects, to keep the schemas of three tools small."""

    dataSource: Literal["billing", "bqlens", "billing-datahub", "kubernetes-utilization"]
    metrics: Annotated[
        list[Metric],
        "Values: basic: cost, usage, savings; custom: its id; extended: e.g. amortized_cost.",
        Length(maximum=4),
    ]
    metric: Annotated[JsonObject, "Legacy form of metrics."]
    customTimeRange: Annotated[Span, "Dates or RFC 3339."]
    secondaryTimeRange: Annotated[
        JsonObject,
        "Comparison period: amount and unit (day, month, quarter, year) back, includeCurrent (whole periods); "
        "or customTimeRange.",
    ]
    timeInterval: Literal["hour", "day", "dayCumSum", "week", "isoweek", "month", "quarter", "year", "week_day"]
    group: Annotated[list[Group], "Rows; types as in filters.", Length(maximum=100)]
    filters: Annotated[list[Filter], Length(maximum=100)]
    dimensions: Annotated[list[Dimension], "Columns, e.g. datetime year, month.", Length(maximum=100)]
    aggregation: Annotated[
        Literal["total", "percent_total", "percent_col", "percent_row", "total_over_total", "count"],
        "count requires the field count.",
    ]
    count: Annotated[JsonObject, "What to count: id, type (fixed, label, tag, project_label, system_label)."]
    metricFilter: Annotated[
        JsonObject,
        "Only rows in bounds: metric (as in metrics), operator (gt, lt, lte, gte, e, ne, b: between, nb: not between), "
        "values (list), operand (single_value, series_total).",
    ]
    limitByChange: Annotated[
        JsonObject,
        "Only rows that changed: metric, changeType (percentage, absolute), operator (gt, gte, lt, lte, b, nb), "
        "values (list), includeIncompleteData.",
    ]
    limitAggregation: Annotated[Literal["none", "top", "all"], "Which omitted rows to add up."]
    advancedAnalysis: Annotated[JsonObject, "forecast, notTrending, trendingDown, trendingUp: booleans."]
    forecastSettings: Annotated[
        JsonObject | None,
        "mode (totals, grouping), historicalTimeIntervals, futureTimeIntervals; or historicalCustomDateRange, "
        "futureCustomDateRange (from, to).",
    ]
    currency: Currency
    includePromotionalCredits: Annotated[bool, "Requires timeInterval month or longer."]
    includeSubtotals: bool
    displayValues: Literal["actuals_only", "absolute_change", "percentage_change", "absolute_and_percentage"]
    splits: Annotated[
        list[JsonObject],
        "Shared costs to spread: id, type, mode (even, custom, proportional), includeOrigin, origin (id, type or "
        "unallocated), targets (id, type, value: 0.3 is 30 %).",
        Length(maximum=100),
    ]
    sortGroups: Sort
    sortDimensions: Sort
    layout: Literal[
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
        "table",
        "table_heatmap",
        "table_row_heatmap",
        "table_col_heatmap",
        "csv_export",
        "sheets_export",
    ]
    displaySettings: Annotated[
        JsonObject,
        "themeId, dataLabelFontSize, axisLabelFontSize (auto, small, medium, large), numberScale (auto, thousands, "
        "millions, billions, raw), decimalPrecision.",
    ]


class QueryConfig(QueryFields, total=False):
    """A query, as the API takes it."""

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
    """Return a config as the API expects it: providers as billing data names them, customTimeRange beside timeRange."""
    filters = config.get("filters")
    body = {**config, "filters": normalize_filters(filters)} if filters else dict(config)
    # The API ignores a customTimeRange without mode custom.
    time_range = body.get("timeRange") or ({"mode": "custom"} if body.get("customTimeRange") else None)
    if not time_range or time_range.get("mode") != "custom":
        return body
    span = body.get("customTimeRange") or time_range.get("customTimeRange")
    # Without unit and amount, which the API ignores today and will reject.
    body["timeRange"] = {"mode": "custom"}
    return {**body, "customTimeRange": _whole_days(span)} if span else body


def _whole_days(span: JsonObject) -> JsonObject:
    """Return a range with dates as the first and the last second of their days, UTC. Other values are unchanged."""
    times = {"from": "T00:00:00Z", "to": "T23:59:59Z"}
    return {name: f"{value}{times.get(name, '')}" if DATE.fullmatch(value) else value for name, value in span.items()}


def normalize_filters(filters: Any) -> Any:
    """Return filters with providers as billing data names them; anything else unchanged."""
    if not isinstance(filters, list):
        return filters
    return [_normalize_filter(condition) if isinstance(condition, dict) else condition for condition in filters]


def _normalize_filter(condition: JsonObject) -> JsonObject:
    if condition.get("id") != "cloud_provider" or "values" not in condition:
        return condition
    return {**condition, "values": [normalize_provider(value) for value in condition["values"]]}
