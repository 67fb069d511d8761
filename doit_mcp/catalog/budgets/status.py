"""The status of a budget: its current period, how much is used, and whether it is or will be exceeded.

All forecasts come from the API. A list of budgets has the day on which a budget is exceeded, its details have the
expected spend; both are needed for a complete status.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from math import isfinite
from typing import Any, Literal

from ...protocol.jsonrpc import JsonObject
from ..costs.amounts import MAX_AMOUNT, amount_as_json, percent_as_json, to_decimal
from ..periods.period import ONE_DAY, Period
from .budget_periods import PERIOD_OF_INTERVAL, count_periods, current_period, is_fixed, to_day

Status = Literal["exceeded", "at_risk", "on_track", "unknown"]

BASIS_SPENT = "spent so far"
BASIS_FORECAST = "DoiT's forecast of this budget"
BASIS_UNKNOWN = "DoiT has no forecast"
BASIS_NOT_BEGUN = "the budget begins on {}"
BASIS_ENDED = "the budget ended on {}"
COMPUTED_AMOUNTS = ("currentUtilization", "forecastedUtilization")
FULL_PERCENT = 100
MAX_SHARE = 10**15
"""A larger share of a limit is meaningless."""
MAX_ROUNDING = Decimal("0.001")
"""Share by which a limit can differ from its amount, because it follows from the rounded amount of a threshold."""


@dataclass(frozen=True, slots=True)
class BudgetStatus:
    """What a budget's amounts mean today. Amounts are in the budget's currency; None is unknown.

    The limit of each later period is *growth* times the one before; None if later limits do not grow like that.
    *seasonal* are the amounts of the periods from this one on, which repeat. *interval* is the length of the periods;
    empty for a fixed budget, which has one period. *begins* is the first day of the period if it has not begun, *ended*
    the last day if it is over.
    """

    limit: float | None
    spent: float | None
    forecast: float | None
    period: Period | None
    status: Status
    exceeded_on: date | None = None
    breaks_on: date | None = None
    metric: str = "cost"
    growth: Decimal | None = None
    interval: str = ""
    seasonal: Sequence[Decimal] = ()
    begins: date | None = None
    ended: date | None = None

    def limits(self, count: int) -> list[Decimal] | None:
        """Return the limits of *count* periods from this one on; None if they are unknown."""
        if self.limit is None:
            return None
        if self.seasonal:
            return [self.seasonal[index % len(self.seasonal)] for index in range(count)]
        growth = self.growth if self.interval else Decimal(1)
        return None if growth is None else [to_decimal(self.limit) * growth**index for index in range(count)]

    def periods_until(self, last: date) -> list[Period]:
        """Return the periods that begin on or before *last*, from the current one on; empty if they are unknown."""
        periods = [self.period] if self.period is not None and self.period.first <= last else []
        while periods and self.interval and (first := periods[-1].last + ONE_DAY) <= last:
            periods.append(PERIOD_OF_INTERVAL[self.interval](first))
        return periods

    @property
    def percent_used(self) -> float | None:
        """Share of the limit that is spent."""
        return share_percent(self.spent, self.limit)

    @property
    def basis(self) -> str:
        """What the status is based on."""
        if self.status == "exceeded":
            return BASIS_SPENT
        if self.begins is not None:
            return BASIS_NOT_BEGUN.format(self.begins.isoformat())
        if self.ended is not None:
            return BASIS_ENDED.format(self.ended.isoformat())
        return BASIS_UNKNOWN if self.status == "unknown" else BASIS_FORECAST

    @property
    def as_json(self) -> JsonObject:
        """The status as results show it."""
        return {
            "percentUsed": self.percent_used,
            "forecastedUtilization": self.forecast,
            "status": self.status,
            "exceededOn": self.exceeded_on and self.exceeded_on.isoformat(),
            "breaksOn": self.breaks_on and self.breaks_on.isoformat(),
            "basis": self.basis,
            "period": self.period and self.period.as_json,
        }


def find_status(row: JsonObject, details: JsonObject, today: date) -> BudgetStatus:
    """Return the status of a budget from its *row* in a list and its *details*. Either may be empty."""
    budget = with_rounded_amounts({**row, **details})
    limit, spent = budget_limit(row, details), to_amount(budget.get("currentUtilization"))
    forecast = to_amount(budget.get("forecastedUtilization"))
    period = current_period(budget, today)
    is_current = period is not None and period.first <= today <= period.last
    status = _derive_status(
        limit, spent, forecast if is_current else None, row.get("riskStatus") if is_current else None
    )
    if status == "on_track" and is_current and has_fixed_limit(budget) and _is_over(forecast, limit):
        # In list rows, the API bases the risk on the day; a forecast above the limit is a risk even without one.
        status = "at_risk"
    metric = str(budget.get("metric") or "cost")
    found = BudgetStatus(
        limit,
        spent,
        forecast,
        period,
        status,
        metric=metric,
        growth=_limit_growth(details),
        interval="" if is_fixed(budget) else str(budget.get("timeInterval")),
        seasonal=_seasonal_limits(details, period, limit),
        begins=period.first if period is not None and period.first > today else None,
        ended=period.last if period is not None and period.last < today else None,
    )
    day = _forecast_day(row, details)
    if period is None or day is None or not period.first <= day <= period.last:
        return found
    exceeded_on = day if status == "exceeded" and day <= today else None
    breaks_on = day if status == "at_risk" and day >= today else None
    return replace(found, exceeded_on=exceeded_on, breaks_on=breaks_on)


def with_rounded_amounts(budget: JsonObject) -> JsonObject:
    """Return a budget with the amounts that the API computes in the minor unit of its currency."""
    currency = str(budget.get("currency"))
    amounts = {name: value for name in COMPUTED_AMOUNTS if (value := to_amount(budget.get(name))) is not None}
    return {**budget, **{name: amount_as_json(to_decimal(value), currency) for name, value in amounts.items()}}


def has_fixed_limit(budget: JsonObject) -> bool:
    """Return whether the amount of a budget is the limit of each of its periods."""
    return not (budget.get("growthPerPeriod") or budget.get("seasonalAmounts"))


def _limit_growth(details: JsonObject) -> Decimal | None:
    """Return the factor from the limit of a period to that of the next one; None if only the API knows it."""
    if not details or details.get("seasonalAmounts") or details.get("usePrevSpend"):
        return None
    percent = to_amount(details.get("growthPerPeriod") or 0)
    return None if percent is None else 1 + to_decimal(percent) / FULL_PERCENT


def _seasonal_limits(details: JsonObject, period: Period | None, limit: float | None) -> Sequence[Decimal]:
    """Return the seasonal amounts of the periods from the current one on; empty without any, or if they are unknown.

    The first one is taken as that of the budget's first period, and they repeat. The API does not document this, so
    they are used only if the one for the current period is its *limit*.
    """
    amounts, begins = details.get("seasonalAmounts"), to_day(details.get("startPeriod"))
    interval = str(details.get("timeInterval"))
    if period is None or limit is None or begins is None or interval not in PERIOD_OF_INTERVAL:
        return ()
    if not amounts or details.get("usePrevSpend"):
        return ()
    known = [amount for each in amounts if (amount := to_amount(each)) is not None]
    if len(known) < len(amounts):
        return ()
    passed = count_periods(interval, begins, period.first) % len(known)
    ordered = [to_decimal(amount) for amount in (*known[passed:], *known[:passed])]
    is_same = abs(ordered[0] - to_decimal(limit)) <= MAX_ROUNDING * abs(ordered[0])
    return ordered if is_same else ()


def _is_over(amount: float | None, limit: float | None) -> bool:
    return amount is not None and limit is not None and amount > limit


def _derive_status(limit: float | None, spent: float | None, forecast: float | None, risk: Any) -> Status:
    if limit is not None and spent is not None and spent > limit:
        return "exceeded"
    # The API knows the limit of this period even if it grows or follows the last period's spend.
    if risk in ("atRisk", "onTrack"):
        return "at_risk" if risk == "atRisk" else "on_track"
    if limit is None or forecast is None:
        return "unknown"
    return "at_risk" if forecast > limit else "on_track"


def needs_list_row(details: JsonObject, today: date) -> bool:
    """Return whether the *details* alone do not show the limit of this period or the day of its breach."""
    if not has_fixed_limit(details):
        return True
    status = find_status({}, details, today)
    return status.status == "exceeded" or (status.status == "at_risk" and status.breaks_on is None)


def budget_limit(row: JsonObject, details: JsonObject) -> float | None:
    """Return the limit of the current period; None without one, or if it is unknown.

    It differs from the amount if the amount grows or is seasonal, which only the details show. The amounts of the
    thresholds in a list are based on it.
    """
    thresholds = row.get("alertThresholds")
    pairs = [
        (percentage, amount)
        for threshold in (thresholds if isinstance(thresholds, list) else ())
        if isinstance(threshold, dict)
        and (percentage := to_amount(threshold.get("percentage")))
        and (amount := to_amount(threshold.get("amount")))
    ]
    is_fixed = bool(details) and has_fixed_limit(details)
    if pairs and not is_fixed:
        percentage, amount = min(pairs, key=lambda pair: abs(pair[0] - FULL_PERCENT))
        exact = to_decimal(amount) * FULL_PERCENT / Decimal(repr(percentage))
        return amount_as_json(exact, str(row.get("currency")))
    if details and not is_fixed:
        return None
    limit = to_amount(details.get("amount", row.get("amount")))
    return limit if limit is not None and limit > 0 else None


def _forecast_day(row: JsonObject, details: JsonObject) -> date | None:
    """Return the day on which the limit is exceeded according to the API; None if it names none."""
    if (day := to_day(row.get("forecastedUtilizationDate"))) is not None:
        return day
    alerts = details.get("alerts")
    return next(
        (
            to_day(alert.get("forecastedDate"))
            for alert in (alerts if isinstance(alerts, list) else ())
            if isinstance(alert, dict) and alert.get("percentage") == FULL_PERCENT
        ),
        None,
    )


def to_amount(value: Any) -> float | None:
    """Return a finite number that can be an amount; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or abs(value) > MAX_AMOUNT:
        return None
    return float(value)


def share_percent(part: float | None, whole: float | None) -> float | None:
    """Return *part* as a percentage of *whole*, with one decimal.

    None if either is unknown, if *whole* is not positive, or if the share is beyond MAX_SHARE.
    """
    if part is None or whole is None or (exact := to_decimal(whole)) <= 0:
        return None
    share = to_decimal(part) / exact
    return percent_as_json(share) if abs(share) < MAX_SHARE else None
