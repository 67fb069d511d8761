"""Roles: sets of permissions for users."""

from typing import Annotated, TypedDict

from ...protocol.json_schema import JsonObject
from ..operation import Area, get


class RoleList(TypedDict, total=False):
    """Roles."""

    roles: Annotated[list[JsonObject], "Each with id, name, type (preset, custom), customer and permissions (ids)."]


class Roles(Area):
    """Roles and permissions: what users may do, preset and custom roles."""

    @get("/iam/v1/roles", items="roles")
    async def list_roles(self) -> Annotated[JsonObject, RoleList]:
        """List the roles that users can have, with their permissions. For the role of each user, use list_users."""
        ...
