"""Result types of a scenario of forecast_spend. Its currency is that of the forecast."""

from __future__ import annotations

from typing import Annotated, TypedDict

from ...api.value_kinds import CurrencyCode, Day, Label, Members, Money, Percent
from ...protocol.jsonrpc import JsonObject
from ..periods.period import PeriodDays


class ComparedPeriod(PeriodDays, total=False):
    """The expected cost of a period, without and with the changes."""

    expected: Annotated[float | None, Money]
    scenario: Annotated[float | None, Money]
    change: Annotated[float, Money]
    changePercent: Annotated[float | None, Percent]
    low: Annotated[float | None, Money]
    high: Annotated[float | None, Money]


class ChangeAmount(TypedDict):
    """What one change adds in all months together."""

    change: str
    amount: Annotated[float, Money]


class ChangedBudget(TypedDict, total=False):
    """A period of a budget that is exceeded with or without the changes. *periods* counts those with the same effect,
    of which this one is the first; only budgets by day or week have it."""

    id: str
    name: Annotated[str, Label]
    currency: Annotated[str, CurrencyCode]
    amount: Annotated[float, Money]
    expected: Annotated[float, Money]
    change: Annotated[float, Money]
    scenario: Annotated[float, Money]
    effect: str
    breaksOn: Annotated[str | None, Day]
    scenarioBreaksOn: Annotated[str | None, Day]
    basis: str
    period: Annotated[JsonObject, Members(PeriodDays)]
    periods: int


class UnknownBudget(TypedDict):
    """A budget on which the effect is unknown, and why."""

    id: str
    name: Annotated[str, Label]
    why: str


class Scenario(TypedDict, total=False):
    """Expected costs with the changes."""

    months: Annotated[list[JsonObject], Members(ComparedPeriod)]
    quarter: Annotated[JsonObject, Members(ComparedPeriod)]
    total: Annotated[JsonObject, Members(ComparedPeriod)]
    changes: Annotated[list[JsonObject], Members(ChangeAmount)]
    budgets: Annotated[list[JsonObject], Members(ChangedBudget)]
    budgetsUnknown: Annotated[list[JsonObject], Members(UnknownBudget)]
    assumptions: list[str]
