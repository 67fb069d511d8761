"""Insights: DoiT's findings in cloud accounts, and findings that customers add themselves (source public-api)."""

from typing import Annotated, Literal, TypedDict, Unpack

from ...protocol.json_schema import JsonObject, Length, Range
from ..errors import ApiError
from ..facts import REVERSIBLE, Unconfirmed
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
    StatusResult,
)

PAGE_SIZE = 50
MAX_ROWS = 5000

Source = Annotated[str, "Insight source, from list_optimization_recommendations.", Length(1, 500)]
Key = Annotated[str, "Insight key, from list_optimization_recommendations.", Length(1, 500)]
"""The customer chooses the key, so surrounding spaces are part of it."""
Category = Literal[
    "FinOps", "OperationalExcellence", "PerformanceEfficiency", "Reliability", "Security", "Sustainability"
]
SPACED_CATEGORIES: dict[Category, str] = {
    "OperationalExcellence": "Operational excellence",
    "PerformanceEfficiency": "Performance efficiency",
}
"""How the API writes categories whose names have a space; the spelling without it matches nothing there."""
Priority = Literal["Low", "Medium", "High"]
DisplayStatus = Literal["actionable", "acknowledged", "in progress", "optimized", "dismissed"]
OwnSource = Literal["public-api"]
OWN_SOURCE: OwnSource = "public-api"

NO_MATCH = (
    "No custom insight had this key, so nothing was deleted. Check the key with list_optimization_recommendations."
)


class DeletedInsights(TypedDict, total=False):
    """The result of a deletion of insights."""

    insightKey: str
    deleted: bool
    note: str


