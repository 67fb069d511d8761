"""Commitments: spending commitments to cloud providers, and their attainment."""

from typing import Annotated, Literal, TypedDict

from ...protocol.json_schema import JsonObject
from ..common_types import ListPage
from ..operation import Area, get
from ..parameters import EpochMilliseconds, Id, MaxResults, PageToken, Rfc3339, SortOrder
from ..value_kinds import CurrencyCode, Money


class CommitmentPage(ListPage, total=False):
    """A page of commitments."""

    commitments: Annotated[
        list[JsonObject],
        "Each with id, name, cloudProvider, startDate, endDate, currency, totalCommitmentValue, "
        "totalCurrentAttainment, totalForecastValue and periods.",
    ]


class CommitmentDetails(TypedDict, total=False):
    """One commitment."""

    id: str
    name: str
    cloudProvider: Literal["google-cloud", "amazon-web-services", "microsoft-azure"]
    startDate: Rfc3339
    endDate: Rfc3339
    currency: Annotated[str, CurrencyCode]
    totalCommitmentValue: Annotated[float, "Committed amount, in its currency.", Money]
    totalCurrentAttainment: Annotated[float, "Attained so far.", Money]
    totalMarketplaceSpend: Annotated[float, Money]
    totalForecastValue: Annotated[float, "Forecast attainment at its end; 0: not enough data.", Money]
    periods: Annotated[
        list[JsonObject],
        "Each with startDate, endDate, commitmentValue, forecastValue, marketplaceSpend, marketplaceLimitAmount and "
        "marketplaceLimitPercentage (0 to 100).",
    ]
    createTime: EpochMilliseconds
    updateTime: EpochMilliseconds


class Commitments(Area):
    """Commitments with cloud providers: committed spend, attainment, shortfall, forecast, periods."""

    @get("/analytics/v1/commitment-manager", items="commitments")
    async def list_commitments(
        self,
        *,
        maxResults: MaxResults = None,
        pageToken: PageToken = None,
        filter: Annotated[
            str | None,
            "key:value terms joined by |, e.g. provider:google-cloud. Keys: name and provider, each once. "
            "All terms must match.",
        ] = None,
        sortBy: Literal["name", "startDate", "endDate", "provider", "createTime", "updateTime"] | None = None,
        sortOrder: SortOrder = None,
    ) -> Annotated[JsonObject, CommitmentPage]:
        """List commitments to cloud providers, newest first: committed amount, attainment, forecast and end date. For
        Savings Plans and Reserved Instances, use list_aws_organizations."""
        ...

    @get("/analytics/v1/commitment-manager/{id}")
    async def get_commitment(
        self, *, id: Annotated[Id, "Commitment id, from list_commitments."]
    ) -> Annotated[JsonObject, CommitmentDetails]:
        """Show one commitment with its periods: value, attainment, marketplace spend and its limit, and forecast."""
        ...
