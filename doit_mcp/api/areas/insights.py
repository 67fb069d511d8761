"""Insights: what DoiT found in the clouds, and what customers bring in themselves (source public-api)."""

from typing import Annotated, Literal, Unpack

from ...protocol.json_schema import JsonObject, Length, Range
from ..markers import IDENTIFIER
from ..operation import Area, delete, get, offers, post, put
from ..parameters import Id, MaxResults, PageToken
from .insights_types import (
    Dismissal,
    Failures,
    InsightBatch,
    InsightDetails,
    InsightStatus,
    InsightWithStatus,
    ResourcePage,
    ResourceSet,
    StatusChange,
    StatusSet,
)

PAGE_SIZE = 50
MAX_ROWS = 5000

Source = Annotated[str, "Source of the insight, as list_optimization_recommendations shows it.", Length(1, 500)]
Key = Annotated[str, "Key of the insight, as list_optimization_recommendations shows it.", Length(1, 500)]
"""Chosen by the customer, so blanks around it are part of it."""
Category = Literal[
    "FinOps", "OperationalExcellence", "PerformanceEfficiency", "Reliability", "Security", "Sustainability"
]
Priority = Literal["Low", "Medium", "High"]
DisplayStatus = Literal["actionable", "acknowledged", "in progress", "optimized", "dismissed"]
OwnSource = Literal["public-api"]
OWN_SOURCE: OwnSource = "public-api"


class Insights(Area):
    """Insights: recommendations with the resources they are about, savings, security findings, own findings."""

    @get("/insights/v1/results", items="results")
    async def list_optimization_recommendations(
        self,
        *,
        searchTerm: str | None = None,
        displayStatus: list[DisplayStatus] | None = None,
        category: Category | None = None,
        cloudProvider: str | None = None,
        source: list[str] | None = None,
        priority: list[Priority] | None = None,
        tag: list[str] | None = None,
        easyWin: bool | None = None,
        cloudFlows: bool | None = None,
        pageToken: PageToken = None,
        maxResults: int | None = None,
    ) -> JsonObject:
        """List insights as the API has them; the tool of this name is made of it. The next page's token is in
        pagination."""
        ...

    @get("/insights/v1/results/source/{sourceID}/insight/{insightKey}")
    async def _insight(self, *, sourceID: Id, insightKey: Id) -> JsonObject: ...

    @offers(_insight)
    async def get_insight(self, *, source: Source, key: Key) -> Annotated[JsonObject, InsightDetails]:
        """Show one recommendation (insight): what it is about, what to do, what it saves. The resources it is about
        come from get_insight_resources."""
        return await self._insight(sourceID=source, insightKey=key)

    @get("/insights/v1/results/source/{sourceID}/insight/{insightKey}/resource-results", items="resourceResults")
    async def _resources(
        self, *, sourceID: Id, insightKey: Id, pageToken: PageToken = None, maxResults: int | None = None
    ) -> JsonObject: ...

    @offers(_resources)
    async def get_insight_resources(
        self,
        *,
        source: Source,
        key: Key,
        pageToken: PageToken = None,
        maxResults: Annotated[MaxResults, f"Rows in the answer, {PAGE_SIZE} if left out.", Range(1, MAX_ROWS)] = None,
    ) -> Annotated[JsonObject, ResourcePage]:
        """List the cloud resources that a recommendation (insight) is about, with what each would save or risks."""
        return await self._resources(
            sourceID=source, insightKey=key, pageToken=pageToken, maxResults=maxResults or PAGE_SIZE
        )

    @post("/insights/v1/results/source/{sourceID}/insight/{insightKey}", destructive=True)
    async def _put(
        self, *, sourceID: OwnSource, insightKey: Id, **insight: Unpack[InsightWithStatus]
    ) -> JsonObject: ...

    @offers(_put)
    async def post_insight_result(
        self, *, source: OwnSource = OWN_SOURCE, **insight: Unpack[InsightWithStatus]
    ) -> Annotated[JsonObject, InsightDetails]:
        """Create an insight of the customer's own, or replace the one with this key. Its resources stay as they are:
        give them with post_insight_resource_results."""
        return await self._put(sourceID=source, insightKey=insight["key"], **insight)

    @post("/insights/v1/results", destructive=True, items="failures")
    async def post_insight_results(self, **batch: Unpack[InsightBatch]) -> Annotated[list[JsonObject], Failures]:
        """Create many insights of the customer's own with their resources, or replace those with the same keys. Read
        failures in the answer: what is not there is done."""
        ...

    @post(
        "/insights/v1/results/source/{sourceID}/insight/{insightKey}/resource-results",
        destructive=True,
        items="resourceResults",
    )
    async def post_insight_resource_results(
        self,
        *,
        sourceID: Annotated[OwnSource, IDENTIFIER],
        insightKey: Key,
        maxResults: Annotated[int | None, "Rows in the answer, 1000 if left out.", Range(1, MAX_ROWS)] = None,
        **resources: Unpack[ResourceSet],
    ) -> Annotated[JsonObject, ResourcePage]:
        """Replace all resources of an insight of the customer's own: unresolved ones that are not given are deleted. Of
        those that are there already, type, provider, account and location stay as they are."""
        ...

    @put("/insights/v1/results/source/{sourceID}/insight/{insightKey}/status")
    async def _status(self, *, sourceID: OwnSource, insightKey: Id, **change: Unpack[StatusChange]) -> None: ...

    @offers(_status)
    async def update_insight_status(
        self,
        *,
        key: Key,
        status: InsightStatus,
        source: OwnSource = OWN_SOURCE,
        dismissalDetails: Annotated[Dismissal | None, "With status dismissed."] = None,
    ) -> Annotated[JsonObject, StatusSet]:
        """Change the status of an insight of the customer's own, e.g. to dismissed. DoiT's own insights cannot be
        changed here."""
        change: StatusChange = {"status": status}
        if dismissalDetails is not None:
            change["dismissalDetails"] = dismissalDetails
        await self._status(sourceID=source, insightKey=key, **change)
        return {"success": True, "source": source, "key": key, "status": status}

    @delete("/insights/v1/results/source/{sourceID}/insight/{insightKey}")
    async def delete_insight_result(self, *, sourceID: Annotated[OwnSource, IDENTIFIER], insightKey: Key) -> None:
        """Delete an insight of the customer's own with all its resources. This cannot be undone: ask first."""
        ...

    @delete("/insights/v1/results")
    async def delete_insight_results(
        self, *, insightKey: Annotated[str, "Key of the insights.", Length(1, 500)]
    ) -> None:
        """Delete the insights with this key that came in batches (post_insight_results), with all their resources.
        This cannot be undone: ask first."""
        ...
