"""Billing Transfer: AWS accounts of end customers, their resellers and distributors."""

from typing import Annotated, Required, TypedDict, Unpack

from ...protocol.json_schema import JsonObject, Length
from ..common_types import ListPage
from ..markers import IDENTIFIER
from ..operation import Area, get, post
from ..parameters import DryRun, MaxResults, PageToken
from ..permissions import BILLING_TRANSFER_ADMIN

PMA = "program management account"

DpmaId = Annotated[str, f"Id of the distributor's {PMA}.", Length(1, 500), IDENTIFIER]
ResellerAccount = Annotated[str, f"AWS account of the reseller's {PMA}, 12 digits.", Length(1, 100), IDENTIFIER]
CustomerId = Annotated[str, "Id of a DoiT customer.", Length(1, 500)]
IncludeRevoked = Annotated[bool | None, "Include revoked mappings."]


class AccountPage(ListPage, total=False):
    """A page of a distributor's program management accounts."""

    items: Annotated[
        list[JsonObject],
        "Each with dpmaId, accountId, iamStatus, handshakeStatus (counts by state) and tenants: customerId, "
        "displayName, resellerPmaAccountId, handshakeState, status.",
    ]


class AccountStates(TypedDict, total=False):
    """The setup of a distributor's program management accounts."""

    items: Annotated[
        list[JsonObject], "Each with dpmaId, accountId, iamStatus and iamDiff: missing or extra permissions."
    ]


class EndCustomers(TypedDict, total=False):
    """End customers of a reseller."""

    items: Annotated[
        list[JsonObject],
        "Each with ecAccountId, ecCustomerId, status, handshakeState, billSourceType, curBasePath, effectiveTime.",
    ]


class ResellerAccounts(TypedDict, total=False):
    """The reseller's program management accounts."""

    items: Annotated[
        list[JsonObject], "Each with resellerPmaAccountId, dpmaId, handshakeId, handshakeState, status, effectiveTime."
    ]


class ResellerTenants(TypedDict, total=False):
    """The reseller's program management accounts with their end customers."""

    items: Annotated[
        list[JsonObject],
        "Each with resellerPmaAccountId, dpmaId, handshakeState, status, handshakeStatus and tenants: ecAccountId, "
        "ecCustomerId, status, handshakeState, curBasePath.",
    ]


class Handshakes(TypedDict, total=False):
    """The result of each item."""

    dpmaId: str
    results: Annotated[
        list[JsonObject],
        "Each with resellerCustomerId, resellerPmaAccountId, error, and status: handshake_issued, no_op, mapped, "
        "remapped, failed.",
    ]
    summary: Annotated[JsonObject, "Number of items by status."]


class Mappings(TypedDict, total=False):
    """The result of each item."""

    dpmaId: str
    resellerPmaAccountId: str
    results: Annotated[
        list[JsonObject], "Each with ecAccountId, ecCustomerId and status: mapped, already_mapped, remapped."
    ]
    invalidItems: Annotated[
        list[JsonObject], "Each with index, code and reason. If there are any, nothing was changed."
    ]


class NewHandshake(TypedDict):
    """A reseller to map."""

    resellerCustomerId: CustomerId
    resellerPmaAccountId: ResellerAccount


class NewHandshakes(TypedDict, total=False):
    """Resellers to map to a distributor."""

    dpmaId: Required[DpmaId]
    sendHandshakes: Annotated[bool, "true sends an AWS handshake to every reseller without one. Default: only map."]
    items: Required[Annotated[list[NewHandshake], "Each resellerPmaAccountId only once.", Length(1, 100)]]


class NewMapping(TypedDict, total=False):
    """An end customer to map."""

    ecAccountId: Required[Annotated[str, "AWS account of the end customer, 12 digits.", Length(1, 100)]]
    ecCustomerId: Required[CustomerId]
    curBasePath: Annotated[str, "Export location of its cost and usage reports.", Length(maximum=2000)]


class NewMappings(TypedDict, total=False):
    """End customers to map to a reseller's account."""

    dpmaId: Required[DpmaId]
    resellerPmaAccountId: Required[ResellerAccount]
    items: Required[Annotated[list[NewMapping], "Each ecAccountId and ecCustomerId only once.", Length(1, 100)]]


