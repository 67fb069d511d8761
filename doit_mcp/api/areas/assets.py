"""Assets: the licenses, subscriptions and cloud accounts that the customer has through DoiT."""

from typing import Annotated, TypedDict, Unpack

from ...protocol.json_schema import JsonObject, Length, Range
from ..common_types import ListPage
from ..errors import ApiError
from ..markers import EXTERNAL_TARGET, IDENTIFIER
from ..operation import Area, get, offers, patch, post
from ..pagination import find_id, search_pages, text_filter
from ..parameters import ConsoleLink, Id, MaxResults, Name, OptionalId, PageToken

PAGE_SIZE = 100
MAX_ROWS = 249

AssetId = Annotated[Id, "Asset id, from list_assets."]


class AssetPage(ListPage, total=False):
    """A page of assets."""

    assets: Annotated[list[JsonObject], "Each with id, name, type, quantity (licenses), createTime and url."]


class AssetDetails(TypedDict, total=False):
    """One asset."""

    id: str
    name: str
    type: str
    quantity: Annotated[int, "Licenses or seats assigned."]
    url: ConsoleLink
    properties: Annotated[
        JsonObject, "customerDomain, customerID, reseller and subscription: plan, seats, renewalSettings, status, SKU."
    ]


class AssetChanges(TypedDict, total=False):
    """Changes to an asset."""

    quantity: Annotated[int, "The new total number of licenses, not the increase.", Range(0)]


class CreatedAsset(TypedDict, total=False):
    """The asset that was created."""

    accountID: str


class Assets(Area):
    """Assets: cloud billing accounts, Google Workspace and Office 365 subscriptions, licenses, seats."""

    @get("/billing/v1/assets", items="assets")
    async def _assets(
        self, *, maxResults: MaxResults = None, pageToken: PageToken = None, filter: str | None = None
    ) -> JsonObject: ...

    @offers(_assets)
    async def list_assets(
        self,
        *,
        maxResults: Annotated[MaxResults, f"Maximum rows. Default: {PAGE_SIZE}.", Range(1, MAX_ROWS)] = None,
        pageToken: PageToken = None,
        filter: Annotated[
            str | None,
            "key:value terms joined by |, e.g. type:g-suite (also office-365, google-cloud, "
            "amazon-web-services, microsoft-azure). The only key is type; repeated, it means OR.",
        ] = None,
        name: Annotated[
            str | None,
            "Only assets whose name contains this text, ignoring case. Reads several pages.",
            Length(1, 300),
            IDENTIFIER,
        ] = None,
    ) -> Annotated[JsonObject, AssetPage]:
        """List the customer's assets, newest first: billing accounts and license subscriptions. With name, a pageToken
        in the result means that older assets were not searched yet."""
        return await search_pages(
            self._assets,
            text_filter("name", name),
            row_count=maxResults or PAGE_SIZE,
            max_page_size=MAX_ROWS,
            token=pageToken,
            filter=filter,
        )

    @get("/billing/v1/assets/{id}")
    async def _asset(self, *, id: Id) -> JsonObject: ...

    @offers(_asset)
    async def get_asset(self, *, id: OptionalId = None, name: Name = None) -> Annotated[JsonObject, AssetDetails]:
        """Show one asset with its subscription: plan, seats, renewal and status. Give its id or its name."""
        return await self._asset(id=id or await find_id(name or "", self._assets, "name"))

    @patch(
        "/billing/v1/assets/{id}",
        open_world=True,
        alias="id_of_asset",
        confirm=True,
        preview_with=get_asset,
        no_undo="A change of the number of licenses is an order, which these tools cannot undo.",
        irreversible=True,
    )
    async def _update(self, *, id: Id, **changes: Unpack[AssetChanges]) -> JsonObject: ...

    @offers(_update)
    async def update_asset(
        self, *, id: AssetId, **changes: Unpack[AssetChanges]
    ) -> Annotated[JsonObject, AssetDetails]:
        """Change the number of licenses of a Google Workspace or Office 365 subscription. This changes the cost: tell
        the user the current and the new number first."""
        # The API might treat a missing number as 0 and remove all licenses.
        if "quantity" not in changes:
            raise ApiError("quantity is required", kind="argument")
        return await self._update(id=id, **changes)

    @post(
        "/billing/v1/createAsset",
        open_world=True,
        confirm=True,
        undone_by="nothing",
        no_undo="A new account cannot be deleted with these tools.",
    )
    async def create_asset(
        self,
        *,
        type: Annotated[str | None, "Default: amazon-web-services.", Length(1, 100)] = None,
        mode: Annotated[str | None, "Default: New.", Length(1, 100)] = None,
        accountName: Annotated[str | None, "Name of the new account.", Length(1, 300), IDENTIFIER] = None,
        rootEmail: Annotated[
            str | None, "Email address of the new account's root user.", Length(3, 320), EXTERNAL_TARGET, IDENTIFIER
        ] = None,
    ) -> Annotated[JsonObject, CreatedAsset]:
        """Create a cloud account for the customer. It costs money and cannot be deleted with these tools: use it only
        on request, after the user approves the name and the root email address."""
        ...
