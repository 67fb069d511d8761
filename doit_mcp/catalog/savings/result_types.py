"""Result types of the tools for savings: recommendations, and the ranking of all kinds."""

from __future__ import annotations

from typing import Annotated, Required, TypedDict

from ...api.value_kinds import CurrencyCode, Day, Label, Members, Moment, Money, Percent, UsDollars
from ...protocol.jsonrpc import JsonObject
from ..partial_results import FailedParts


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
        "and potentialMonthlySavings, tags, easyWin, lastUpdated.",
        Members(RecommendationRow),
    ]
    pageToken: Annotated[str | None, "Give this to get the next page; missing on the last."]
    totalDailySavings: Annotated[float, "Of the rows in this result.", UsDollars]
    isWholeList: Annotated[bool, "false: other pages have more rows, and totalDailySavings leaves them out."]
    currency: Annotated[str, CurrencyCode]


class SavingsRow(TypedDict, total=False):
    """One row of save, waste or at_stake; which optional members it has depends on its kind."""

    id: Required[str]
    kind: Required[Annotated[str, Label]]
    title: Required[Annotated[str, Label]]
    amount: Required[Annotated[float, Money]]
    currency: Required[Annotated[str, CurrencyCode]]
    provider: str
    utilizationPercent: Annotated[float, Percent]
    ends: Annotated[str | None, Day]
    periodEnds: Annotated[str, Day]
    since: Annotated[str | None, Day]


class Overlap(TypedDict):
    """Rows with overlapping savings."""

    ids: list[str]
    why: str


class SavingsBasis(TypedDict):
    """What the amounts of each list are; amounts of different lists are not added up."""

    save: str
    waste: str
    at_stake: str


class RowCounts(TypedDict):
    """How many rows each list has, including those that are not shown; null if some were not read (failed)."""

    save: int | None
    waste: int | None
    at_stake: int | None


class SavingsSummary(TypedDict, total=False):
    """What could be saved, what is wasted, and what is at stake, each list ranked on its own."""

    asOf: Annotated[str, Day]
    save: Annotated[
        list[JsonObject],
        "Savings per month: recommendations and commitments to buy.",
        Members(SavingsRow),
    ]
    waste: Annotated[
        list[JsonObject],
        "Paid for and unused per month; AWS and GCP.",
        Members(SavingsRow),
    ]
    at_stake: Annotated[
        list[JsonObject],
        "Forecast shortfall of each contract until periodEnds; then open anomalies: cost above the expected so far.",
        Members(SavingsRow),
    ]
    basis: Annotated[JsonObject, "What the amounts of each list are.", Members(SavingsBasis)]
    counts: Annotated[JsonObject, "Rows of each list, shown or not; null: some not read.", Members(RowCounts)]
    overlaps: Annotated[list[JsonObject], "ids that save partly the same money.", Members(Overlap)]
    unknown: Annotated[list[str], "What has no known amount, and why."]
    failed: FailedParts
