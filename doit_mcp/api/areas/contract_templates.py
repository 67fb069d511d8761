"""Contract templates: terms that contracts start from."""

from typing import Annotated, Required, TypedDict, Unpack

from ...protocol.json_schema import JsonObject, Length
from ..common_types import AnyMembers
from ..markers import IDENTIFIER
from ..operation import Area, delete, get, post, put
from ..parameters import CloudAccountIds, Id, ObjectName, Rfc3339
from ..permissions import CONTRACT_TEMPLATES_ADMIN

TemplateId = Annotated[Id, "Template id, from list_contract_templates."]
Timestamp = Annotated[str, "RFC 3339.", Length(10, 64)]
Filters = Annotated[list[AnyMembers], Length(maximum=100)]
FilterFormula = Annotated[str, "How to combine the filters: A AND B."]


class TemplateList(TypedDict, total=False):
    """Contract templates."""

    templates: Annotated[
        list[JsonObject],
        "Each with templateId, name, platform, status (active, archived), structure, eligibleFrom, eligibleTo, "
        "billingRules, priceBooks, customLineItems, createdAt, updatedAt and archivedAt.",
    ]
    rowCount: int


class TemplateDetails(TypedDict, total=False):
    """One template."""

    templateId: str
    name: str
    platform: str
    status: Annotated[str, "active or archived."]
    structure: Annotated[str, "The preset it started from; blank: none."]
    eligibleFrom: Rfc3339
    eligibleTo: Rfc3339
    billingRules: list[JsonObject]
    priceBooks: list[JsonObject]
    customLineItems: list[JsonObject]


class BillingRule(TypedDict, total=False):
    """The costs to bill."""

    name: str
    managementAccounts: CloudAccountIds
    filters: Filters
    formula: FilterFormula


class PriceRule(TypedDict, total=False):
    """The price of costs that match the filters."""

    name: str
    percentageChange: Annotated[float, "-5 is 5 % off. Give either this or unitPrice."]
    unitPrice: float
    filters: Filters
    formula: FilterFormula
    cloud: str
    lineItemDescription: str
    applyInLine: bool
    includeCredits: bool
    applyAWSEligibleDiscount: bool


class PriceBook(TypedDict, total=False):
    """Prices for some accounts."""

    name: str
    managementAccounts: CloudAccountIds
    rules: Annotated[list[PriceRule], Length(maximum=100)]


class Template(TypedDict, total=False):
    """The terms of a template."""

    name: Required[ObjectName]
    platform: Required[Annotated[str, "The cloud, e.g. amazon-web-services.", Length(1)]]
    structure: Annotated[str, "The preset to start from. Default: blank."]
    eligibleFrom: Required[Annotated[Timestamp, "Usable from this time, RFC 3339."]]
    eligibleTo: Annotated[Timestamp, "Usable until this time."]
    billingRules: Annotated[list[BillingRule], Length(maximum=100)]
    priceBooks: Annotated[list[PriceBook], Length(maximum=100)]
    customLineItems: Annotated[list[AnyMembers], "Charges besides those of the rules.", Length(maximum=100)]


class Assignees(TypedDict):
    """The customers to make contracts for."""

    customerIds: Annotated[
        list[str],
        "Customers one tier below the partner. A customer that has a contract gets another draft.",
        Length(1, 250),
        IDENTIFIER,
    ]


class AssignedContracts(TypedDict, total=False):
    """The new drafts."""

    count: int
    createdContracts: Annotated[list[JsonObject], "Each with customerId and contractId."]


def refuse_archived(arguments: JsonObject, current: JsonObject) -> str:
    """Return why an archived template cannot be used; "" for others."""
    return (
        "The contract template is archived, so it cannot be changed or used."
        if current.get("status") == "archived"
        else ""
    )


class ContractTemplates(Area):
    """Contract templates of partners (resellers): billing rules and price books that contracts start from."""

    @get("/billing/v1/contract-templates", items="templates", permission=CONTRACT_TEMPLATES_ADMIN)
    async def list_contract_templates(self) -> Annotated[list[JsonObject], TemplateList]:
        """List the partner's contract templates with their terms. For contracts, use list_contracts."""
        ...

    @post(
        "/billing/v1/contract-templates",
        permission=CONTRACT_TEMPLATES_ADMIN,
        confirm=True,
        verify_with="get_contract_template",
        no_undo="A template cannot be deleted. archive_contract_template archives it.",
        open_world=False,
    )
    async def create_contract_template(self, **template: Unpack[Template]) -> Annotated[JsonObject, TemplateDetails]:
        """Create a contract template. Use it only on request, after the user approves the terms."""
        ...

    @get("/billing/v1/contract-templates/{templateID}", permission=CONTRACT_TEMPLATES_ADMIN)
    async def get_contract_template(self, *, templateID: TemplateId) -> Annotated[JsonObject, TemplateDetails]:
        """Show one contract template: billing rules, price books, line items and when it can be used."""
        ...

    @put(
        "/billing/v1/contract-templates/{templateID}",
        permission=CONTRACT_TEMPLATES_ADMIN,
        confirm=True,
        preview_with=get_contract_template,
        refusal=refuse_archived,
        replaces=True,
        defaults={"structure": "blank"},
        open_world=False,
    )
    async def update_contract_template(
        self, *, templateID: TemplateId, **template: Unpack[Template]
    ) -> Annotated[JsonObject, TemplateDetails]:
        """Replace the terms of a contract template; omitted terms are removed: read get_contract_template first.
        Existing contracts stay unchanged."""
        ...

    @delete(
        "/billing/v1/contract-templates/{templateID}",
        permission=CONTRACT_TEMPLATES_ADMIN,
        confirm=True,
        preview_with=get_contract_template,
        refusal=refuse_archived,
        irreversible=True,
        no_undo="An archived template cannot be used again. create_contract_template creates an equal one.",
        sets_status=True,
        open_world=False,
    )
    async def archive_contract_template(self, *, templateID: TemplateId) -> Annotated[JsonObject, TemplateDetails]:
        """Archive a contract template, so that no new contract can use it. Existing contracts stay unchanged. Confirm
        its name with the user first."""
        ...

    @post(
        "/billing/v1/contract-templates/{templateID}/actions/assign",
        permission=CONTRACT_TEMPLATES_ADMIN,
        destructive=False,
        confirm=True,
        preview_with=get_contract_template,
        refusal=refuse_archived,
        undone_by="nothing",
        no_undo="Draft contracts cannot be deleted. cancel_contract ends one.",
        open_world=False,
    )
    async def assign_contract_template(
        self, *, templateID: TemplateId, **assignees: Unpack[Assignees]
    ) -> Annotated[JsonObject, AssignedContracts]:
        """Apply a contract template to customers: creates a draft contract for each. Nothing is billed until a draft is
        completed and activated (update_contract, activate_contract). Confirm the customers with the user first."""
        ...
