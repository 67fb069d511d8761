"""Query engine: runs a plan on a ledger and returns report results (RunReportResult, GetReportResponse)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..responses import JsonObject, bad_request
from .activity import SETTLING_DAYS
from .calendar_days import add_periods, day_row, seconds_of
from .filters import select_lines
from .forecast import predict
from .forecast_plan import Forecast
from .ledger import DAY_COLUMNS, MEASURES, Ledger, Selection
from .money import MICRO, to_amount
from .other_rows import other_series, with_other_rows
from .query_plan import COUNT_INDEX, VALUE_NAMES, QueryPlan
from .ranges import DayRange
from .table import Key, Row, cumulative_rows, merge_rows, narrow_rows, read_rows, series_key, sum_by

MONEY = ("cost", "savings", "amortized_cost")
Cells = list[str | float | int | None]


def run_plan(plan: QueryPlan, ledger: Ledger) -> JsonObject:
    """``{schema, rows, secondaryRows?, forecastRows?, mlFeatures, cacheHit}``.

    Percentages are relative to the visible rows, from 0 to 100. Comparison rows belong to the series of the main rows.
    Forecast rows have the same columns; in mode totals they cover all lines that pass the filters, with null groups.
    """
    chosen = select_lines(ledger, plan.filters, credits=plan.credits)
    everything = read_rows(plan, ledger, plan.range, chosen)
    kept = narrow_rows(plan, everything)
    rows = kept if plan.rest == "none" else with_other_rows(plan, everything, kept)
    result: JsonObject = {
        "schema": _make_schema(plan),
        "rows": _make_cells(plan, rows),
        "mlFeatures": ["forecast"] if plan.forecast else [],
        "cacheHit": False,
    }
    if plan.comparison_range:
        others = read_rows(plan, ledger, plan.comparison_range, chosen)
        result["secondaryRows"] = _make_cells(plan, _comparable_rows(plan, others, kept))
    if plan.forecast:
        result["forecastRows"] = _make_cells(plan, _forecast_rows(plan, plan.forecast, ledger, chosen, kept))
    return result


def _comparable_rows(plan: QueryPlan, others: list[Row], kept: Sequence[Row]) -> list[Row]:
    """The comparison rows: those of the visible series, and of the aggregated rest where it is shown."""
    if not (plan.limits or plan.metric_filter):
        return others
    shown = {series_key(plan, row) for row in kept}
    if plan.rest == "none" or not plan.groups:
        return [row for row in others if series_key(plan, row) in shown]
    home, width = other_series(plan, kept), len(plan.groups)
    return merge_rows(
        row if series_key(plan, row) in shown else Row(home(row.key[:width]) + row.key[width:], row.start, row.values)
        for row in others
    )


def _make_schema(plan: QueryPlan) -> list[JsonObject]:
    columns = [{"name": column.name, "type": "string"} for column in plan.columns]
    columns += [_value_column(plan, name) for name in _value_names(plan)]
    if plan.interval.start:
        columns.append({"name": "timestamp", "type": "timestamp"})
    return columns


def _value_column(plan: QueryPlan, name: str) -> JsonObject:
    """The column of a metric, which declares its unit: money, percent, or a plain number."""
    if plan.count_source:
        return {"name": name, "type": "integer", "unit": "number", "aggregation": "count"}
    column: JsonObject = {"name": name, "type": "float", "unit": "number", "aggregation": plan.aggregation}
    if plan.aggregation.startswith("percent_"):
        return column | {"unit": "percent"}
    return column | ({"unit": "currency", "currency": plan.currency} if name in MONEY else {})


def _value_names(plan: QueryPlan) -> list[str]:
    return ["count"] if plan.count_source else [VALUE_NAMES[measure] for measure in plan.measures]


def _make_cells(plan: QueryPlan, rows: Sequence[Row]) -> list[Cells]:
    if plan.interval.cumulative:
        rows = cumulative_rows(plan, rows)
    shown = zip(
        *(_compute_values(plan, rows, measure) for measure in ((COUNT_INDEX,) if plan.count_source else plan.measures))
    )
    if plan.interval.start is None:
        return [[*row.key, *numbers] for row, numbers in zip(rows, shown)]
    return [[*row.key, *numbers, seconds_of(row.start or 0)] for row, numbers in zip(rows, shown)]


def _compute_values(plan: QueryPlan, rows: Sequence[Row], measure: int) -> Sequence[float | None]:
    """The measure of each row, after the aggregation."""
    values = [row.values[measure] for row in rows]
    if plan.aggregation.startswith("percent_"):
        part = _percentage_base(plan)
        totals = sum_by(rows, part, measure)
        return [100 * value / totals[part(row)] if totals[part(row)] else None for row, value in zip(rows, values)]
    if measure == COUNT_INDEX:
        return list(values)
    if VALUE_NAMES[measure] in MONEY:
        return [to_amount(value, plan.currency) for value in values]
    return [value / MICRO for value in values]


def _percentage_base(plan: QueryPlan) -> Callable[[Row], object]:
    """The base of percentages: all rows, the row's column, or the row's series."""
    width = len(plan.groups)
    wholes: dict[str, Callable[[Row], object]] = {
        "percent_total": lambda row: None,
        "percent_col": lambda row: row.key[width:],
        "percent_row": lambda row: row.key[:width],
    }
    return wholes[plan.aggregation]


def _forecast_rows(
    plan: QueryPlan, forecast: Forecast, ledger: Ledger, chosen: Selection, shown: Sequence[Row]
) -> list[Row]:
    # The latest days are incomplete, so nothing is learned from them.
    last = min(forecast.training_range.last, ledger.last - SETTLING_DAYS)
    first = max(forecast.training_range.first, ledger.first)
    if last < first:
        where = "forecastSettings.historicalCustomDateRange"
        raise bad_request(f"{where}: it contains no billing lines", field=where)
    sources = [column.source for column in plan.groups] if forecast.by_group else []
    series: dict[Key, list[dict[int, int]]] = {}
    kept = {series_key(plan, row) for row in shown} if forecast.by_group else {()}
    home = other_series(plan, shown) if sources and plan.rest != "none" else None
    for row in ledger.sums([*sources, "day_start"], first, ledger.last, chosen):
        group: Key = row[: len(sources)]  # type: ignore[assignment]  # the columns that were asked for first are texts
        if group not in kept:
            if home is None:
                continue
            group = home(group)
        day = int(row[len(sources)] or 0)
        for known, value in zip(series.setdefault(group, [{} for _ in MEASURES]), row[len(sources) + 1 :]):
            known[day] = known.get(day, 0) + int(value or 0)
    # The aggregated rest comes last, as among the rows.
    ordered = sorted(series, key=lambda group: group not in kept)
    found = []
    for item in ordered:
        found += _series_forecast(plan, forecast, item, series[item], DayRange(first, last), ledger.last)
    return found


def _series_forecast(
    plan: QueryPlan, forecast: Forecast, group: Key, histories: list[dict[int, int]], learn: DayRange, today: int
) -> list[Row]:
    """A row per period: actual values so far plus the forecast of the remaining days."""
    end = add_periods(forecast.unit, forecast.starts[-1], 1)
    ahead = range(today + 1, end)
    values = []
    for history in histories:
        learned = {day: value for day, value in history.items() if learn.first <= day <= learn.last}
        values.append(history | dict(zip(ahead, predict(learned, learn.first, learn.last, ahead))))
    found = []
    for start in forecast.starts:
        days = range(start, add_periods(forecast.unit, start, 1))
        totals = tuple(sum(known.get(day, 0) for day in days) for known in values)
        found.append(Row(_forecast_key(plan, group, start), start, totals))
    return found


def _forecast_key(plan: QueryPlan, group: Key, start: int) -> Key:
    of_day = dict(zip(DAY_COLUMNS, day_row(start)))
    groups = group or (None,) * len(plan.groups)
    times = (str(of_day[str(column.source)]) for column in plan.interval.columns)
    return (*groups, *(None for _ in plan.splits), *times)
