"""Cloud incidents: known issues of the cloud providers."""

from typing import Annotated, Literal, TypedDict

from ...protocol.json_schema import JsonObject, Length, Range
from ..common_types import ListPage
from ..errors import ApiError
from ..operation import Area, get, offers
from ..pagination import find_id, search_pages
from ..parameters import CreatedSince, CreatedUntil, EpochMilliseconds, Id, MaxResults, OptionalId, PageToken

PAGE_SIZE = 40
MAX_ROWS = 200

Platform = Literal[
    "amazon-web-services",
    "google-cloud",
    "microsoft-azure",
    "google-cloud-project",
    "g-suite",
    "office-365",
    "open-ai",
]


class IncidentPage(ListPage, total=False):
    """A page of incidents."""

    incidents: Annotated[
        list[JsonObject], "Each with id, title, platform, product, status (active, archived) and createTime."
    ]


class IncidentDetails(TypedDict, total=False):
    """One incident."""

    id: str
    title: str
    platform: str
    product: str
    status: Annotated[str, "active or archived"]
    createTime: EpochMilliseconds
    summary: str
    description: str
    symptoms: str
    workaround: str


class CloudIncidents(Area):
    """Cloud incidents: outages and known issues of AWS, Google Cloud and Azure, status, workarounds."""

    @get("/core/v1/cloudincidents", items="incidents")
    async def _incidents(
        self,
        *,
        maxResults: MaxResults = None,
        pageToken: PageToken = None,
        filter: str | None = None,
        minCreationTime: CreatedSince = None,
        maxCreationTime: CreatedUntil = None,
    ) -> JsonObject: ...

    @offers(_incidents)
    async def get_cloud_incidents(
        self,
        *,
        platform: Annotated[Platform | None, "Only incidents of this cloud. Reads several pages."] = None,
        filter: Annotated[str | None, "key:value terms joined by |, e.g. status:active."] = None,
        maxResults: Annotated[MaxResults, f"Maximum rows. Default: {PAGE_SIZE}.", Range(1, MAX_ROWS)] = None,
        pageToken: PageToken = None,
        minCreationTime: CreatedSince = None,
        maxCreationTime: CreatedUntil = None,
    ) -> Annotated[JsonObject, IncidentPage]:
        """List incidents of the cloud providers, newest first, active and past. With platform, a pageToken in the
        result means that older incidents were not searched yet. For the customer's own cost, use get_anomalies."""
        return await search_pages(
            self._incidents,
            (lambda row: row.get("platform") == platform) if platform else None,
            row_count=maxResults or PAGE_SIZE,
            max_page_size=MAX_ROWS,
            token=pageToken,
            filter=filter,
            minCreationTime=minCreationTime,
            maxCreationTime=maxCreationTime,
        )

    @get("/core/v1/cloudincidents/{id}")
    async def _incident(self, *, id: Id) -> JsonObject: ...

    @offers(_incident)
    async def get_cloud_incident(
        self,
        *,
        id: OptionalId = None,
        title: Annotated[str | None, "Instead of the id: its title or a unique part of it.", Length(1, 300)] = None,
    ) -> Annotated[JsonObject, IncidentDetails]:
        """Show one cloud incident: description, symptoms and workaround. Give its id or its title."""
        if not id and not title:
            raise ApiError("id or title is required", kind="argument")
        return await self._incident(id=id or await find_id(title or "", self._incidents, "title"))
