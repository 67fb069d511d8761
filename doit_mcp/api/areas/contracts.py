"""Contracts: agreements between a partner and its customers."""

from typing import Annotated, Literal, Required, TypedDict, Unpack

from ...protocol.json_schema import JsonObject, Length, PublishedMembers
from ..common_types import AnyMembers
from ..markers import EXTERNAL_TARGET, IDENTIFIER
from ..operation import Area, get, offers, post
from ..parameters import CloudAccountIds, Id, ObjectName, Rfc3339, require_customer_id
from ..permissions import CONTRACTS_EDITOR, CONTRACTS_VIEWER

OptionalCustomerId = Annotated[
    str | None, "Id of the contract's customer. Default: the signed-in one.", Length(1, 500), IDENTIFIER
]
CustomerId = Annotated[Id, "Id of the contract's customer: a direct child of the signed-in one."]
ContractId = Annotated[Id, "Contract id, from list_contracts."]
LineItems = Annotated[list[AnyMembers], Length(maximum=100)]
FIELDS = "id, customerId, type, status (draft, scheduled, active, cancelled, expired, superseded), name, startDate"


class ContractList(TypedDict, total=False):
    """Contracts."""

    contracts: Annotated[
        list[JsonObject], f"Each with {FIELDS}, endDate, renewalPolicy, currentVersionNumber and timeCreated."
    ]
    rowCount: int


class ContractDetails(TypedDict, total=False):
    """One contract."""

    id: str
    customerId: str
    type: str
    status: Annotated[str, "draft, scheduled, active, cancelled, expired or superseded."]
    name: str
    startDate: Annotated[str | None, "RFC 3339."]
    endDate: Annotated[str | None, "RFC 3339; null: none."]
    renewalPolicy: Annotated[str, "auto, manual or fixed."]
    currentVersionNumber: int | None
    timeCreated: Rfc3339
    doitInvoicingEnabled: bool
    versions: Annotated[list[JsonObject], "All versions with their terms, newest last."]


class BillingProfile(TypedDict, total=False):
    """Whom to bill."""

    name: str
    country: str
    state: str
    city: str
    address: str
    zip: str


class BillingRule(TypedDict, total=False):
    """The costs to bill."""

    name: str
    managementAccounts: Annotated[list[str], Length(maximum=1000)]
    filters: Annotated[list[AnyMembers], Length(maximum=100)]
    formula: str


class PriceBook(TypedDict, total=False):
    """Prices for some accounts."""

    name: str
    managementAccounts: Annotated[list[str], Length(maximum=1000)]
    rules: Annotated[list[AnyMembers], Length(maximum=1000)]


class Terms(TypedDict, total=False):
    """The terms of a contract."""

    name: Required[ObjectName]
    startDate: Required[Annotated[str, "RFC 3339.", Length(10, 64)]]
    endDate: Annotated[str, "RFC 3339. Default: none."]
    renewalPolicy: Required[Literal["auto", "manual", "fixed"]]
    doitInvoicingEnabled: Annotated[
        bool,
        "Whether DoiT issues the invoices. Default: true, which needs invoicesEmail, contractUpdatesEmail and "
        "billingProfile in a contract with an end customer.",
    ]
    invoicesEmail: Annotated[str, "Email address for invoices.", Length(3, 320), EXTERNAL_TARGET, IDENTIFIER]
    contractUpdatesEmail: Annotated[
        str, "Email address for contract updates.", Length(3, 320), EXTERNAL_TARGET, IDENTIFIER
    ]
    billingProfile: Annotated[JsonObject, "Who is billed.", PublishedMembers(BillingProfile)]
    managementAccounts: CloudAccountIds
    billingRules: Annotated[
        list[Annotated[JsonObject, PublishedMembers(BillingRule)]], "How costs are billed.", Length(maximum=100)
    ]
    priceBooks: Annotated[
        list[Annotated[JsonObject, PublishedMembers(PriceBook)]],
        "Prices that replace list prices.",
        Length(maximum=100),
    ]
    customLineItems: Annotated[LineItems, "Charges besides those of the rules."]


class NewTerms(Terms, total=False):
    """The terms of a contract to create."""

    templateId: Annotated[
        str,
        "From list_contract_templates: copies its billingRules, priceBooks and customLineItems, which must be omitted.",
        Length(1, 500),
        IDENTIFIER,
    ]


