"""The periods of a budget that a scenario affects, and their costs without it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from ...protocol.jsonrpc import JsonObject
from ..budgets.status import BudgetStatus
from ..costs.amounts import ZERO, round_amount, to_decimal
from ..periods.period import ONE_DAY, Period
from .run_rate import list_days
from .scenario_costs import ChangedCosts, ScenarioCosts

LATER = "its period {first} to {last} ends after the scenario"
OTHER_CURRENCY = "it has another currency; pass currency"
NO_FORECAST = "DoiT has no forecast of it"
NO_LIMIT = "its limit is unknown"
NO_PERIOD = "its period is unknown"
NO_COST = "it does not limit cost"
BASIS_FORECAST = "DoiT's forecast of this budget"
BASIS_SHARE = "this forecast of the budget's clouds in that period, times the share of its services"
BASIS_GROWTH = f"{BASIS_SHARE}; its limit grows"
BASIS_SEASONAL = f"{BASIS_SHARE}; its limit is the seasonal amount of that period"
PARTLY_FORECAST = "periods to come: this forecast does not have all of its costs; leave out cloud and filters"
OPEN_LIMIT = "periods to come: this forecast has only the limit of its current period"


class Outlook(NamedTuple):
    """A period of a budget without changes: its *limit*, what is *spent*, and the *base* cost of each future day, which
    *expected* includes."""

    period: Period
    limit: Decimal
    spent: Decimal
    expected: Decimal
    base: Mapping[date, Decimal]
    basis: str
    breaks_on: date | None
    is_exceeded: bool = False


class Outlooks(NamedTuple):
    """The outlooks of a budget that are *known*, and *why* others are not; empty if all are."""

    known: Sequence[Outlook]
    why: str = ""


def make_outlooks(changed: ChangedCosts, status: BudgetStatus, costs: ScenarioCosts) -> Outlooks:
    """Return the outlooks of the periods of a budget that the changes affect, one for each period.

    The current period uses DoiT's forecast of the budget. Later periods use the forecast of the scenario, which must
    cover all of their days and costs.
    """
    if not changed.added:
        return Outlooks([])
    if (why := _explain_unknown(changed.row, status, costs)) is not None:
        return Outlooks([], why)
    periods = status.periods_until(max(day for _, day in changed.added))
    whole = [period for period in periods if period.last <= costs.last]
    known: list[Outlook] = []
    reasons = [_note_later_end(period) for period in periods if period.last > costs.last]
    if whole and whole[0].first <= costs.today:
        if status.forecast is not None and status.spent is not None:
            known.append(_make_running_outlook(status, costs.today))
        elif any(day <= whole[0].last for _, day in changed.added):
            reasons.append(NO_FORECAST)
    if any(period.first > costs.today for period in whole):
        if not costs.has_all(changed.conditions):
            reasons.append(PARTLY_FORECAST)
        elif (limits := status.limits(len(whole))) is None:
            reasons.append(OPEN_LIMIT)
        else:
            known += _make_future_outlooks(changed, _limit_basis(status), zip(whole, limits, strict=True), costs)
    return Outlooks(known, "; ".join(reasons))


def _note_later_end(period: Period) -> str:
    return LATER.format(first=period.first.isoformat(), last=period.last.isoformat())


def _make_running_outlook(status: BudgetStatus, today: date) -> Outlook:
    assert status.period is not None
    spent, expected, left = to_decimal(status.spent), to_decimal(status.forecast), (status.period.last - today).days
    base = {today + count * ONE_DAY: (expected - spent) / left for count in range(1, left + 1)}
    return Outlook(
        status.period,
        to_decimal(status.limit),
        spent,
        expected,
        base,
        BASIS_FORECAST,
        status.breaks_on,
        status.status == "exceeded",
    )


def _make_future_outlooks(
    changed: ChangedCosts, basis: str, periods: Iterable[tuple[Period, Decimal]], costs: ScenarioCosts
) -> Iterator[Outlook]:
    """Yield the outlook of each future period; *periods* are pairs of a period and its limit."""
    daily = costs.sum_base_costs(changed.conditions)
    for period, limit in periods:
        if period.first > costs.today:
            base = {day: daily[day] for day in list_days(period.first, period.last) if day in daily}
            rounded, expected = round_amount(limit, costs.currency), round_amount(_sum_amounts(base), costs.currency)
            yield Outlook(period, rounded, ZERO, expected, base, basis, find_first_day_over(ZERO, rounded, base))


def _limit_basis(status: BudgetStatus) -> str:
    if status.seasonal:
        return BASIS_SEASONAL
    return BASIS_GROWTH if status.interval and status.growth != 1 else BASIS_SHARE


def _sum_amounts(added: Mapping[date, Decimal]) -> Decimal:
    return sum(added.values(), ZERO)


def _explain_unknown(row: JsonObject, status: BudgetStatus, costs: ScenarioCosts) -> str | None:
    if status.metric != "cost":
        return NO_COST
    if row.get("currency") != costs.currency:
        return OTHER_CURRENCY
    if status.period is None:
        return NO_PERIOD
    return NO_LIMIT if status.limit is None else None


def find_first_day_over(spent: Decimal, limit: Decimal, costs: Mapping[date, Decimal]) -> date | None:
    """Return the first day on which what is *spent* and the *costs* by day exceed a limit; None if they do not."""
    for day in sorted(costs):
        spent += costs[day]
        if spent > limit:
            return day
    return None
