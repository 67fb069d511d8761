"""Organizations: parts of the customer with separate data."""

from typing import Annotated, TypedDict

from ...protocol.json_schema import JsonObject
from ..operation import Area, get


class OrganizationList(TypedDict, total=False):
    """Organizations."""

    organizations: Annotated[list[JsonObject], "Each with id and name."]
    rowCount: int


class Organizations(Area):
    """Organizations: parts of the customer, business units, which users can belong to."""

    @get("/iam/v1/organizations", items="organizations")
    async def list_organizations(self) -> Annotated[JsonObject, OrganizationList]:
        """List the customer's organizations, to which users can belong."""
        ...
