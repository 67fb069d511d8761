"""Sharing: who may see or change a resource of Cloud Analytics."""

from typing import Annotated, Any, Literal, TypedDict, Unpack

from ...protocol.json_schema import JsonObject, Length
from ..common_types import Role
from ..markers import EXTERNAL_TARGET
from ..operation import Area, get, offers, put
from ..parameters import Id

ResourceType = Annotated[Literal["alerts", "budgets", "reports", "allocations"], "Kind of the resource."]
ResourceId = Annotated[Id, "Id of the resource, as its list shows it."]


class Permissions(TypedDict, total=False):
    """Who may do what with a resource."""

    id: str
    name: str
    description: str
    permissions: Annotated[list[JsonObject], "Each with user (email address) and role (owner, editor, viewer)."]
    public: Annotated[str | None, "What everybody of the customer may do: editor, viewer or, if null, nothing."]


class Permission(TypedDict):
    """What one person may do."""

    user: Annotated[str, "Email address.", Length(3, 320)]
    role: Role


class PermissionChanges(TypedDict, total=False):
    """Who may do what from now on."""

    permissions: Annotated[
        list[Permission],
        "Everybody who may; exactly one is the owner. Who is not in it loses access.",
        Length(1, 1000),
        EXTERNAL_TARGET,
    ]
    public: Annotated[
        Literal["editor", "viewer"] | None,
        "What everybody of the customer may do; null: nothing. Leave it out to leave it as it is.",
        EXTERNAL_TARGET,
    ]


class Sharing(Area):
    """Sharing: who may see or change a report, budget, alert or allocation."""

    @get("/sharing/v1/{resourceType}/{resourceId}", items="permissions")
    async def get_resource_permissions(
        self, *, resourceType: ResourceType, resourceId: ResourceId
    ) -> Annotated[JsonObject, Permissions]:
        """Show who can view or edit a report, budget, alert or allocation, and what access all users of the customer
        have."""
        ...

    @put("/sharing/v1/{resourceType}/{resourceId}", confirm=True, preview_with=get_resource_permissions)
    async def _share(
        self, *, resourceType: ResourceType, resourceId: ResourceId, **permissions: Unpack[PermissionChanges]
    ) -> JsonObject: ...

    @offers(_share)
    async def update_resource_permissions(
        self, *, resourceType: ResourceType, resourceId: ResourceId, **permissions: Unpack[PermissionChanges]
    ) -> Annotated[JsonObject, Permissions]:
        """Set who can view or edit a report, budget, alert or allocation. The list replaces the current one: read
        get_resource_permissions first. This grants or removes access to data: ask the user first."""
        sent: dict[str, Any] = dict(permissions)
        if resourceType == "allocations":
            # The API fails on allocations without this member, and on null; "" is its word for nothing.
            if "public" not in sent:
                sent["public"] = (
                    await self.get_resource_permissions(resourceType=resourceType, resourceId=resourceId)
                ).get("public")
            sent["public"] = sent["public"] or ""
        return await self._share(resourceType=resourceType, resourceId=resourceId, **sent)
