"""From a report configuration to a plan: what is asked, checked and resolved, or a 400 that names the field."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..responses import JsonObject, bad
from .dimensions import NONE_MADE, RULE, Dimension, Made, dimension
from .filters import Filter, compiled
from .forecast_plan import Forecast, forecast_of
from .ledger import DAY_COLUMNS, MEASURES, Parts, Source
from .ranges import Range, primary, secondary

COUNT = len(MEASURES)  # where a row keeps the number of distinct values, after its measures


@dataclass(frozen=True, slots=True)
class Column:
    """A named column of the result and the ledger's column behind it."""

    name: str
    source: Source


@dataclass(frozen=True, slots=True)
class Interval:
    """How time is split: *columns* of the result, *start* the ledger's column with the first day of the period."""

    columns: tuple[Column, ...] = ()
    start: str | None = None
    running: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """The *count* first values of the group at *level* by *measure* (or by name), within their parent group."""

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
class Plan:
    """A query ready to run. *groups* are rows, *splits* other dimensions beside the time interval's own columns.

    *rest* says what becomes of rows that limits leave out (limitAggregation).
    """

    groups: tuple[Column, ...]
    splits: tuple[Column, ...]
    interval: Interval
    measures: tuple[int, ...]
    range: Range
    compared: Range | None
    filters: tuple[Filter, ...]
    limits: tuple[Limit, ...]
    metric_filter: MetricFilter | None
    rest: str
    aggregation: str
    counted: Source | None
    credits: bool
    currency: str
    forecast: Forecast | None

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that tell rows apart, in the order of the answer."""
        return self.groups + self.splits + self.interval.columns


def _interval(*columns: tuple[str, str], start: str | None = None, running: bool = False) -> Interval:
    return Interval(tuple(Column(*column) for column in columns), start, running)


_DAY = (("year", "year"), ("month", "month"), ("day", "day_of_month"))
INTERVALS = {
    "day": _interval(*_DAY, start="day_start"),
    "dayCumSum": _interval(*_DAY, start="day_start", running=True),
    "week": _interval(("year", "week_year"), ("week", "week"), start="week_start"),
    "isoweek": _interval(("year", "iso_year"), ("isoweek", "isoweek"), start="isoweek_start"),
    "month": _interval(("year", "year"), ("month", "month"), start="month_start"),
    "quarter": _interval(("year", "year"), ("quarter", "quarter"), start="quarter_start"),
    "year": _interval(("year", "year"), start="year_start"),
    "week_day": _interval(("week_day", "week_day")),
}
LONG_INTERVALS = ("month", "quarter", "year")


def plan_of(config: JsonObject, today: int, made: Made = NONE_MADE) -> Plan:
    """The plan of *config*, which fits schemas.CONFIG; 400 for what makes no sense or is not modelled here."""
    _refuse_unmodelled(config)
    unit = _time_interval(config)
    interval = INTERVALS[unit] if unit else Interval()
    filters = compiled(config.get("filters") or (), made=made)
    groups = tuple(_columns(config.get("group") or (), "group", made, filters))
    asked = tuple(_columns(config.get("dimensions") or (), "dimensions", made, filters))
    # What the interval or a group already shows is no second column; a week's year is the one the week began in.
    splits = tuple(one for one in asked if one.name not in _names(groups + interval.columns))
    own = tuple(one for one in interval.columns if one.name not in _names(groups))
    if config.get("includePromotionalCredits") and unit not in LONG_INTERVALS:
        raise bad("includePromotionalCredits needs timeInterval month, quarter or year", field="timeInterval")
    range_ = primary(config, today)
    counted = _counted(config, interval)
    forecast = forecast_of(config, unit, range_, today, counting=counted is not None)
    if forecast and any(column.source in DAY_COLUMNS for column in groups + splits):
        raise bad("forecastSettings with groups of dates is not modelled in the sandbox", field="forecastSettings")
    metric_filter = _metric_filter(config.get("metricFilter"))
    if metric_filter and interval.running and not metric_filter.by_series:
        raise bad("timeInterval dayCumSum needs metricFilter.operand series_total", field="metricFilter.operand")
    return Plan(
        groups=groups,
        splits=splits,
        interval=Interval(own, interval.start, interval.running),
        measures=tuple(_measures(config)),
        range=range_,
        compared=secondary(config, range_),
        filters=filters,
        limits=tuple(_limits(config.get("group") or ())),
        metric_filter=metric_filter,
        rest=_rest(config, counting=counted is not None),
        aggregation=config.get("aggregation") or "total",
        counted=counted,
        credits=bool(config.get("includePromotionalCredits")),
        currency=config.get("currency") or "USD",
        forecast=forecast,
    )


def measure_of(metric: JsonObject, where: str) -> int:
    """Which of a line's measures a metric is."""
    if metric["type"] != "basic":
        raise bad(f"{where}: metrics of type {metric['type']} are not modelled in the sandbox", field=where)
    if metric["value"] not in MEASURES:
        raise bad(f"{where}: {metric['value'][:40]!r} is not one of {', '.join(MEASURES)}", field=where)
    return MEASURES.index(metric["value"])


