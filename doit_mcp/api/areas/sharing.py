"""Sharing: access to reports, budgets, alerts and allocations."""

from typing import Annotated, Any, Literal, TypedDict, Unpack

from ...protocol.json_schema import JsonObject, Length
from ..common_types import Role
from ..markers import EXTERNAL_TARGET
from ..operation import Area, get, offers, put
from ..parameters import Id

ResourceType = Annotated[Literal["alerts", "budgets", "reports", "allocations"], "Kind of the resource."]
ResourceId = Annotated[Id, "Resource id, from its list."]

NO_ACCESS = "no_access"


class Permissions(TypedDict, total=False):
    """The users with access to a resource."""

    id: str
    name: str
    description: str
    permissions: Annotated[list[JsonObject], "Each with user (email address) and role (owner, editor, viewer)."]
    public: Annotated[str | None, "Role of all users of the customer: editor, viewer or null for no access."]


class Permission(TypedDict):
    """The role of one user."""

    user: Annotated[str, "Email address.", Length(3, 320)]
    role: Role


class PermissionChanges(TypedDict, total=False):
    """The new permissions of a resource."""

    permissions: Annotated[
        list[Permission],
        "All users with access; exactly one owner. Users not listed lose access.",
        Length(1, 1000),
        EXTERNAL_TARGET,
    ]
    public: Annotated[
        Literal["editor", "viewer", "no_access"],
        "Role of all users of the customer. Omit it to leave it unchanged.",
        EXTERNAL_TARGET,
    ]


def parse_public(role: Any) -> Any:
    """Return the role of all users as the API has it: null for no access."""
    return None if role == NO_ACCESS else role


class Sharing(Area):
    """Sharing: who may see or change a report, budget, alert or allocation."""

    @get("/sharing/v1/{resourceType}/{resourceId}", items="permissions")
    async def get_resource_permissions(
        self, *, resourceType: ResourceType, resourceId: ResourceId
    ) -> Annotated[JsonObject, Permissions]:
        """Show who can view or edit a report, budget, alert or allocation, and what access all users of the customer
        have."""
        ...

    @put(
        "/sharing/v1/{resourceType}/{resourceId}",
        confirm=True,
        preview_with=get_resource_permissions,
        canonical_arguments={"public": parse_public},
        cleared_by={"public": NO_ACCESS},
    )
    async def _update(
        self, *, resourceType: ResourceType, resourceId: ResourceId, **permissions: Unpack[PermissionChanges]
    ) -> JsonObject: ...

    @offers(_update)
    async def update_resource_permissions(
        self, *, resourceType: ResourceType, resourceId: ResourceId, **permissions: Unpack[PermissionChanges]
    ) -> Annotated[JsonObject, Permissions]:
        """Set who can view or edit a report, budget, alert or allocation. The list replaces the current one: read
        get_resource_permissions first. This grants or removes access to data: ask the user first."""
        body: dict[str, Any] = dict(permissions)
        if not {"permissions", "public"} <= body.keys():
            # The API replaces the whole object: if a member is missing, it removes what that grants, or refuses the request.
            current = await self.get_resource_permissions(resourceType=resourceType, resourceId=resourceId)
            body = {"permissions": current.get("permissions"), "public": current.get("public"), **body}
        if resourceType == "allocations":
            # For allocations, the API fails if this member is null; "" means no access.
            body["public"] = body["public"] or ""
        return await self._update(resourceType=resourceType, resourceId=resourceId, **body)
