"""Alerts: the last day on which the billing lines met a condition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..responses import JsonObject, bad_request
from .activity import SETTLING_DAYS
from .calendar_days import add_periods, start_of
from .dimensions import DIMENSIONS, NO_CUSTOM_DIMENSIONS, CustomDimensions, Dimension
from .filters import compile_filters, select_lines
from .forecast import predict
from .ledger import MEASURES, Ledger
from .money import MICRO, to_amount
from .query_plan import measure_of

TRAINING_DAYS = 56

Days = dict[int, int]


def check_alert(config: JsonObject, custom: CustomDimensions = NO_CUSTOM_DIMENSIONS) -> None:
    """Raise 400 if the parts of an alert's configuration (AlertConfig) contradict each other."""
    if config.get("dataSource", "billing") != "billing":
        raise bad_request(
            f"config.dataSource {config['dataSource']} is not supported in the sandbox", field="config.dataSource"
        )
    compile_filters(config.get("scopes") or [], "config.scopes", custom)
    measure_of(config["metric"], "config.metric")
    if config.get("ignoreValuesRange") and config["condition"] != "percentage-change":
        raise bad_request("config.ignoreValuesRange needs percentage-change", field="config.ignoreValuesRange")
    if config.get("evaluateForEach"):
        if config["condition"] == "forecast":
            raise bad_request(
                "config.evaluateForEach cannot be combined with condition forecast", field="config.evaluateForEach"
            )
        _breakdown_dimension(config)


def last_firing_day(
    config: JsonObject, ledger: Ledger, since: int, custom: CustomDimensions = NO_CUSTOM_DIMENSIONS
) -> int | None:
    """The last day from *since* on on which the condition was met, or None.

    A value that is exceeded counts on that day; falling short and changes count at the end of the period; a forecast
    counts today. All scopes apply together.
    """
    scope = select_lines(ledger, compile_filters(config.get("scopes") or [], "config.scopes", custom), credits=False)
    columns = [_breakdown_dimension(config).column] if config.get("evaluateForEach") else []
    at = len(columns) + 1 + measure_of(config["metric"], "config.metric")
    series: dict[object, Days] = {}
    for row in ledger.sums([*columns, "day_start"], ledger.first, ledger.last, scope):
        series.setdefault(row[: len(columns)], {})[int(row[len(columns)] or 0)] = int(row[at] or 0)
    fired = (day for days in series.values() for day in _firing_days(config, days, ledger, since))
    return max((day for day in fired if day >= since), default=None)


def _breakdown_dimension(config: JsonObject) -> Dimension:
    key = config["evaluateForEach"]
    for found in DIMENSIONS:
        if found.table == "series" and key in (found.id, f"{found.type}:{found.id}"):
            return found
    raise bad_request(f"config.evaluateForEach: no dimension {key[:80]!r}", field="config.evaluateForEach")


def _firing_days(config: JsonObject, days: Days, ledger: Ledger, since: int) -> Iterator[int]:
    unit = config["timeInterval"]
    start = start_of(unit, since)
    while start <= ledger.last:
        end = add_periods(unit, start, 1)
        day = _firing_day(config, days, range(start, end), ledger)
        if day is not None:
            yield day
        start = end


def _firing_day(config: JsonObject, days: Days, period: range, ledger: Ledger) -> int | None:
    over, last = ledger.last >= period[-1], period[-1]
    condition, above = config["condition"], config["operator"] == "gt"
    if condition == "forecast":
        return None if over else _forecast_firing_day(config, days, period, ledger)
    if condition == "percentage-change":
        before = range(add_periods(config["timeInterval"], period[0], -1), period[0])
        usual = _displayed_value(config, _sum_days(days, before))
        if not over or before[0] < ledger.first or not usual:
            return None
        value = _displayed_value(config, _sum_days(days, period))
        if (ignored := config.get("ignoreValuesRange")) and ignored["lowerBound"] <= value <= ignored["upperBound"]:
            return None
        change = 100 * (value - usual) / abs(usual)
        return last if _is_beyond(change, config) else None
    if not above:
        return last if over and _is_beyond(_displayed_value(config, _sum_days(days, period)), config) else None
    total = 0
    for day in range(period[0], min(last, ledger.last) + 1):
        total += days.get(day, 0)
        if _is_beyond(_displayed_value(config, total), config):
            return day
    return None


def _forecast_firing_day(config: JsonObject, days: Days, period: range, ledger: Ledger) -> int | None:
    # The latest days are incomplete, so nothing is learned from them.
    learned = ledger.last - SETTLING_DAYS
    first = max(ledger.first, learned - TRAINING_DAYS + 1)
    ahead = range(ledger.last + 1, period[-1] + 1)
    total = _sum_days(days, period) + sum(predict(days, first, learned, ahead))
    return ledger.last if _is_beyond(_displayed_value(config, total), config) else None


def _sum_days(days: Mapping[int, int], period: range) -> int:
    return sum(days.get(day, 0) for day in period)


def _displayed_value(config: JsonObject, micro: int) -> float:
    if config["metric"]["value"] == MEASURES[1]:
        return micro / MICRO
    return to_amount(micro, config["currency"])


def _is_beyond(value: float, config: JsonObject) -> bool:
    limit: float = config["value"]
    return value > limit if config["operator"] == "gt" else value < limit
