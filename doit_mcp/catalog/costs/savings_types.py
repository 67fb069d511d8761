"""Result types of the tools for savings: recommendations, and the ranking of all kinds."""

from __future__ import annotations

from typing import Annotated, TypedDict

from ...api.value_kinds import CurrencyCode, Day, Label, Members, Moment, Money, UsDollars
from ...protocol.jsonrpc import JsonObject
from ..partial_results import FailedPart


class RecommendationRow(TypedDict, total=False):
    """One recommendation."""

    key: str
    source: str
    title: Annotated[str, Label]
    shortDescription: str
    provider: str
    categories: str
    displayStatus: str
    potentialDailySavings: Annotated[float, UsDollars]
    potentialMonthlySavings: Annotated[float, UsDollars]
    tags: list[str]
    easyWin: bool
    lastUpdated: Annotated[str, Moment]
    easyWinDescription: str
    reportUrl: str
    cloudFlowTemplateId: str


class Recommendations(TypedDict, total=False):
    """A page of recommendations, the most valuable first."""

    rowCount: int
    insights: Annotated[
        list[JsonObject],
        "Each with key, source, title, shortDescription, provider, categories, displayStatus, potentialDailySavings "
        "and potentialMonthlySavings (USD), tags, easyWin, lastUpdated.",
        Members(RecommendationRow),
    ]
    pageToken: Annotated[str | None, "Give this to get the next page; missing on the last."]
    totalDailySavings: Annotated[float, "Of this page, USD.", UsDollars]


class SavingsDetails(TypedDict, total=False):
    """Facts about one item; which ones depends on its kind."""

    provider: str | None
    categories: str
    easyWin: bool
    shortDescription: str
    ends: Annotated[str, Day]
    committed: Annotated[float, Money]
    attained: Annotated[float, Money]
    forecast: Annotated[float, Money]
    platform: str | None
    severityLevel: str | None
    startTime: Annotated[str | None, Moment]
    status: str | None


class SavingsItem(TypedDict):
    """One way to save money, or money at stake."""

    kind: Annotated[str, Label]
    id: str
    title: Annotated[str, Label]
    amount: Annotated[float, Money]
    basis: str
    currency: Annotated[str, CurrencyCode]
    details: Annotated[JsonObject, Members(SavingsDetails)]


class CurrencyAmount(TypedDict):
    """The sum of the items in one currency."""

    currency: Annotated[str, CurrencyCode]
    amount: Annotated[float, Money]


class KindTotal(TypedDict):
    """All items of one kind."""

    count: int
    basis: str | None
    amounts: list[CurrencyAmount]


class SavingsTotals(TypedDict, total=False):
    """The items by kind."""

    recommendation: KindTotal
    commitment: KindTotal
    anomaly: KindTotal


class SavingsSummary(TypedDict, total=False):
    """Savings of all kinds, the most money first."""

    items: Annotated[
        list[JsonObject],
        "Each with kind (recommendation, commitment, anomaly), id (for fetch), title, amount, basis (per month, at "
        "stake, or once: already spent above the expected), currency and details.",
        Members(SavingsItem),
    ]
    totals: Annotated[
        JsonObject,
        "By kind: count, amount, basis, currency, of all found, not only the items shown.",
        Members(SavingsTotals),
    ]
    failed: Annotated[
        list[JsonObject], "Kinds that could not be read, and why: they are unknown, not empty.", Members(FailedPart)
    ]