class BillingTransfer(Area):
    """AWS billing transfer for partners: distributors, resellers, end customers, handshakes, account mappings."""

    @get(
        "/billingtransfer/v1/programmanagementaccounts",
        items="items",
        alias="list_billing_transfer_program_management_accounts",
        permission=None,
    )
    async def list_billing_transfer_accounts(
        self, *, maxResults: MaxResults = None, pageToken: PageToken = None
    ) -> Annotated[JsonObject, AccountPage]:
        """List a distributor's program management accounts with the resellers mapped to each and the state of their
        handshakes. For distributors only."""
        ...

    @get(
        "/billingtransfer/v1/programmanagementaccounts/status",
        items="items",
        alias="get_billing_transfer_program_management_accounts_status",
        permission=None,
    )
    async def get_billing_transfer_account_status(self) -> Annotated[JsonObject, AccountStates]:
        """Show whether the IAM role of each of a distributor's program management accounts is set up correctly. For
        distributors only."""
        ...

    @post(
        "/billingtransfer/v1/resellerhandshakes",
        permission=None,
        needs_idempotency_key=True,
        open_world=True,
        destructive=True,
        confirm=True,
        preview_with=None,
        undone_by="nothing",
        no_undo="Handshakes that were sent cannot be recalled with these tools.",
    )
    async def create_billing_transfer_handshakes(
        self,
        *,
        dryRun: DryRun = None,
        **batch: Unpack[NewHandshakes],
    ) -> Annotated[JsonObject, Handshakes]:
        """Map resellers to a distributor for AWS billing transfer and optionally send them AWS handshakes. Items can
        fail individually: check results. A malformed item rejects all of them. Try it with dryRun first. For
        distributors only."""
        ...

    @post(
        "/billingtransfer/v1/end-customer-mappings",
        permission=None,
        destructive=True,
        confirm=True,
        preview_with=None,
        undone_by="nothing",
        no_undo="No tool deletes a mapping. Another call of this tool maps the accounts again.",
        open_world=False,
    )
    async def create_billing_transfer_mappings(self, **batch: Unpack[NewMappings]) -> Annotated[JsonObject, Mappings]:
        """Map AWS accounts of end customers to DoiT customers, under a reseller's account. Mapped accounts can be
        mapped again. For resellers only."""
        ...

    @get("/billingtransfer/v1/end-customers", items="items", permission=BILLING_TRANSFER_ADMIN)
    async def list_billing_transfer_end_customers(
        self,
        *,
        dpmaId: DpmaId,
        resellerPmaAccountId: ResellerAccount,
        includeRevoked: IncludeRevoked = None,
    ) -> Annotated[JsonObject, EndCustomers]:
        """List the end customers of a reseller's account and the state of each transfer. For this reseller and its
        distributor."""
        ...

    @get(
        "/billingtransfer/v1/resellers/{resellerPmaAccountId}/end-customers",
        items="items",
        alias="list_billing_transfer_end_customers_by_reseller",
        permission=BILLING_TRANSFER_ADMIN,
    )
    async def list_reseller_end_customers(
        self, *, resellerPmaAccountId: ResellerAccount, includeRevoked: IncludeRevoked = None
    ) -> Annotated[JsonObject, EndCustomers]:
        """List the end customers of a reseller's account without the distributor's id (dpmaId). Otherwise the same as
        list_billing_transfer_end_customers."""
        ...

    @get("/billingtransfer/v1/reseller-accounts", items="items", permission=BILLING_TRANSFER_ADMIN)
    async def list_billing_transfer_reseller_accounts(self) -> Annotated[JsonObject, ResellerAccounts]:
        """List the reseller's own program management accounts with handshake and status. For resellers only."""
        ...

    @get(
        "/billingtransfer/v1/reseller-accounts/end-customers",
        items="items",
        alias="list_billing_transfer_reseller_accounts_with_tenants",
        permission=BILLING_TRANSFER_ADMIN,
    )
    async def list_billing_transfer_reseller_tenants(
        self, *, includeRevoked: IncludeRevoked = None
    ) -> Annotated[JsonObject, ResellerTenants]:
        """List the reseller's own program management accounts with their end customers. For resellers only."""
        ...
