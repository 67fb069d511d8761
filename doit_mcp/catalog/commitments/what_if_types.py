"""Result types of what_if_commitment."""

from __future__ import annotations

from typing import Annotated, TypedDict

from ...api.value_kinds import CurrencyCode, Day, Label, Members, Money, Percent
from ...protocol.jsonrpc import JsonObject
from ..costs.statement import CostStatement
from ..partial_results import FailedPart


class NamedScope(TypedDict, total=False):
    """What the commitment would cover."""

    cloud: str
    service: str
    region: str
    account: str
    accountName: Annotated[str | None, Label]


class UsageLevels(TypedDict):
    """Usage in dollars per hour at on-demand rates; *basis* says of what."""

    eligibleMedian: Annotated[float, Money]
    onDemandMedian: Annotated[float, Money]
    onDemandLow: Annotated[float, Money]
    onDemandHigh: Annotated[float, Money]
    samples: int
    unit: str
    source: str
    basis: str


class ModeledPurchase(TypedDict, total=False):
    """What would be bought and paid."""

    term: str
    payment: str | None
    discountPercent: Annotated[float, Percent]
    discountSource: str
    commitmentPerHour: Annotated[float, Money]
    coversPerHour: Annotated[float, Money]
    upfront: Annotated[float, Money]
    perMonth: Annotated[float, Money]
    total: Annotated[float, Money]
    basis: str


class SavingsRange(TypedDict):
    """Savings per month at three levels of usage; null for those that usage does not show."""

    expected: Annotated[float, Money]
    low: Annotated[float | None, Money]
    high: Annotated[float | None, Money]
    basis: str


class PercentRange(TypedDict):
    """A share at three levels of usage; null for those that usage does not show."""

    expected: Annotated[float, Percent]
    low: Annotated[float | None, Percent]
    high: Annotated[float | None, Percent]
    basis: str


class CoverageChange(TypedDict):
    """The covered share of the eligible usage: *before* by active commitments, *queued* with those that are bought and
    start later, *after* with the purchase too; *basis* says of what."""

    target: Annotated[float, Percent]
    before: Annotated[float, Percent]
    queued: Annotated[float, Percent]
    after: Annotated[float, Percent]
    basis: str


class ExistingCommitment(TypedDict):
    """An active commitment that ends within the term of the purchase; *perHour* is null if DoiT has no price for it."""

    id: str
    title: Annotated[str, Label]
    ends: Annotated[str, Day]
    perHour: Annotated[float | None, Money]


class LaterCommitment(TypedDict):
    """A commitment that is bought and has not started, and whether it renews one that ends then."""

    id: str
    title: Annotated[str, Label]
    starts: Annotated[str | None, Day]
    perHour: Annotated[float | None, Money]
    isRenewal: bool


class ExistingCommitments(TypedDict):
    """Active commitments, which are kept: *perHour* and *count* are of the same kind, *otherKinds* counts Reserved
    Instances or resource-based ones."""

    perHour: Annotated[float, Money]
    count: int
    utilizationPercent: Annotated[float | None, Percent]
    otherKinds: int
    endWithinTerm: Annotated[list[JsonObject], Members(ExistingCommitment)]
    notStarted: Annotated[list[JsonObject], Members(LaterCommitment)]
    basis: str


class PlannedStep(TypedDict):
    """A purchase that DoiT plans; *approval* is pending_approval, approved or paused."""

    on: Annotated[str, Day]
    perHour: Annotated[float, Money]
    approval: str


class PlannedPurchases(TypedDict):
    """Purchases that DoiT plans for the same usage, and what the purchase would be worth after all of them."""

    perHour: Annotated[float, Money]
    steps: Annotated[list[JsonObject], Members(PlannedStep)]
    stepCount: int
    coveragePercent: Annotated[float, Percent]
    unusedPercent: Annotated[float, Percent]
    savingsPerMonth: Annotated[float, Money]
    basis: str


class CommitmentWhatIf(CostStatement, total=False):
    """A purchase of a commitment, modeled on past usage."""

    currency: Annotated[str, CurrencyCode]
    scope: Annotated[JsonObject, Members(NamedScope)]
    usage: Annotated[JsonObject, "Per hour at on-demand rates.", Members(UsageLevels)]
    purchase: Annotated[
        JsonObject,
        "commitmentPerHour is bought in addition to existing commitments, and covers coversPerHour at on-demand rates; "
        "upfront, perMonth and total are what is paid.",
        Members(ModeledPurchase),
    ]
    savingsPerMonth: Annotated[
        JsonObject,
        "Net of the commitment's cost: expected (mean), low and high usage. Null: unknown.",
        Members(SavingsRange),
    ]
    unusedPercent: Annotated[JsonObject, "Unused share of the commitment at the same usage.", Members(PercentRange)]
    coveragePercent: Annotated[JsonObject, Members(CoverageChange)]
    breakEvenMonth: Annotated[
        int | None,
        "Month of the term after which the avoided on-demand cost has paid for the whole commitment. Null: never.",
    ]
    breakEvenMonthLow: Annotated[int | None, "The same at low usage. Null: never, or low usage is unknown."]
    paybackMonth: Annotated[
        int | None,
        "Month after which savings have paid back the upfront payment; only with one. Null: never.",
    ]
    existing: Annotated[JsonObject, Members(ExistingCommitments)]
    planned: Annotated[
        JsonObject,
        "Purchases that DoiT plans for the same usage, which the other figures leave out; and coverage, unused share and "
        "savings of the purchase after them.",
        Members(PlannedPurchases),
    ]
    assumptions: list[str]
    failed: Annotated[list[JsonObject], "What could not be read, and why.", Members(FailedPart)]
