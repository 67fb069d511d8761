"""Roles: sets of permissions for users."""

from typing import Annotated, Literal, Required, TypedDict, Unpack

from ...protocol.json_schema import JsonObject, Length
from ..facts import Dependents, refused_while
from ..markers import EXTERNAL_TARGET, IDENTIFIER
from ..operation import Area, delete, get, patch, post
from ..parameters import Id, Purpose
from ..permissions import USERS_MANAGER
from ..refusals import refuse_preset
from .users import Users

MAX_PERMISSIONS = 1_000
RoleId = Annotated[Id, "Role id, from list_roles."]
RoleName = Annotated[str, "Its name, different from those of all other roles.", Length(1, 300), IDENTIFIER]
PermissionIds = Annotated[
    list[str],
    "Permission ids, as the roles of list_roles have them. They are not the names that validate_user shows.",
    Length(maximum=MAX_PERMISSIONS),
    EXTERNAL_TARGET,
]


ROLE_USERS = (Dependents("user with it", Users.list_users, "roleId"),)


class RoleList(TypedDict, total=False):
    """Roles."""

    roles: Annotated[
        list[JsonObject],
        "Each with id, name, type (preset, custom), description, customer, permissions (ids) and childTenantEligible.",
    ]


class Role(TypedDict, total=False):
    """One role."""

    id: str
    name: str
    type: Annotated[Literal["preset", "custom"], "Only custom roles can be changed."]
    description: str
    customer: Annotated[str, "The customer of a custom role."]
    permissions: Annotated[list[str], "Ids."]
    childTenantEligible: Annotated[bool, "Users can have it for the customers below theirs."]


class NewRole(TypedDict, total=False):
    """A role to create."""

    name: Required[RoleName]
    description: Purpose
    permissions: PermissionIds


class RoleChanges(TypedDict, total=False):
    """Changes to a role."""

    name: RoleName
    description: Purpose
    permissions: Annotated[PermissionIds, "All of its permission ids: replaces the current ones; [] removes all."]


class Roles(Area):
    """Roles and permissions: what users may do, preset and custom roles."""

    @get("/iam/v1/roles", items="roles", permission=None)
    async def list_roles(self) -> Annotated[JsonObject, RoleList]:
        """List the roles that users can have, with their permissions. For the role of each user, use list_users."""
        ...

    @get("/iam/v1/roles/{id}", permission=None)
    async def get_role(self, *, id: RoleId) -> Annotated[JsonObject, Role]:
        """Show one role and its permissions."""
        ...

    @post(
        "/iam/v1/roles",
        needs_idempotency_key=True,
        permission=USERS_MANAGER,
        confirm=True,
        verify_with=get_role,
        unique_in=list_roles,
    )
    async def create_role(self, **role: Unpack[NewRole]) -> Annotated[JsonObject, Role]:
        """Create a custom role from permissions. Copy the ids from roles in list_roles. Use update_user to give it to a
        user. Ask the user first."""
        ...

    @patch(
        "/iam/v1/roles/{id}",
        permission=USERS_MANAGER,
        confirm=True,
        refusal=refuse_preset,
        unique_in=list_roles,
        preview_with=get_role,
        dependents=ROLE_USERS,
    )
    async def update_role(self, *, id: RoleId, **changes: Unpack[RoleChanges]) -> Annotated[JsonObject, Role]:
        """Change a custom role; omitted fields stay unchanged, and permissions replaces the whole list. Every user with
        the role gains or loses these permissions: ask the user first. Preset roles cannot be changed."""
        ...

    @delete(
        "/iam/v1/roles/{id}",
        permission=USERS_MANAGER,
        confirm=True,
        refusal=refuse_preset,
        preview_with=get_role,
        restore_with=create_role,
        dependents=refused_while(ROLE_USERS),
        open_world=False,
    )
    async def delete_role(self, *, id: RoleId) -> None:
        """Delete a custom role. Refused while users or groups have it: give them another role with update_user first.
        Confirm its name with the user."""
        ...
