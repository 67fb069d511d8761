"""What a report or query asks for: the ``config`` of run_query, create_report and update_report."""

from typing import Annotated, Literal, Required, TypedDict

from ..protocol.schema import JsonObject, Length, Range
from .records import Currency, DimensionType, Filter

Span = TypedDict("Span", {"from": Annotated[str, "RFC 3339."], "to": Annotated[str, "RFC 3339."]})
Unit = Literal["day", "week", "month", "quarter", "year"]
Sort = Literal["asc", "desc", "a_to_z"]
FontSize = Literal["auto", "small", "medium", "large"]


class Metric(TypedDict):
    """What is measured."""

    type: Literal["basic", "custom", "extended"]
    value: Annotated[str, "basic: cost, usage or savings; custom: id of the metric; extended: e.g. amortized_cost."]


class Dimension(TypedDict, total=False):
    """A dimension of the data."""

    id: Required[str]
    type: Required[DimensionType]


class GroupLimit(TypedDict, total=False):
    """Only the first groups."""

    metric: Required[Metric]
    sort: Sort
    value: Annotated[int, "How many groups."]


class Group(Dimension, total=False):
    """A dimension that makes rows."""

    limit: GroupLimit


class MetricFilter(TypedDict, total=False):
    """Only rows whose metric is in bounds."""

    metric: Required[Metric]
    operator: Required[Annotated[Literal["gt", "lt", "lte", "gte", "b", "nb", "e", "ne"], "b between, nb not between."]]
    values: Required[list[float]]
    operand: Annotated[
        Literal["single_value", "series_total"], "Compare each value, or the total of a series; single_value."
    ]


class ChangeLimit(TypedDict):
    """Only rows that changed that much from period to period."""

    metric: Metric
    changeType: Literal["percentage", "absolute"]
    operator: Literal[">", ">=", "<", "<=", "between", "not_between"]
    values: list[float]
    includeIncompleteData: Annotated[bool, "Keep rows whose change is not known."]


class TimeRange(TypedDict, total=False):
    """The period asked about."""

    mode: Required[Annotated[Literal["last", "current", "custom"], "last wants amount and unit; current wants unit."]]
    amount: Annotated[int, Range(0, 5000)]
    unit: Unit
    includeCurrent: Annotated[bool, "Whether the running period counts."]
    customTimeRange: Annotated[Span, "Better given beside timeRange."]


class SecondaryTimeRange(TypedDict, total=False):
    """A period to compare with: shifted back, or custom."""

    amount: Annotated[int, Range(0)]
    unit: Literal["day", "month", "quarter", "year"]
    includeCurrent: Annotated[bool, "Compare with whole earlier periods."]
    customTimeRange: Span


class Analysis(TypedDict, total=False):
    """Marks on the result."""

    forecast: bool
    notTrending: bool
    trendingDown: bool
    trendingUp: bool


class Forecast(TypedDict, total=False):
    """How to forecast; its presence switches forecasting on."""

    mode: Annotated[Literal["totals", "grouping"], "totals, if left out."]
    historicalTimeIntervals: int
    futureTimeIntervals: int
    historicalCustomDateRange: Span
    futureCustomDateRange: Span


class Origin(TypedDict):
    """Whose cost is split."""

    id: str
    type: Annotated[str, "A type of dimension, or unallocated."]


class Target(TypedDict, total=False):
    """Who gets a share."""

    id: Required[str]
    type: Required[DimensionType]
    value: Annotated[float, "Share in custom mode: 0.3 is 30 %."]


class Split(TypedDict, total=False):
    """Spreads a shared cost."""

    id: Required[str]
    type: Required[DimensionType]
    mode: Required[Literal["even", "custom", "proportional"]]
    includeOrigin: bool
    origin: Origin
    targets: list[Target]


class Count(TypedDict):
    """The field whose different values are counted."""

    id: str
    type: Literal["fixed", "label", "tag", "project_label", "system_label"]


class DisplaySettings(TypedDict, total=False):
    """How the report looks in the console."""

    themeId: str
    dataLabelFontSize: FontSize
    axisLabelFontSize: FontSize
    numberScale: Literal["auto", "thousands", "millions", "billions", "raw"]
    decimalPrecision: Annotated[int, Range(0, 8)]


class Config(TypedDict, total=False):
    """A query."""

    dataSource: Annotated[Literal["billing", "bqlens", "billing-datahub", "kubernetes-utilization"], "billing."]
    metrics: Annotated[list[Metric], "Up to four.", Length(maximum=4)]
    metric: Annotated[Metric, "Old form of metrics, which wins."]
    timeRange: TimeRange
    customTimeRange: Annotated[Span, "For timeRange.mode custom."]
    secondaryTimeRange: SecondaryTimeRange
    timeInterval: Annotated[
        Literal["hour", "day", "dayCumSum", "week", "isoweek", "month", "quarter", "year", "week_day"],
        "Length of the steps in time.",
    ]
    group: Annotated[list[Group], "What the rows are."]
    filters: Annotated[list[Filter], "What counts. Values must be spelled as in the data (list_dimensions)."]
    dimensions: Annotated[list[Dimension], "What the columns are, e.g. datetime year and month."]
    aggregation: Annotated[
        Literal["total", "percent_total", "percent_col", "percent_row", "total_over_total", "count"],
        "total, if left out; count wants the field count.",
    ]
    count: Count
    metricFilter: MetricFilter
    limitByChange: ChangeLimit
    limitAggregation: Annotated[
        Literal["none", "top", "all"], "What becomes of rows that limits leave out; none shows nothing of them."
    ]
    advancedAnalysis: Analysis
    forecastSettings: Forecast | None
    currency: Currency
    includePromotionalCredits: Annotated[bool, "true wants timeInterval month, quarter or year."]
    includeSubtotals: bool
    displayValues: Annotated[
        Literal["actuals_only", "absolute_change", "percentage_change", "absolute_and_percentage"],
        "For comparisons with secondaryTimeRange.",
    ]
    splits: list[Split]
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
    displaySettings: DisplaySettings


PROVIDERS = {
    "amazon-web-services": ("aws", "amazon", "amazon web services", "amazon_web_services"),
    "google-cloud": ("gcp", "google", "google cloud", "google cloud platform", "google_cloud"),
    "microsoft-azure": ("azure", "microsoft azure", "microsoft_azure"),
}
PROVIDER_NAMED = {name: provider for provider, names in PROVIDERS.items() for name in names}


def provider_of(name: str) -> str:
    """The billing data's name of a cloud provider; what is no known other name of one stays as it is."""
    return PROVIDER_NAMED.get(name.strip().lower(), name)


def completed(config: JsonObject) -> JsonObject:
    """A config as the API wants it: providers by their names in the data, and a custom range beside timeRange."""
    filters = config.get("filters")
    done = {**config, "filters": [_filter(one) for one in filters]} if filters else dict(config)
    period = done.get("timeRange")
    if not period or period.get("mode") != "custom":
        return done
    span = done.get("customTimeRange") or period.get("customTimeRange")
    # A unit or an amount has no meaning here, and the API is about to refuse them.
    done["timeRange"] = {"mode": "custom"}
    return {**done, "customTimeRange": span} if span else done


def _filter(one: JsonObject) -> JsonObject:
    if one.get("id") != "cloud_provider" or "values" not in one:
        return one
    return {**one, "values": [provider_of(value) for value in one["values"]]}
