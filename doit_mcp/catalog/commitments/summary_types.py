"""Result types of the commitment summary."""

from __future__ import annotations

from typing import Annotated, TypedDict

from ...api.value_kinds import CurrencyCode, Day, Label, Members, Money, Percent
from ...protocol.jsonrpc import JsonObject
from ..costs.statement import CostStatement
from ..partial_results import FailedParts


class ExpiringCommitment(TypedDict):
    """A Savings Plan, Reserved Instance or committed use discount that ends soon. The API does not state the price of
    resource-based ones."""

    id: str
    title: Annotated[str, Label]
    ends: Annotated[str, Day]
    costPerHour: Annotated[float | None, Money]


class OrganizationName(TypedDict):
    """An AWS organization or a Google Cloud billing account."""

    id: str
    name: Annotated[str | None, Label]


class NextPurchase(TypedDict, total=False):
    """The commitment to buy next, in an AWS organization or a Google Cloud billing account and region."""

    organization: OrganizationName
    billingAccount: OrganizationName
    region: str
    service: str
    commitmentPerHour: Annotated[float, Money]
    monthlySavings: Annotated[float, Money]
    scheduledOn: Annotated[str | None, Day]
    approval: str | None
    step: int | None
    steps: int | None
    targetPerHour: Annotated[float, Money]
    targetMonthlySavings: Annotated[float, Money]
    note: str


class Shortfall(TypedDict, total=False):
    """The running period of a contract, and what is forecast to be missing at its end."""

    id: str
    title: Annotated[str, Label]
    amount: Annotated[float, Money]
    currency: Annotated[str, CurrencyCode]
    committed: Annotated[float, Money]
    forecast: Annotated[float, Money]
    attained: Annotated[float, Money]
    periodStarts: Annotated[str, Day]
    periodEnds: Annotated[str, Day]


class UnknownFigures(TypedDict):
    """Members of a cloud that are null, and why."""

    members: list[str]
    why: str


class CloudCommitments(TypedDict, total=False):
    """The commitments of one cloud."""

    cloud: str
    currency: Annotated[str, CurrencyCode]
    coveragePercent: Annotated[float | None, Percent]
    utilizationPercent: Annotated[float | None, Percent]
    effectiveSavingsRatePercent: Annotated[float | None, Percent]
    savings30d: Annotated[float | None, Money]
    onDemandUncovered30d: Annotated[float | None, Money]
    expiring: Annotated[list[JsonObject] | None, Members(ExpiringCommitment)]
    nextPurchase: Annotated[JsonObject | None, Members(NextPurchase)]
    shortfall: Annotated[JsonObject | None, Members(Shortfall)]
    otherShortfalls: Annotated[list[JsonObject], Members(Shortfall)]
    unknown: Annotated[list[JsonObject], Members(UnknownFigures)]


class CommitmentSummary(CostStatement, total=False):
    """Commitments by cloud."""

    clouds: Annotated[
        list[JsonObject],
        "Shares of eligible spend at on-demand rates: coveragePercent (covered by commitments), "
        "effectiveSavingsRatePercent (saved by them). utilizationPercent: used share of what is paid for. Also "
        "onDemandUncovered30d, savings30d, expiring (within 90 days), nextPurchase, shortfall (of the contract's running "
        "period), unknown (which are null, and why).",
        Members(CloudCommitments),
    ]
    failed: FailedParts
