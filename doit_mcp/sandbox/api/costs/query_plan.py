"""Query plans: validated, resolved report configurations, or a 400 that names the field."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..responses import JsonObject, bad_request
from .dimensions import NO_CUSTOM_DIMENSIONS, RULE, CustomDimensions, Dimension, find_dimension
from .filters import Filter, compile_filters
from .forecast_plan import Forecast, parse_forecast
from .ledger import BUSINESS_METRICS, DAY_COLUMNS, MEASURES, ColumnSource, DerivedColumn
from .money import DEFAULT_CURRENCY
from .ranges import DayRange, comparison_range, primary_range

VALUE_NAMES = (*MEASURES, *BUSINESS_METRICS)  # what the values of a row are
COUNT_INDEX = len(VALUE_NAMES)  # where a row keeps the number of distinct values, after its measures
AMORTIZED = "amortized_cost"


@dataclass(frozen=True, slots=True)
class Column:
    """A named column of the result and its ledger column."""

    name: str
    source: ColumnSource


@dataclass(frozen=True, slots=True)
class Interval:
    """A time interval: *columns* of the result, *start* is the ledger column with the first day of the period."""

    columns: tuple[Column, ...] = ()
    start: str | None = None
    cumulative: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """The first *count* values of the group at *level* by *measure* (or by name), within their parent group."""

    level: int
    measure: int
    sort: str
    count: int


@dataclass(frozen=True, slots=True)
class MetricFilter:
    """Keeps cells, or with *by_series* whole series, whose *measure* passes."""

    measure: int
    operator: str
    values: tuple[float, ...]
    by_series: bool


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """A validated query. *groups* are rows, *splits* other dimensions beside the time interval's columns.

    *rest* controls the aggregation of rows beyond limits (limitAggregation).
    """

    groups: tuple[Column, ...]
    splits: tuple[Column, ...]
    interval: Interval
    measures: tuple[int, ...]
    range: DayRange
    comparison_range: DayRange | None
    filters: tuple[Filter, ...]
    limits: tuple[Limit, ...]
    metric_filter: MetricFilter | None
    rest: str
    aggregation: str
    count_source: ColumnSource | None
    credits: bool
    currency: str
    forecast: Forecast | None

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that identify rows, in the order of the response."""
        return self.groups + self.splits + self.interval.columns

    @property
    def needed_measures(self) -> set[int]:
        """The measures of the response and of the conditions on rows."""
        conditions = {limit.measure for limit in self.limits}
        return {*self.measures, *conditions, *([self.metric_filter.measure] if self.metric_filter else [])}


def _make_interval(*columns: tuple[str, str], start: str | None = None, cumulative: bool = False) -> Interval:
    return Interval(tuple(Column(*column) for column in columns), start, cumulative)


_DAY = (("year", "year"), ("month", "month"), ("day", "day_of_month"))
INTERVALS = {
    "day": _make_interval(*_DAY, start="day_start"),
    "dayCumSum": _make_interval(*_DAY, start="day_start", cumulative=True),
    "week": _make_interval(("year", "week_year"), ("week", "week"), start="week_start"),
    "isoweek": _make_interval(("year", "iso_year"), ("isoweek", "isoweek"), start="isoweek_start"),
    "month": _make_interval(("year", "year"), ("month", "month"), start="month_start"),
    "quarter": _make_interval(("year", "year"), ("quarter", "quarter"), start="quarter_start"),
    "year": _make_interval(("year", "year"), start="year_start"),
    "week_day": _make_interval(("week_day", "week_day")),
}
DATAHUB = "billing-datahub"
LONG_INTERVALS = ("month", "quarter", "year")