class ContractVersion(TypedDict, total=False):
    """A created version of a contract."""

    contractId: str
    version: int
    status: str
    message: str
    timestamp: Rfc3339


class Cancellation(TypedDict, total=False):
    """The reason for a cancellation."""

    reason: Annotated[str, "The reason; stored with the contract.", Length(maximum=2000)]


class ContractStatus(TypedDict, total=False):
    """The status of a contract."""

    contractId: str
    status: Annotated[str, "active, scheduled (starts later) or cancelled."]


class Contracts(Area):
    """Contracts of partners (resellers) with the customers below them: terms, price books, start, renewal."""

    @get("/customers/{customerID}/contracts", items="contracts", permission=CONTRACTS_VIEWER)
    async def _contracts(self, *, customerID: Id) -> list[JsonObject]: ...

    @offers(_contracts)
    async def list_contracts(
        self, *, customerID: OptionalCustomerId = None
    ) -> Annotated[list[JsonObject], ContractList]:
        """List a customer's contracts with a partner: status, dates and renewal. For their terms, use get_contract; for
        cloud commitments, use list_commitments."""
        return await self._contracts(customerID=require_customer_id("customerID", customerID, self.sender.tenant))

    @get("/customers/{customerID}/contracts/{contractID}", permission=CONTRACTS_VIEWER)
    async def _contract(self, *, customerID: Id, contractID: ContractId) -> JsonObject: ...

    @offers(_contract)
    async def get_contract(
        self, *, contractID: ContractId, customerID: OptionalCustomerId = None
    ) -> Annotated[JsonObject, ContractDetails]:
        """Show one contract with all its versions: billing rules, price books and line items."""
        return await self._contract(
            customerID=require_customer_id("customerID", customerID, self.sender.tenant), contractID=contractID
        )

    @post(
        "/customers/{customerID}/contracts",
        destructive=False,
        permission=CONTRACTS_EDITOR,
        confirm=True,
        preview_with=None,
        verify_with=get_contract,
        no_undo="A contract cannot be deleted. cancel_contract ends it.",
    )
    async def create_contract(
        self, *, customerID: CustomerId, **terms: Unpack[NewTerms]
    ) -> Annotated[JsonObject, ContractVersion]:
        """Draft a contract for a customer of the signed-in partner. It takes effect with activate_contract. Use it only
        on request, after the user approves the terms."""
        ...

    @post(
        "/customers/{customerID}/contracts/{contractID}",
        open_world=True,
        destructive=True,
        permission=CONTRACTS_EDITOR,
        confirm=True,
        preview_with=get_contract,
        replaces=True,
        after_restoring="The undo call adds another version of the contract with the former terms: versions are never removed.",
        defaults={"doitInvoicingEnabled": True},
    )
    async def update_contract(
        self, *, customerID: CustomerId, contractID: ContractId, **terms: Unpack[Terms]
    ) -> Annotated[JsonObject, ContractVersion]:
        """Create a new version of a contract that replaces the last one. Give all terms, including unchanged ones: read
        get_contract first, and show the user what changes."""
        ...

    @post(
        "/customers/{customerID}/contracts/{contractID}/activate",
        open_world=True,
        destructive=True,
        permission=CONTRACTS_EDITOR,
        confirm=True,
        preview_with=get_contract,
        no_undo="An active contract does not become a draft again. cancel_contract ends it.",
        sets_status=True,
    )
    async def activate_contract(
        self, *, customerID: CustomerId, contractID: ContractId
    ) -> Annotated[JsonObject, ContractStatus]:
        """Activate a draft contract, now or at its start date. The customer is billed by it. Use it only on request,
        after showing the terms. Refused while another contract of the same type is active."""
        ...

    @post(
        "/customers/{customerID}/contracts/{contractID}/cancel",
        open_world=True,
        destructive=True,
        permission=CONTRACTS_EDITOR,
        confirm=True,
        preview_with=get_contract,
        irreversible=True,
        no_undo="A canceled contract cannot be activated again. create_contract drafts another one.",
        sets_status=True,
    )
    async def cancel_contract(
        self, *, customerID: CustomerId, contractID: ContractId, **cancellation: Unpack[Cancellation]
    ) -> Annotated[JsonObject, ContractStatus]:
        """Cancel a contract. This cannot be undone: confirm the customer and the contract with the user first."""
        ...
