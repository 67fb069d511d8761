"""Invoices."""

from typing import Annotated, TypedDict

from ...protocol.json_schema import JsonObject
from ..common_types import Page
from ..operation import Area, get, offers
from ..pagination import page_of
from ..parameters import Id, MaxResults, PageToken, SinceCreated, UntilCreated
from ..timestamps import day

FIELDS = (
    "id (invoice number), platform, status (OPEN, PAST DUE, PAID), invoiceDateFormatted, dueDateFormatted, "
    "totalAmount, balanceAmount (still to be paid), currency and url"
)


class InvoicePage(Page, total=False):
    """A page of invoices."""

    invoices: Annotated[list[JsonObject], f"Each with {FIELDS}."]


class InvoiceDetails(TypedDict, total=False):
    """One invoice."""

    id: Annotated[str, "Invoice number."]
    platform: str
    status: Annotated[str, "OPEN, PAST DUE or PAID."]
    invoiceDateFormatted: Annotated[str, "YYYY-MM-DD"]
    dueDateFormatted: Annotated[str, "YYYY-MM-DD"]
    totalAmount: float
    balanceAmount: Annotated[float, "Still to be paid."]
    currency: str
    url: str
    lineItems: Annotated[list[JsonObject], "Each with description, details, qty, price, currency and type."]


class Invoices(Area):
    """Invoices and payments: amounts, due dates, open and overdue balances, line items."""

    @get("/billing/v1/invoices", items="invoices")
    async def _invoices(
        self,
        *,
        maxResults: MaxResults = None,
        pageToken: PageToken = None,
        filter: str | None = None,
        minCreationTime: SinceCreated = None,
        maxCreationTime: UntilCreated = None,
    ) -> JsonObject: ...

    @offers(_invoices)
    async def list_invoices(
        self,
        *,
        maxResults: MaxResults = None,
        pageToken: PageToken = None,
        filter: Annotated[str | None, "key:[value], joined by |."] = None,
        minCreationTime: SinceCreated = None,
        maxCreationTime: UntilCreated = None,
    ) -> Annotated[JsonObject, InvoicePage]:
        """List DoiT's invoices, the newest first: amount, balance, status, dates. For what was used and why it cost
        that much use run_query or cost_breakdown; for the line items use get_invoice."""
        answer = await self._invoices(
            maxResults=maxResults,
            pageToken=pageToken,
            filter=filter,
            minCreationTime=minCreationTime,
            maxCreationTime=maxCreationTime,
        )
        page = page_of(answer, "invoices")
        return {**page.whole, "invoices": [dated(row) for row in page.rows]}

    @get("/billing/v1/invoices/{id}", narrow="It cannot be split: open its url in the DoiT console.")
    async def _invoice(self, *, id: Id) -> JsonObject: ...

    @offers(_invoice)
    async def get_invoice(
        self, *, id: Annotated[Id, "Invoice number, as list_invoices shows it."]
    ) -> Annotated[JsonObject, InvoiceDetails]:
        """Show one invoice with its line items."""
        return dated(await self._invoice(id=id))


def dated(invoice: JsonObject) -> JsonObject:
    """An invoice with its two dates also as YYYY-MM-DD (UTC)."""
    return {
        **invoice,
        "invoiceDateFormatted": day(invoice.get("invoiceDate")),
        "dueDateFormatted": day(invoice.get("dueDate")),
    }
