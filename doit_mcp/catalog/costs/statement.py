"""The statement of each cost answer: its period, currency and basis."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import Annotated, Literal, TypedDict

from ...api.report_config import normalize_provider
from ...api.value_kinds import Members, Verbatim
from ...protocol.jsonrpc import JsonObject
from ..currencies import StatedCurrency
from ..periods.period import SETTLING_DAYS, PeriodStatement, ReportedPeriod
from .scope import Scope

TIME_ZONES = MappingProxyType(
    {
        "amazon-web-services": "UTC",
        "google-cloud": "America/Los_Angeles",
        "microsoft-azure": "UTC",
    }
)
"""The time zones in which the clouds' billing days begin, as DoiT documents them."""


class CostBasis(TypedDict, total=False):
    """What the amounts are."""

    metric: Annotated[str, "The cost metric."]
    credits: Annotated[Literal["excluded", "included"], "Whether promotional credits are subtracted."]
    timeZones: Annotated[JsonObject, "Time zone of the billing days of each cloud.", Verbatim]
    forecast: Annotated[str, "What forecastRows are."]


class CostStatement(TypedDict, total=False):
    """Which days the amounts cover, in which currency, and what they are."""

    period: Annotated[
        JsonObject,
        "from, to, days, complete, finalThrough: costs of later days can change.",
        Members(PeriodStatement),
    ]
    currency: StatedCurrency
    basis: Annotated[JsonObject, Members(CostBasis)]


def cost_statement(period: ReportedPeriod, currency: str, scope: Scope, clouds: Iterable[str]) -> JsonObject:
    """Return the statement of an answer about *clouds* (CostStatement)."""
    return {"period": period.as_json, "currency": currency, "basis": cost_basis(scope, clouds)}


def settling_note(period: ReportedPeriod) -> str | None:
    """Return a note that costs are still arriving; None if all days of *period* are final."""
    final = period.final_through
    if final == period.elapsed.last:
        return None
    since = "no day of this period is final" if final is None else f"days after {final.isoformat()} are not final"
    return f"Costs of the last {SETTLING_DAYS} days are still arriving: {since}."


def cost_basis(scope: Scope, clouds: Iterable[str], metric: str = "cost") -> JsonObject:
    """Return what the amounts of an answer about *clouds* are (CostBasis)."""
    names = [normalize_provider(cloud) for cloud in clouds]
    return {
        "metric": metric,
        "credits": "included" if scope.include_credits else "excluded",
        "timeZones": {name: TIME_ZONES[name] for name in sorted(set(names)) if name in TIME_ZONES},
    }
