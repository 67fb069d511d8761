"""Annotations: notes at dates in the cost charts."""

from typing import Annotated, Literal, Required, TypedDict, Unpack

from ...protocol.json_schema import JsonObject, Length
from ..common_types import ListPage
from ..facts import REVERSIBLE
from ..operation import Area, delete, get, offers, patch, post
from ..pagination import find_id
from ..parameters import Id, MaxResults, OptionalId, PageToken, Rfc3339, SortOrder

PAGE_SIZE = 500
FORMER_SORTS = dict.fromkeys(("timeCreated", "timeModified"), "timestamp")
"""Sort orders that the API refuses, and the closest one that it accepts."""

Content = Annotated[str, "Text of the note.", Length(1, 5000)]
Timestamp = Annotated[str, "The time it refers to, RFC 3339 with a zone, e.g. ending in T00:00:00Z.", Length(1, 40)]
ReportIds = Annotated[list[str], "Ids of the related reports.", Length(maximum=1000)]
LabelIds = Annotated[list[str], "Ids of existing labels, from list_labels.", Length(maximum=1000)]
AnnotationId = Annotated[Id, "Annotation id, from list_annotations."]


class AnnotationPage(ListPage, total=False):
    """A page of annotations."""

    annotations: Annotated[list[JsonObject], "Each with id, content, timestamp, reports (ids) and labels."]


class AnnotationDetails(TypedDict, total=False):
    """One annotation."""

    id: str
    content: str
    timestamp: Annotated[str, "The time it refers to, RFC 3339."]
    reports: Annotated[list[str], "Report ids."]
    labels: Annotated[list[JsonObject], "Each with id and name."]
    createTime: Rfc3339
    updateTime: Rfc3339


class NewAnnotation(TypedDict, total=False):
    """An annotation to create."""

    content: Required[Content]
    timestamp: Required[Timestamp]
    reports: ReportIds
    labels: LabelIds


class AnnotationChanges(TypedDict, total=False):
    """Changes to an annotation."""

    content: Content
    timestamp: Timestamp
    reports: ReportIds
    labels: LabelIds


class Annotations(Area):
    """Annotations: notes at a date in the cost charts: launches, migrations, incidents that explain a change."""

    @get("/analytics/v1/annotations", items="annotations", page_size=PAGE_SIZE)
    async def _annotations(
        self,
        *,
        maxResults: MaxResults = None,
        pageToken: PageToken = None,
        filter: str | None = None,
        sortBy: str | None = None,
        sortOrder: SortOrder = None,
    ) -> JsonObject: ...

    @offers(_annotations)
    async def list_annotations(
        self,
        *,
        maxResults: Annotated[MaxResults, f"Maximum rows. Default: {PAGE_SIZE}."] = None,
        pageToken: PageToken = None,
        filter: Annotated[
            str | None,
            "key:value terms joined by |. Keys: content, timestamp, labels. Repeated keys mean OR, different keys AND.",
        ] = None,
        sortBy: Annotated[
            Literal["id", "content", "timestamp", "timeCreated", "timeModified"] | None,
            "timeCreated and timeModified are former values: they sort by timestamp.",
        ] = None,
        sortOrder: SortOrder = None,
    ) -> Annotated[JsonObject, AnnotationPage]:
        """List annotations (notes at dates of the cost charts), newest first. They often explain why cost changed: a
        launch, a migration, an incident."""
        return await self._annotations(
            maxResults=maxResults,
            pageToken=pageToken,
            filter=filter,
            sortBy=FORMER_SORTS.get(sortBy or "", sortBy),
            sortOrder=sortOrder,
        )

    @get("/analytics/v1/annotations/{id}")
    async def _annotation(self, *, id: Id) -> JsonObject: ...

    @offers(_annotation)
    async def get_annotation(
        self,
        *,
        id: OptionalId = None,
        content: Annotated[str | None, "Instead of the id: a unique part of its text.", Length(1, 99)] = None,
    ) -> Annotated[JsonObject, AnnotationDetails]:
        """Show one annotation with its date, reports and labels. Give its id or a part of its text."""
        return await self._annotation(id=id or await find_id(content or "", self.list_annotations, "content"))

    @post("/analytics/v1/annotations", confirm=False, verify_with=get_annotation, open_world=False)
    async def create_annotation(self, **annotation: Unpack[NewAnnotation]) -> Annotated[JsonObject, AnnotationDetails]:
        """Add an annotation at a date of the cost charts. Everyone at the customer who can view the charts sees it."""
        ...

    @patch(
        "/analytics/v1/annotations/{id}",
        confirm=REVERSIBLE,
        preview_with=get_annotation,
        names_with={"labels": "list_labels"},
        open_world=False,
    )
    async def update_annotation(
        self, *, id: AnnotationId, **changes: Unpack[AnnotationChanges]
    ) -> Annotated[JsonObject, AnnotationDetails]:
        """Change an annotation; omitted fields stay unchanged. Lists (reports, labels) are replaced as a whole: read
        get_annotation first."""
        ...

    @delete(
        "/analytics/v1/annotations/{id}",
        confirm=True,
        preview_with=get_annotation,
        restore_with=create_annotation,
        open_world=False,
    )
    async def delete_annotation(self, *, id: AnnotationId) -> None:
        """Delete an annotation of the cost charts. Quote it to the user and ask first."""
        ...
