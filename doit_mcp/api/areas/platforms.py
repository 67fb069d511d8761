"""Platforms: the clouds that support tickets can be about."""

from typing import Annotated, TypedDict

from ...protocol.json_schema import JsonObject
from ..operation import Area, get


class PlatformList(TypedDict, total=False):
    """Platforms."""

    platforms: Annotated[list[JsonObject], "Each with id and displayName."]


class Platforms(Area):
    """Support platforms: the clouds that a support ticket can be about."""

    @get("/support/v1/metadata/platforms", items="platforms")
    async def list_platforms(self) -> Annotated[JsonObject, PlatformList]:
        """List the platforms for support tickets. Use an id with list_products and create_ticket."""
        ...
