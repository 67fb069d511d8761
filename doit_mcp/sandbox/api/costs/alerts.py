"""Alerts: on which day the billing lines last fulfilled their condition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..responses import JsonObject, bad
from .calendar_days import moved, start_of
from .dimensions import DIMENSIONS, NONE_MADE, RULE, Dimension, Made
from .filters import compiled, selection
from .forecast import predicted
from .ledger import MEASURES, Ledger
from .money import MICRO, amount
from .query_plan import measure_of

LEARN_DAYS = 56

Days = dict[int, int]


def check(config: JsonObject, made: Made = NONE_MADE) -> None:
    """400 where the parts of an alert's configuration (AlertConfig) make no sense together."""
    if config.get("dataSource", "billing") != "billing":
        raise bad("config.dataSource billing-datahub is not modelled in the sandbox", field="config.dataSource")
    compiled(_scopes(config), "config.scopes", made)
    measure_of(config["metric"], "config.metric")
    if config.get("evaluateForEach"):
        if config["condition"] == "forecast":
            raise bad("config.evaluateForEach does not go with condition forecast", field="config.evaluateForEach")
        _broken_down(config)


def last_fired(config: JsonObject, ledger: Ledger, since: int, made: Made = NONE_MADE) -> int | None:
    """The last day, from day *since* on, on which the condition came true; None if it never did.

    A value that is exceeded counts on the day that it is; falling short and changes count when the period is over;
    a forecast counts today. Only the first scope is applied, as the document says.
    """
    scope = selection(ledger, compiled(_scopes(config)[:1], "config.scopes", made), credits=False)
    columns = [_broken_down(config).column] if config.get("evaluateForEach") else []
    at = len(columns) + 1 + measure_of(config["metric"], "config.metric")
    series: dict[object, Days] = {}
    for row in ledger.sums([*columns, "day_start"], ledger.first, ledger.last, scope):
        series.setdefault(row[: len(columns)], {})[int(row[len(columns)] or 0)] = int(row[at] or 0)
    fired = (day for days in series.values() for day in _fired(config, days, ledger, since))
    return max((day for day in fired if day >= since), default=None)


def _scopes(config: JsonObject) -> list[JsonObject]:
    rules = config.get("attributions") or []
    old = [{"type": RULE, "id": RULE, "values": rules}] if rules else []
    return (config.get("scopes") or []) or old


def _broken_down(config: JsonObject) -> Dimension:
    key = config["evaluateForEach"]
    for found in DIMENSIONS:
        if found.table == "series" and found.id == key:
            return found
    raise bad(f"config.evaluateForEach: no dimension {key[:80]!r}", field="config.evaluateForEach")


def _fired(config: JsonObject, days: Days, ledger: Ledger, since: int) -> Iterator[int]:
    unit = config["timeInterval"]
    start = start_of(unit, since)
    while start <= ledger.last:
        end = moved(unit, start, 1)
        day = _in_period(config, days, range(start, end), ledger)
        if day is not None:
            yield day
        start = end


def _in_period(config: JsonObject, days: Days, period: range, ledger: Ledger) -> int | None:
    over, last = ledger.last >= period[-1], period[-1]
    condition, above = config["condition"], config["operator"] == "gt"
    if condition == "forecast":
        return None if over else _expected(config, days, period, ledger)
    if condition == "percentage-change":
        before = range(moved(config["timeInterval"], period[0], -1), period[0])
        usual = _shown(config, _total(days, before))
        if not over or before[0] < ledger.first or not usual:
            return None
        change = 100 * (_shown(config, _total(days, period)) - usual) / abs(usual)
        return last if _beyond(change, config) else None
    if not above:
        return last if over and _beyond(_shown(config, _total(days, period)), config) else None
    total = 0
    for day in range(period[0], min(last, ledger.last) + 1):
        total += days.get(day, 0)
        if _beyond(_shown(config, total), config):
            return day
    return None


def _expected(config: JsonObject, days: Days, period: range, ledger: Ledger) -> int | None:
    first = max(ledger.first, ledger.last - LEARN_DAYS + 1)
    ahead = range(ledger.last + 1, period[-1] + 1)
    total = _total(days, period) + sum(predicted(days, first, ledger.last, ahead))
    return ledger.last if _beyond(_shown(config, total), config) else None


def _total(days: Mapping[int, int], period: range) -> int:
    return sum(days.get(day, 0) for day in period)


def _shown(config: JsonObject, micro: int) -> float:
    if config["metric"]["value"] == MEASURES[1]:
        return micro / MICRO
    return amount(micro, config["currency"])


def _beyond(value: float, config: JsonObject) -> bool:
    limit: float = config["value"]
    return value > limit if config["operator"] == "gt" else value < limit
