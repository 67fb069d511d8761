"""Coverage, utilization and effective savings rate of commitments, as the FinOps Foundation defines them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from ...protocol.jsonrpc import JsonObject
from .aws import OwnedCommitment, parse_amount, parse_day

COVERED_COSTS = ("savingsPlanCost", "reservedInstCost", "flexsaveCost")
ZERO = Decimal(0)


class EligibleSpend(NamedTuple):
    """Spend of some days that commitments can cover; Spot Instances are not eligible.

    *on_demand* is the spend that is not covered, *covered* the cost of commitments, and *savings* the difference from
    on-demand rates, as the API states them; None if it does not state the savings. *first* and *last* are the days.

    The effective savings rate of the FinOps Foundation counts unused fees as a cost. The API's document does not say
    whether its savings are net of unused fees; they are shown as the API states them.
    """

    on_demand: Decimal
    covered: Decimal
    savings: Decimal | None
    first: date
    last: date

    @property
    def at_on_demand_rates(self) -> Decimal | None:
        """What the spend would cost at on-demand rates; None if that is unknown or zero."""
        return None if self.savings is None else (self.on_demand + self.covered + self.savings) or None

    @property
    def coverage(self) -> Decimal | None:
        """The covered share of the spend, both at on-demand rates."""
        total = self.at_on_demand_rates
        return None if total is None else 1 - self.on_demand / total

    @property
    def effective_savings_rate(self) -> Decimal | None:
        """The share of the cost at on-demand rates that commitments save."""
        total = self.at_on_demand_rates
        return None if total is None or self.savings is None else self.savings / total


def add_spend(organizations: Iterable[JsonObject]) -> EligibleSpend | None:
    """Return the eligible spend of all types in responses of get_aws_organization; None without any."""
    days: list[JsonObject] = []
    savings: Decimal | None = ZERO
    for organization in organizations:
        for service, own in _days_by_type(organization):
            days += own
            saved = _read_savings(organization, service)
            savings = None if savings is None or saved is None else savings + saved
    dates = sorted(filter(None, (parse_day(day.get("date")) for day in days)))
    if not dates:
        return None
    return EligibleSpend(
        sum((parse_amount(day.get("onDemandCost")) for day in days), ZERO),
        sum((parse_amount(day.get(name)) for day in days for name in COVERED_COSTS), ZERO),
        savings,
        dates[0],
        dates[-1],
    )


def add_google_spend(accounts: Iterable[JsonObject]) -> EligibleSpend | None:
    """Return the eligible spend of billing accounts (get_gcp_billing_account); None if no day of it is known.

    Each day has its on-demand cost, and a member with the cost of each kind of commitment.
    """
    on_demand, covered, dates = ZERO, ZERO, []
    savings: Decimal | None = ZERO
    for account in accounts:
        saved = {row.get("service"): row.get("savings") for row in _read_rows(account.get("stats30d"))}
        for own in _read_rows(account.get("dailyCoverage")):
            money = saved.get(own.get("service"))
            known = savings is not None and isinstance(money, Mapping)
            savings = savings + parse_amount(money) if savings is not None and known else None
            for day in _read_rows(own.get("days")):
                dates.append(parse_day(day.get("date")))
                on_demand += parse_amount(day.get("onDemand"))
                covered += sum((parse_amount(cost) for name, cost in day.items() if name != "onDemand"), ZERO)
    known_dates = sorted(filter(None, dates))
    return EligibleSpend(on_demand, covered, savings, known_dates[0], known_dates[-1]) if known_dates else None


def _read_rows(rows: Any) -> list[JsonObject]:
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def utilization(commitments: Sequence[OwnedCommitment]) -> Decimal | None:
    """Return the used share of commitments, weighted by their cost; those without a reported use do not count.

    None if no commitment has one, or if the shares differ and cannot be weighted because some have no price.
    """
    measured = [(item.hourly_cost, item.utilization) for item in commitments if item.utilization is not None]
    shares = {share for _, share in measured}
    if len(shares) == 1 and any(cost is None or cost for cost, _ in measured):
        return shares.pop()
    if any(cost is None for cost, _ in measured):
        return None
    costs = [(cost or ZERO, share) for cost, share in measured]
    paid = sum((cost for cost, _ in costs), ZERO)
    return sum((cost * share for cost, share in costs), ZERO) / paid if paid else None


def _days_by_type(organization: JsonObject) -> Iterator[tuple[str, list[JsonObject]]]:
    coverage = organization.get("dailyCoverage")
    for service, days in coverage.items() if isinstance(coverage, Mapping) else ():
        if isinstance(days, list):
            yield service, [day for day in days if isinstance(day, dict)]


def _read_savings(organization: JsonObject, service: str) -> Decimal | None:
    stats = organization.get("stats30d")
    of_type = stats.get(service) if isinstance(stats, Mapping) else None
    saved = of_type.get("savings") if isinstance(of_type, Mapping) else None
    return parse_amount(saved) if isinstance(saved, Mapping) else None