def make_plan(config: JsonObject, today: int, custom: CustomDimensions = NO_CUSTOM_DIMENSIONS) -> QueryPlan:
    """The plan of *config*, which is valid under schemas.CONFIG; 400 if it is inconsistent or not supported here."""
    _refuse_unmodeled(config)
    unit = _time_interval(config)
    interval = INTERVALS[unit] if unit else Interval()
    filters = compile_filters(config.get("filters") or (), custom=custom)
    groups = tuple(_read_columns(config.get("group") or (), "group", custom, filters))
    columns = tuple(_read_columns(config.get("dimensions") or (), "dimensions", custom, filters))
    # Dimensions already shown by the interval or a group add no column; the year of a week is the one it starts in.
    splits = tuple(item for item in columns if item.name not in _column_names(groups + interval.columns))
    own = tuple(item for item in interval.columns if item.name not in _column_names(groups))
    if config.get("includePromotionalCredits") and unit not in LONG_INTERVALS:
        raise bad_request("includePromotionalCredits needs timeInterval month, quarter or year", field="timeInterval")
    range_ = primary_range(config, today)
    counted = _count_source(config, interval)
    forecast = parse_forecast(config, unit, range_, today, counting=counted is not None)
    if forecast and any(column.source in DAY_COLUMNS for column in groups + splits):
        raise bad_request(
            "forecastSettings with groups of dates is not supported in the sandbox", field="forecastSettings"
        )
    measures = tuple(_read_measures(config))
    if max(measures) >= len(MEASURES) and (forecast or counted):
        raise bad_request("counts and forecasts of DataHub metrics are not supported in the sandbox", field="metrics")
    metric_filter = _metric_filter(config)
    if metric_filter and interval.cumulative and not metric_filter.by_series:
        raise bad_request(
            "timeInterval dayCumSum needs metricFilter.operand series_total", field="metricFilter.operand"
        )
    return QueryPlan(
        groups=groups,
        splits=splits,
        interval=Interval(own, interval.start, interval.cumulative),
        measures=measures,
        range=range_,
        comparison_range=comparison_range(config, range_),
        filters=filters,
        limits=tuple(_read_limits(config)),
        metric_filter=metric_filter,
        rest=_read_aggregation(config, counting=counted is not None),
        aggregation=config.get("aggregation") or "total",
        count_source=counted,
        credits=bool(config.get("includePromotionalCredits")),
        currency=config.get("currency") or DEFAULT_CURRENCY,
        forecast=forecast,
    )


def measure_of(metric: JsonObject, where: str, source: str = "billing") -> int:
    """The index of a metric among the values of a row; business metrics are those of the *source* billing-datahub."""
    extended = (AMORTIZED, *(BUSINESS_METRICS if source == DATAHUB else ()))
    names = {"basic": tuple(name for name in MEASURES if name != AMORTIZED), "extended": extended}.get(metric["type"])
    if names is None:
        raise bad_request(f"{where}: metrics of type {metric['type']} are not supported in the sandbox", field=where)
    if metric["value"] not in names:
        raise bad_request(f"{where}: {metric['value'][:40]!r} is not one of {', '.join(names)}", field=where)
    return VALUE_NAMES.index(metric["value"])


def _refuse_unmodeled(config: JsonObject) -> None:
    # Ignoring a part of the configuration would return a wrong number.
    modeled: dict[str, tuple[object, ...]] = {
        "dataSource": ("billing", DATAHUB),
        "aggregation": ("total", "percent_total", "percent_col", "percent_row", "count"),
    }
    for name, values in modeled.items():
        if config.get(name) not in (None, *values):
            raise bad_request(f"{name} {config[name]!r} is not supported in the sandbox", field=name)
    for name in ("limitByChange", "splits"):
        if config.get(name):
            raise bad_request(f"{name} is not supported in the sandbox", field=name)
    for name, switched_on in (config.get("advancedAnalysis") or {}).items():
        if switched_on and name != "forecast":
            raise bad_request(
                f"advancedAnalysis.{name} is not supported in the sandbox", field=f"advancedAnalysis.{name}"
            )


def _time_interval(config: JsonObject) -> str | None:
    """The time interval; days, unless the dimensions define how to split time."""
    unit: str | None = config.get("timeInterval")
    if unit is None:
        return None if any(item["type"] == "datetime" for item in config.get("dimensions") or ()) else "day"
    if unit not in INTERVALS:
        raise bad_request(
            f"timeInterval {unit} is not supported in the sandbox: its lines are daily", field="timeInterval"
        )
    return unit