class Insights(Area):
    """Insights: recommendations with the resources they are about, savings, security findings, own findings."""

    @get("/insights/v1/results", items="results")
    async def _insights(
        self,
        *,
        searchTerm: str | None = None,
        displayStatus: list[DisplayStatus] | None = None,
        category: str | None = None,
        cloudProvider: str | None = None,
        source: list[str] | None = None,
        priority: list[Priority] | None = None,
        tag: list[str] | None = None,
        easyWin: bool | None = None,
        cloudFlows: bool | None = None,
        pageToken: PageToken = None,
        maxResults: int | None = None,
    ) -> JsonObject: ...

    @offers(_insights)
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
        """List recommendations (insights) that save money or reduce risk, with the savings of each. For one ranked list
        of all kinds of savings, use get_savings_summary."""
        return await self._insights(
            searchTerm=searchTerm,
            displayStatus=displayStatus,
            category=SPACED_CATEGORIES.get(category, category) if category else None,
            cloudProvider=cloudProvider,
            source=source,
            priority=priority,
            tag=tag,
            easyWin=easyWin,
            cloudFlows=cloudFlows,
            pageToken=pageToken,
            maxResults=maxResults,
        )

    @get("/insights/v1/results/source/{sourceID}/insight/{insightKey}")
    async def _insight(self, *, sourceID: Id, insightKey: Id) -> JsonObject: ...

    @offers(_insight)
    async def get_insight(self, *, source: Source, key: Key) -> Annotated[JsonObject, InsightDetails]:
        """Show one recommendation (insight): what it is about, what to do and what it saves. For its resources, use
        get_insight_resources."""
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
        maxResults: Annotated[MaxResults, f"Maximum rows. Default: {PAGE_SIZE}.", Range(1, MAX_ROWS)] = None,
    ) -> Annotated[JsonObject, ResourcePage]:
        """List the cloud resources of a recommendation (insight), with the savings or risk of each."""
        return await self._resources(
            sourceID=source, insightKey=key, pageToken=pageToken, maxResults=maxResults or PAGE_SIZE
        )

    @post(
        "/insights/v1/results/source/{sourceID}/insight/{insightKey}",
        destructive=True,
        confirm=Unconfirmed(
            "Integrations replace the customer's own findings all the time. It asks if they have addresses."
        ),
        preview_with=None,
        no_undo="The insight that it replaces is not read first. delete_insight_result deletes a new one.",
    )
    async def _post_insight(
        self, *, sourceID: OwnSource, insightKey: Id, **insight: Unpack[InsightWithStatus]
    ) -> JsonObject: ...

    @offers(_post_insight)
    async def post_insight_result(
        self, *, source: OwnSource = OWN_SOURCE, **insight: Unpack[InsightWithStatus]
    ) -> Annotated[JsonObject, InsightDetails]:
        """Create a custom insight, or replace the one with the same key. Its resources stay unchanged; set them with
        post_insight_resource_results."""
        return await self._post_insight(sourceID=source, insightKey=insight["key"], **insight)

    @post(
        "/insights/v1/results",
        destructive=True,
        items="failures",
        confirm=True,
        preview_with=None,
        no_undo="The insights that it replaces are not read first. delete_insight_results deletes new ones.",
    )
    async def post_insight_results(self, **batch: Unpack[InsightBatch]) -> Annotated[list[JsonObject], Failures]:
        """Create many custom insights with their resources, or replace those with the same keys. Check failures in the
        result; all other items succeeded."""
        ...

    @post(
        "/insights/v1/results/source/{sourceID}/insight/{insightKey}/resource-results",
        destructive=True,
        items="resourceResults",
        confirm=True,
        preview_with=get_insight,
        preview_arguments={"sourceID": "source", "insightKey": "key"},
        verify_with=None,
        no_undo="The resources that it replaces or deletes are not read first, so they cannot be restored.",
    )
    async def post_insight_resource_results(
        self,
        *,
        sourceID: Annotated[OwnSource, IDENTIFIER],
        insightKey: Key,
        maxResults: Annotated[int | None, "Maximum rows. Default: 1000.", Range(1, MAX_ROWS)] = None,
        **resources: Unpack[ResourceSet],
    ) -> Annotated[JsonObject, ResourcePage]:
        """Replace all resources of a custom insight: unresolved resources that are not listed are deleted. The type,
        provider, account and location of existing resources stay unchanged."""
        ...

    @put(
        "/insights/v1/results/source/{sourceID}/insight/{insightKey}/status",
        confirm=REVERSIBLE,
        preview_with=None,
        no_undo="The former status is not read first. To restore it, set it with update_insight_status.",
        open_world=False,
    )
    async def _update_status(self, *, sourceID: OwnSource, insightKey: Id, **change: Unpack[StatusChange]) -> None: ...

    @offers(_update_status)
    async def update_insight_status(
        self,
        *,
        key: Key,
        status: InsightStatus,
        source: OwnSource = OWN_SOURCE,
        dismissalDetails: Annotated[Dismissal | None, "With status dismissed."] = None,
    ) -> Annotated[JsonObject, StatusResult]:
        """Change the status of a custom insight, for example to dismissed. DoiT's own insights cannot be changed."""
        change: StatusChange = {"status": status}
        if dismissalDetails is not None:
            change["dismissalDetails"] = dismissalDetails
        await self._update_status(sourceID=source, insightKey=key, **change)
        return {"success": True, "source": source, "key": key, "status": status}

    @delete(
        "/insights/v1/results/source/{sourceID}/insight/{insightKey}",
        confirm=True,
        preview_with=get_insight,
        preview_arguments={"sourceID": "source", "insightKey": "key"},
        verify_with=None,
        no_undo="A deleted insight and its resources cannot be restored. post_insight_result creates a new one.",
        open_world=False,
    )
    async def delete_insight_result(self, *, sourceID: Annotated[OwnSource, IDENTIFIER], insightKey: Key) -> None:
        """Delete a custom insight with all its resources. This cannot be undone: ask the user first."""
        ...

    @delete(
        "/insights/v1/results",
        confirm=True,
        preview_with=get_insight,
        preview_arguments={"insightKey": "key"},
        preview_constants={"source": OWN_SOURCE},
        verify_with=None,
        no_undo="Deleted insights and their resources cannot be restored. post_insight_results creates new ones.",
        open_world=False,
    )
    async def _delete_results(self, *, insightKey: Id) -> None: ...

    @offers(_delete_results)
    async def delete_insight_results(
        self, *, insightKey: Annotated[str, "Key of the insight whose results to delete.", Length(1, 500)]
    ) -> Annotated[JsonObject, DeletedInsights]:
        """Delete the custom insights with this key that were created in batches (post_insight_results), with all their
        resources. This cannot be undone: ask the user first."""
        # The API accepts any key.
        try:
            await self._insight(sourceID=OWN_SOURCE, insightKey=insightKey)
        except ApiError as error:
            if error.kind != "missing":
                raise
            await self._delete_results(insightKey=insightKey)
            return {"insightKey": insightKey, "deleted": False, "note": NO_MATCH}
        await self._delete_results(insightKey=insightKey)
        return {"insightKey": insightKey, "deleted": True}
