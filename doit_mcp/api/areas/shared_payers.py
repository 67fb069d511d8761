"""Shared payers: AWS accounts under a payer that a partner (reseller) shares between its customers."""

from typing import Annotated, TypedDict

from ...protocol.json_schema import JsonObject, Length
from ..markers import IDENTIFIER, FormerName
from ..operation import Area, get, offers, patch
from ..parameters import Id, require_customer_id
from ..permissions import SHARED_PAYERS_ADMIN

Partner = Annotated[
    str | None, "Customer id of the partner. Default: the signed-in customer.", Length(1, 500), IDENTIFIER
]


class SharedPayerList(TypedDict, total=False):
    """Shared payers."""

    items: Annotated[
        list[JsonObject],
        "Each with payerId, payerName, linkedAccounts, mappedAssets, totalAssets and completed (all are mapped).",
    ]


class ManagementAccountList(TypedDict, total=False):
    """Onboarded shared payers."""

    items: Annotated[list[JsonObject], "Each with payerId and payerName."]


class MappingList(TypedDict, total=False):
    """Accounts and their customers."""

    items: Annotated[
        list[JsonObject],
        "Each with assetId, accountId, accountName, payerId, payerName, customerId and customerName (the partner "
        "itself until the account is reassigned).",
    ]


class Reassignment(TypedDict):
    """The new customer of an account."""

    customerId: Id


class Reassigned(TypedDict, total=False):
    """The account and its customer."""

    assetId: str
    customerId: str


class SharedPayers(Area):
    """Shared payers of partners (resellers): AWS payer accounts whose linked accounts belong to several customers."""

    @get(
        "/customers/v1/customers/{customerId}/shared-payer-accounts/payers",
        items="items",
        permission=SHARED_PAYERS_ADMIN,
    )
    async def _payers(self, *, customerId: Id) -> JsonObject: ...

    @offers(_payers)
    async def list_shared_payers(self, *, customerId: Partner = None) -> Annotated[JsonObject, SharedPayerList]:
        """List a partner's shared payer accounts, and how many of their linked accounts are mapped to customers."""
        return await self._payers(customerId=self._read_partner(customerId))

    @get(
        "/customers/v1/customers/{customerId}/shared-payer-accounts/management-accounts",
        items="items",
        permission=SHARED_PAYERS_ADMIN,
    )
    async def _management_accounts(self, *, customerId: Id) -> JsonObject: ...

    @offers(_management_accounts)
    async def list_shared_payer_management_accounts(
        self, *, customerId: Partner = None
    ) -> Annotated[JsonObject, ManagementAccountList]:
        """List the ids and names of a partner's onboarded shared payers. For their progress, use list_shared_payers."""
        return await self._management_accounts(customerId=self._read_partner(customerId))

    @get("/customers/v1/customers/{customerId}/shared-payer-accounts", items="items", permission=SHARED_PAYERS_ADMIN)
    async def _mappings(self, *, customerId: Id, managementAccount: str | None = None) -> JsonObject: ...

    @offers(_mappings)
    async def list_shared_payer_account_mappings(
        self,
        *,
        customerId: Partner = None,
        managementAccount: Annotated[
            str | None, "Only accounts under this payer: a payerId.", Length(1, 500), IDENTIFIER
        ] = None,
    ) -> Annotated[JsonObject, MappingList]:
        """List the AWS accounts under a partner's shared payers, and which customer each belongs to."""
        return await self._mappings(customerId=self._read_partner(customerId), managementAccount=managementAccount)

    @patch(
        "/customers/v1/customers/{customerId}/shared-payer-accounts/{assetId}",
        permission=SHARED_PAYERS_ADMIN,
        body_argument="target",
        confirm=True,
        preview_with=list_shared_payer_account_mappings,
        preview_arguments={"partnerId": "customerId"},
        open_world=False,
    )
    async def _reassign(self, *, customerId: Id, assetId: Id, target: Reassignment) -> JsonObject: ...

    @offers(_reassign)
    async def reassign_shared_payer_account(
        self,
        *,
        assetId: Annotated[Id, "The account's assetId, from list_shared_payer_account_mappings."],
        toCustomerId: Annotated[
            Id,
            "Customer to assign it to: one of the partner's customers, or the partner itself to take it back.",
            FormerName("customerId"),
        ],
        partnerId: Partner = None,
    ) -> Annotated[JsonObject, Reassigned]:
        """Assign an AWS account under a shared payer to one of the partner's customers. Its costs move there: name the
        account and the customer to the user first."""
        partner = self._read_partner(partnerId)
        return await self._reassign(customerId=partner, assetId=assetId, target={"customerId": toCustomerId})

    def _read_partner(self, customer: str | None) -> str:
        """Return the id of the customer with the payers. Raises ApiError ("argument") if it is unknown."""
        return require_customer_id("customerId", customer, self.sender.tenant)
