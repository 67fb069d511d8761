"""Runs a plan on a ledger: the result object of reports (RunReportResult, GetReportResponse)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..responses import JsonObject, bad
from .calendar_days import day_row, moved, seconds_of
from .filters import selection
from .forecast import predicted
from .forecast_plan import Forecast
from .ledger import DAY_COLUMNS, MEASURES, Ledger, Selection
from .money import MICRO, amount
from .other_rows import completed, gathered, homes
from .query_plan import COUNT, Plan
from .ranges import Range
from .table import Key, Row, narrowed, rows_of, running, series_of, summed

Cells = list[str | float | int | None]


def run(plan: Plan, ledger: Ledger) -> JsonObject:
    """``{schema, rows, secondaryRows?, forecastRows?, mlFeatures, cacheHit}``.

    Percentages are of what the answer shows, 0 to 100. Rows to compare with are those of the series that the main
    rows show. Forecast rows have the same columns; those of mode totals cover all that the filters leave, and their
    groups are null.
    """
    chosen = selection(ledger, plan.filters, credits=plan.credits)
    everything = rows_of(plan, ledger, plan.range, chosen)
    kept = narrowed(plan, everything)
    rows = kept if plan.rest == "none" else completed(plan, everything, kept)
    result: JsonObject = {
        "schema": _schema(plan),
        "rows": _cells(plan, rows),
        "mlFeatures": ["forecast"] if plan.forecast else [],
        "cacheHit": False,
    }
    if plan.compared:
        others = rows_of(plan, ledger, plan.compared, chosen)
        result["secondaryRows"] = _cells(plan, _alike(plan, others, kept))
    if plan.forecast:
        result["forecastRows"] = _cells(plan, _forecast_rows(plan, plan.forecast, ledger, chosen, kept))
    return result


def _alike(plan: Plan, others: list[Row], kept: Sequence[Row]) -> list[Row]:
    """Rows to compare with: of the series that the main rows show, and of the rest where it is shown."""
    if not (plan.limits or plan.metric_filter):
        return others
    shown = {series_of(plan, row) for row in kept}
    if plan.rest == "none" or not plan.groups:
        return [row for row in others if series_of(plan, row) in shown]
    home, width = homes(plan, kept), len(plan.groups)
    return gathered(
        row if series_of(plan, row) in shown else Row(home(row.key[:width]) + row.key[width:], row.start, row.values)
        for row in others
    )


def _schema(plan: Plan) -> list[JsonObject]:
    columns = [{"name": column.name, "type": "string"} for column in plan.columns]
    columns += [{"name": name, "type": "float"} for name in _value_names(plan)]
    if plan.interval.start:
        columns.append({"name": "timestamp", "type": "timestamp"})
    return columns


def _value_names(plan: Plan) -> list[str]:
    return ["count"] if plan.counted else [MEASURES[measure] for measure in plan.measures]


def _cells(plan: Plan, rows: Sequence[Row]) -> list[Cells]:
    if plan.interval.running:
        rows = running(plan, rows)
    shown = zip(*(_numbers(plan, rows, measure) for measure in ((COUNT,) if plan.counted else plan.measures)))
    if plan.interval.start is None:
        return [[*row.key, *numbers] for row, numbers in zip(rows, shown)]
    return [[*row.key, *numbers, seconds_of(row.start or 0)] for row, numbers in zip(rows, shown)]


def _numbers(plan: Plan, rows: Sequence[Row], measure: int) -> list[float | None]:
    """A measure's value in each row, as the aggregation shows it."""
    values = [row.values[measure] for row in rows]
    if plan.aggregation.startswith("percent_"):
        part = _whole(plan)
        totals = summed(rows, part, measure)
        return [100 * value / totals[part(row)] if totals[part(row)] else None for row, value in zip(rows, values)]
    if measure == COUNT:
        return list(map(float, values))
    if MEASURES[measure] == "usage":
        return [value / MICRO for value in values]
    return [amount(value, plan.currency) for value in values]


def _whole(plan: Plan) -> Callable[[Row], object]:
    """What a percentage is a part of: everything, the row's column, or the row's series."""
    width = len(plan.groups)
    wholes: dict[str, Callable[[Row], object]] = {
        "percent_total": lambda row: None,
        "percent_col": lambda row: row.key[width:],
        "percent_row": lambda row: row.key[:width],
    }
    return wholes[plan.aggregation]


def _forecast_rows(plan: Plan, wanted: Forecast, ledger: Ledger, chosen: Selection, shown: Sequence[Row]) -> list[Row]:
    first, last = max(wanted.learn.first, ledger.first), wanted.learn.last
    if last < first:
        where = "forecastSettings.historicalCustomDateRange"
        raise bad(f"{where}: there are no billing lines in it", field=where)
    sources = [column.source for column in plan.groups] if wanted.by_group else []
    series: dict[Key, list[dict[int, int]]] = {}
    kept = {series_of(plan, row) for row in shown} if wanted.by_group else {()}
    home = homes(plan, shown) if sources and plan.rest != "none" else None
    for row in ledger.sums([*sources, "day_start"], first, ledger.last, chosen):
        group: Key = row[: len(sources)]  # type: ignore[assignment]  # the columns that were asked for first are texts
        if group not in kept:
            if home is None:
                continue
            group = home(group)
        day = int(row[len(sources)] or 0)
        for known, value in zip(series.setdefault(group, [{} for _ in MEASURES]), row[len(sources) + 1 :]):
            known[day] = known.get(day, 0) + int(value or 0)
    # The rest comes last, as it does among the rows.
    ordered = sorted(series, key=lambda group: group not in kept)
    found = []
    for one in ordered:
        found += _series_forecast(plan, wanted, one, series[one], Range(first, last), ledger.last)
    return found


def _series_forecast(
    plan: Plan, wanted: Forecast, group: Key, histories: list[dict[int, int]], learn: Range, today: int
) -> list[Row]:
    """A row per period: what is already there of it, and what is predicted of the rest."""
    end = moved(wanted.unit, wanted.starts[-1], 1)
    ahead = range(today + 1, end)
    values = []
    for history in histories:
        learnt = {day: value for day, value in history.items() if learn.first <= day <= learn.last}
        values.append(history | dict(zip(ahead, predicted(learnt, learn.first, learn.last, ahead))))
    found = []
    for start in wanted.starts:
        days = range(start, moved(wanted.unit, start, 1))
        totals = tuple(sum(known.get(day, 0) for day in days) for known in values)
        found.append(Row(_forecast_key(plan, group, start), start, totals))
    return found


def _forecast_key(plan: Plan, group: Key, start: int) -> Key:
    of_day = dict(zip(DAY_COLUMNS, day_row(start)))
    groups = group or (None,) * len(plan.groups)
    times = (str(of_day[str(column.source)]) for column in plan.interval.columns)
    return (*groups, *(None for _ in plan.splits), *times)
