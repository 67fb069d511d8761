"""Dimensions: the fields to group and filter costs by."""

from typing import Annotated, Literal, TypedDict

from ...protocol.json_schema import JsonObject, Length
from ..common_types import DimensionType, ListPage
from ..markers import IDENTIFIER
from ..operation import Area, get
from ..parameters import MaxResults, PageToken, SortOrder

PAGE_SIZE = 200


class DimensionPage(ListPage, total=False):
    """A page of dimensions."""

    dimensions: Annotated[list[JsonObject], "Each with id, label (display name) and type."]


class DimensionDetails(TypedDict, total=False):
    """One dimension."""

    id: str
    label: str
    type: str
    values: Annotated[list[JsonObject], "Each with value, as filters require it, and cloud."]


class Dimensions(Area):
    """Dimensions: what costs can be grouped and filtered by, labels, tags, names and values for filters."""

    @get("/analytics/v1/dimensions", items="dimensions", page_size=PAGE_SIZE, default_list=True)
    async def list_dimensions(
        self,
        *,
        maxResults: Annotated[MaxResults, f"Maximum rows. Default: {PAGE_SIZE}."] = None,
        pageToken: PageToken = None,
        filter: Annotated[
            str | None,
            "key:value terms joined by |, e.g. type:label. Keys: type and label, each once, with exact values. "
            "All terms must match.",
        ] = None,
        sortBy: Literal["type", "label", "key", "timestamp"] | None = None,
        sortOrder: SortOrder = None,
    ) -> Annotated[JsonObject, DimensionPage]:
        """List the dimensions that costs can be grouped and filtered by, including labels and tags of cloud resources,
        with the id and type that run_query requires. For the values of a dimension, use get_dimension."""
        ...

    @get(
        "/analytics/v1/dimension",
        narrow_hint="It cannot be narrowed: group by it in run_query, with filters or a limit, to see its values.",
    )
    async def get_dimension(
        self,
        *,
        type: Annotated[DimensionType, "From list_dimensions."],
        id: Annotated[str, "From list_dimensions, e.g. service_description.", Length(1, 500), IDENTIFIER],
    ) -> Annotated[JsonObject, DimensionDetails]:
        """Show the values of one dimension, spelled as filters require them: service names, projects, regions, label
        values."""
        ...