def _read_columns(
    items: Sequence[JsonObject], where: str, custom: CustomDimensions, filters: Sequence[Filter]
) -> Iterator[Column]:
    seen: set[Dimension] = set()
    for index, item in enumerate(items):
        found = find_dimension(item["type"], item["id"], f"{where}[{index}]", custom)
        if found in seen:
            raise bad_request(f"{where}[{index}]: {found.id} is duplicated", field=f"{where}[{index}]")
        seen.add(found)
        yield Column(found.id, _column_source(found, filters))


def _column_source(found: Dimension, filters: Sequence[Filter]) -> ColumnSource:
    """The dimension's column; rules can overlap, so only those that pass their filters are used."""
    if found.type != RULE or not isinstance(found.column, DerivedColumn):
        return found.column
    value_count = [item for item in filters if item.dimension == found and not item.inverse]
    parts = (
        part
        for part in found.column.parts
        if all(item.accepts(part.id) or item.accepts(part.name) for item in value_count)
    )
    return DerivedColumn(tuple(parts), found.column.rest)


def _read_aggregation(config: JsonObject, *, counting: bool) -> str:
    rest = str(config.get("limitAggregation") or "none")
    # Display values only affect the console; the numbers are the same.
    if rest != "none" and (config.get("displayValues") or "actuals_only") != "actuals_only":
        raise bad_request(
            "limitAggregation must be none unless displayValues is actuals_only", field="limitAggregation"
        )
    if rest != "none" and counting:
        raise bad_request(
            f"limitAggregation {rest} of counts is not supported in the sandbox", field="limitAggregation"
        )
    return rest


def _column_names(columns: Sequence[Column]) -> set[str]:
    return {item.name for item in columns}


def _read_measures(config: JsonObject) -> Iterator[int]:
    metrics = config.get("metrics") or []
    seen: set[int] = set()
    for index, metric in enumerate(metrics or [{"type": "basic", "value": "cost"}]):
        measure = measure_of(metric, f"metrics[{index}]", _data_source(config))
        if measure in seen:
            raise bad_request(f"metrics[{index}]: {VALUE_NAMES[measure]} is duplicated", field=f"metrics[{index}]")
        seen.add(measure)
        yield measure


def _read_limits(config: JsonObject) -> Iterator[Limit]:
    for level, item in enumerate(config.get("group") or ()):
        limit = item.get("limit") or {}
        if limit:
            measure = measure_of(limit["metric"], f"group[{level}].limit.metric", _data_source(config))
            yield Limit(level, measure, limit.get("sort") or "desc", limit.get("value") or 0)


def _data_source(config: JsonObject) -> str:
    return config.get("dataSource") or "billing"


def _metric_filter(config: JsonObject) -> MetricFilter | None:
    item = config.get("metricFilter")
    if not item:
        return None
    values = tuple(item["values"])
    value_count = 2 if item["operator"] in ("b", "nb") else 1
    if len(values) != value_count:
        raise bad_request(f"metricFilter.values: {item['operator']} takes {value_count}", field="metricFilter.values")
    if value_count == 2 and values[0] > values[1]:
        raise bad_request("metricFilter.values: the lower bound comes first", field="metricFilter.values")
    measure = measure_of(item["metric"], "metricFilter.metric", _data_source(config))
    return MetricFilter(measure, item["operator"], values, item.get("operand") == "series_total")


def _count_source(config: JsonObject, interval: Interval) -> ColumnSource | None:
    item = config.get("count")
    if (config.get("aggregation") == "count") != bool(item):
        raise bad_request("count is required with aggregation count, and only allowed with it", field="count")
    if not item:
        return None
    if interval.cumulative:
        raise bad_request("timeInterval dayCumSum cannot count distinct values", field="timeInterval")
    return find_dimension(item["type"], item["id"], "count").column