def _refuse_unmodelled(config: JsonObject) -> None:
    # A part that were ignored would make a wrong number of a right one.
    modelled: dict[str, tuple[object, ...]] = {
        "dataSource": ("billing",),
        "aggregation": ("total", "percent_total", "percent_col", "percent_row", "count"),
    }
    for name, values in modelled.items():
        if config.get(name) not in (None, *values):
            raise bad(f"{name} {config[name]!r} is not modelled in the sandbox", field=name)
    for name in ("limitByChange", "splits"):
        if config.get(name):
            raise bad(f"{name} is not modelled in the sandbox", field=name)
    for name, switched_on in (config.get("advancedAnalysis") or {}).items():
        if switched_on and name != "forecast":
            raise bad(f"advancedAnalysis.{name} is not modelled in the sandbox", field=f"advancedAnalysis.{name}")


def _time_interval(config: JsonObject) -> str | None:
    """The interval; days unless the dimensions say how to split time."""
    unit: str | None = config.get("timeInterval")
    if unit is None:
        return None if any(one["type"] == "datetime" for one in config.get("dimensions") or ()) else "day"
    if unit not in INTERVALS:
        raise bad(f"timeInterval {unit} is not modelled in the sandbox: its lines are daily", field="timeInterval")
    return unit


def _columns(items: Sequence[JsonObject], where: str, made: Made, filters: Sequence[Filter]) -> Iterator[Column]:
    seen: set[Dimension] = set()
    for index, item in enumerate(items):
        found = dimension(item["type"], item["id"], f"{where}[{index}]", made)
        if found in seen:
            raise bad(f"{where}[{index}]: {found.id} is there twice", field=f"{where}[{index}]")
        seen.add(found)
        yield Column(found.id, _shown(found, filters))


def _shown(found: Dimension, filters: Sequence[Filter]) -> Source:
    """The dimension's column; of rules, which may overlap, only those that filters on them let through."""
    if found.type != RULE or not isinstance(found.column, Parts):
        return found.column
    wanted = [one for one in filters if one.dimension == found and not one.inverse]
    parts = (part for part in found.column.parts if all(one.fits(part.id) or one.fits(part.name) for one in wanted))
    return Parts(tuple(parts), found.column.rest)


def _rest(config: JsonObject, *, counting: bool) -> str:
    rest = str(config.get("limitAggregation") or "none")
    # How values are displayed is a matter of the console: the numbers are the same.
    if rest != "none" and (config.get("displayValues") or "actuals_only") != "actuals_only":
        raise bad("limitAggregation must be none unless displayValues is actuals_only", field="limitAggregation")
    if rest != "none" and counting:
        raise bad(f"limitAggregation {rest} of counts is not modelled in the sandbox", field="limitAggregation")
    return rest


def _names(columns: Sequence[Column]) -> set[str]:
    return {one.name for one in columns}


def _measures(config: JsonObject) -> Iterator[int]:
    metrics = config.get("metrics") or ([config["metric"]] if config.get("metric") else [])
    seen: set[int] = set()
    for index, metric in enumerate(metrics or [{"type": "basic", "value": "cost"}]):
        measure = measure_of(metric, f"metrics[{index}]" if config.get("metrics") else "metric")
        if measure in seen:
            raise bad(f"metrics[{index}]: {MEASURES[measure]} is there twice", field=f"metrics[{index}]")
        seen.add(measure)
        yield measure


def _limits(items: Sequence[JsonObject]) -> Iterator[Limit]:
    for level, item in enumerate(items):
        limit = item.get("limit") or {}
        if limit:
            measure = measure_of(limit["metric"], f"group[{level}].limit.metric")
            yield Limit(level, measure, limit.get("sort") or "desc", limit.get("value") or 0)


def _metric_filter(item: JsonObject | None) -> MetricFilter | None:
    if not item:
        return None
    values = tuple(item["values"])
    wanted = 2 if item["operator"] in ("b", "nb") else 1
    if len(values) != wanted:
        raise bad(f"metricFilter.values: {item['operator']} takes {wanted}", field="metricFilter.values")
    if wanted == 2 and values[0] > values[1]:
        raise bad("metricFilter.values: the lower bound comes first", field="metricFilter.values")
    measure = measure_of(item["metric"], "metricFilter.metric")
    return MetricFilter(measure, item["operator"], values, item.get("operand") == "series_total")


def _counted(config: JsonObject, interval: Interval) -> Source | None:
    item = config.get("count")
    if (config.get("aggregation") == "count") != bool(item):
        raise bad("count goes with aggregation count, and only with it", field="count")
    if not item:
        return None
    if interval.running:
        raise bad("timeInterval dayCumSum cannot count distinct values", field="timeInterval")
    return dimension(item["type"], item["id"], "count").column
