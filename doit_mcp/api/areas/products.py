"""Products: the services of a platform that support tickets can be about."""

from typing import Annotated, TypedDict

from ...protocol.json_schema import JsonObject, Length
from ..operation import Area, get


class ProductList(TypedDict, total=False):
    """Products."""

    products: Annotated[list[JsonObject], "Each with id, displayName and platform."]


class Products(Area):
    """Support products: the services of a cloud that a support ticket can be about."""

    @get("/support/v1/metadata/products", items="products", narrow_hint="Name a platform.")
    async def list_products(
        self,
        *,
        platform: Annotated[
            str | None, "Only products of this platform: an id from list_platforms.", Length(1, 100)
        ] = None,
    ) -> Annotated[JsonObject, ProductList]:
        """List the products for support tickets, for create_ticket."""
        ...
