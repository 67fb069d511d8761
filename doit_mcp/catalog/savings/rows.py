"""Rows of the savings summary: one way to save, one unused commitment, or one amount at stake."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType

from ...api.report_config import normalize_provider
from ...protocol.jsonrpc import JsonObject
from ..commitments.aws import AWS, OwnedCommitment, RecommendedPurchase
from ..commitments.contract_periods import ContractPeriod
from ..costs.amounts import amount_as_json, percent_as_json, round_amount, to_decimal
from .recommendations import summarize_recommendation

PER_MONTH, AT_STAKE, ONCE = "per month", "at stake", "once"
BASIS_ORDER = (PER_MONTH, AT_STAKE, ONCE)
USD = "USD"
SERVICE_NAMES = MappingProxyType({"cloud_sql": "Cloud SQL"})
"""Names of the services that commitments cover, where they differ from the API's."""


@dataclass(frozen=True, slots=True)
class SavingsRow:
    """One row: an amount, what it measures (*basis*), and further members (*facts*)."""

    kind: str
    id: str
    title: str
    amount: Decimal
    basis: str
    currency: str = USD
    facts: Mapping[str, object] = field(default_factory=dict)

    @property
    def as_json(self) -> JsonObject:
        """The row as its list shows it."""
        return {
            "id": self.id,
            "kind": self.kind,
            "title": self.title,
            "amount": amount_as_json(self.amount, self.currency),
            "currency": self.currency,
            **self.facts,
        }


def rank_rows(rows: Iterable[SavingsRow]) -> list[SavingsRow]:
    """Return the rows with a positive amount, the highest first.

    Rows that differ in basis or currency are not compared: those with the same ones are listed together.
    """
    return sorted(
        (row for row in rows if round_amount(row.amount, row.currency) > 0),
        key=lambda row: (BASIS_ORDER.index(row.basis), row.currency != USD, row.currency, -row.amount, row.id),
    )


def recommendation_row(row: JsonObject) -> SavingsRow:
    """Return a recommendation with its monthly savings."""
    summary = summarize_recommendation(row)
    return SavingsRow(
        "recommendation",
        f"recommendation:{summary['source']}/{summary['key']}",
        str(summary["title"]),
        Decimal(str(summary["potentialMonthlySavings"])),
        PER_MONTH,
        facts={"provider": normalize_provider(str(summary["provider"]))},
    )


def purchase_row(purchase: RecommendedPurchase, account_name: str) -> SavingsRow:
    """Return a recommended purchase of commitments with its monthly savings."""
    place = f" ({purchase.region})" if purchase.region else ""
    noun = "Savings Plans" if purchase.cloud == AWS else "committed use discounts"
    service = SERVICE_NAMES.get(purchase.service, purchase.service)
    return SavingsRow(
        "purchase",
        purchase.id,
        f"Commit ${purchase.hourly_increase:,.2f} more per hour to {noun} for {service}{place} in {account_name}",
        purchase.monthly_savings,
        PER_MONTH,
        facts={"provider": purchase.cloud},
    )


def waste_row(commitment: OwnedCommitment) -> SavingsRow | None:
    """Return what the unused share of a commitment costs per month; None if its utilization or price is unknown."""
    unused, utilization = commitment.unused_per_month, commitment.utilization
    if unused is None or utilization is None:
        return None
    return SavingsRow(
        commitment.kind,
        commitment.id,
        commitment.title,
        unused,
        PER_MONTH,
        facts={
            "utilizationPercent": percent_as_json(utilization),
            "ends": commitment.ends.isoformat() if commitment.ends else None,
        },
    )


def shortfall_row(period: ContractPeriod) -> SavingsRow | None:
    """Return the forecast shortfall of a contract's running period; None if there is no forecast."""
    if period.shortfall is None or period.forecast is None:
        return None
    return SavingsRow(
        "commitment",
        f"commitment:{period.contract}",
        period.title,
        period.shortfall,
        AT_STAKE,
        period.currency,
        facts={"periodEnds": period.ends.isoformat()},
    )


def anomaly_row(anomaly: JsonObject) -> SavingsRow:
    """Return an open anomaly with its cost above the expected range."""
    scope = anomaly.get("entityName") or anomaly.get("scope")
    where = " in ".join(str(part) for part in (anomaly.get("serviceName"), scope) if part)
    return SavingsRow(
        "anomaly",
        f"anomaly:{anomaly.get('id')}",
        f"Unusual cost of {where or 'a service'}",
        to_decimal(anomaly.get("costOfAnomaly")),
        ONCE,
        facts={"since": str(anomaly.get("startTime") or "")[:10] or None},
    )
