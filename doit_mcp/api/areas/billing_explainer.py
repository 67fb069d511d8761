"""Billing Explainer: how an AWS bill becomes a DoiT invoice."""

from typing import Annotated, TypedDict

from ...protocol.json_schema import JsonObject, Pattern
from ..markers import IDENTIFIER
from ..operation import Area, get
from ..parameters import Rfc3339

SUMMARY = (
    "summary: aws, doit and awsWithoutDoit, each with serviceCharges, discounts, tax, supportCharges, "
    "credits, savings, otherCharges, refunds and total; service and account: differences between doit and "
    "aws. Amounts are decimal strings"
)
NARROW_HINT = "It cannot be narrowed: open the invoice in the DoiT console."


class PayerExplainer(TypedDict, total=False):
    """The cost of each payer account in a month, explained."""

    customerId: str
    invoiceMonth: str
    updateTime: Rfc3339
    payers: Annotated[JsonObject, f"By payer account, with payerId, friendlyName and {SUMMARY}."]
    doitCredits: JsonObject
    invoiceAdjustments: JsonObject


class InvoiceExplainer(TypedDict, total=False):
    """An invoice, explained."""

    customerId: str
    billingProfileId: str
    invoiceNumber: str
    invoiceMonth: str
    summary: Annotated[JsonObject, "aws, doit and awsWithoutDoit, each with charges, discounts, credits and total."]
    service: Annotated[JsonObject, "Differences between doit and aws, by service."]
    account: Annotated[JsonObject, "Differences between doit and aws, by account."]


class BillingExplainer(Area):
    """Billing explainer: why an AWS invoice differs from the AWS bill, discounts, credits, savings with DoiT."""

    @get("/billing/v1/billing-explainers/{invoiceMonth}", narrow_hint=NARROW_HINT)
    async def get_billing_explainer_per_payer(
        self, *, invoiceMonth: Annotated[str, "Month, e.g. 2026-10.", Pattern(r"^\d{4}-(0[1-9]|1[0-2])$")]
    ) -> Annotated[JsonObject, PayerExplainer]:
        """Explain a month's AWS cost of each payer account: the AWS bill, the DoiT bill, and what AWS would have
        charged without DoiT. For one invoice, use get_entity_invoice_explainer."""
        ...

    @get("/billing/v1/billing-profiles/{billingProfileId}/billing-explainers/{invoiceNumber}", narrow_hint=NARROW_HINT)
    async def get_entity_invoice_explainer(
        self,
        *,
        billingProfileId: Annotated[
            str, "As shown on the invoice, e.g. CUST-12345.", Pattern(r"^[A-Za-z0-9_-]{1,128}$"), IDENTIFIER
        ],
        invoiceNumber: Annotated[
            str, "From list_invoices, e.g. IN244004936.", Pattern(r"^[A-Za-z0-9_-]{1,64}$"), IDENTIFIER
        ],
    ) -> Annotated[JsonObject, InvoiceExplainer]:
        """Explain one AWS invoice of a billing profile: the AWS bill, the DoiT bill, and what AWS would have charged
        without DoiT."""
        ...
