"""Invoices: amounts, due dates and line items."""

from typing import Annotated, TypedDict

from ...protocol.json_schema import JsonObject
from ..common_types import ListPage
from ..operation import Area, get, offers
from ..pagination import parse_page
from ..parameters import CreatedSinceTime, CreatedUntilTime, Id, MaxResults, PageToken
from ..timestamps import format_date, parse_optional_time
from ..value_kinds import CurrencyCode, Money

FIELDS = (
    "id (invoice number), platform, status (OPEN, PAST DUE, PAID), invoiceDateFormatted, "
    "dueDateFormatted, totalAmount, balanceAmount (unpaid), currency and url"
)


class InvoicePage(ListPage, total=False):
    """A page of invoices."""

    invoices: Annotated[list[JsonObject], f"Each with {FIELDS}."]


class InvoiceDetails(TypedDict, total=False):
    """One invoice."""

    id: Annotated[str, "Invoice number."]
    platform: str
    status: Annotated[str, "OPEN, PAST DUE or PAID."]
    invoiceDateFormatted: Annotated[str, "YYYY-MM-DD"]
    dueDateFormatted: Annotated[str, "YYYY-MM-DD"]
    totalAmount: Annotated[float, Money]
    balanceAmount: Annotated[float, "The unpaid amount.", Money]
    currency: Annotated[str, CurrencyCode]
    url: str
    lineItems: Annotated[list[JsonObject], "Each with description, details, qty, price, currency and type."]


class Invoices(Area):
    """Invoices and payments: amounts, due dates, open and overdue balances, line items."""

    @get("/billing/v1/invoices", items="invoices", default_list=True)
    async def _invoices(
        self,
        *,
        maxResults: MaxResults = None,
        pageToken: PageToken = None,
        filter: str | None = None,
        minCreationTime: int | None = None,
        maxCreationTime: int | None = None,
    ) -> JsonObject: ...

    @offers(_invoices)
    async def list_invoices(
        self,
        *,
        maxResults: MaxResults = None,
        pageToken: PageToken = None,
        filter: Annotated[str | None, "key:value terms joined by |, e.g. status:OPEN."] = None,
        minCreationTime: CreatedSinceTime = None,
        maxCreationTime: CreatedUntilTime = None,
    ) -> Annotated[JsonObject, InvoicePage]:
        """List DoiT invoices, newest first: amount, balance, status and dates. For what was used and why it cost that
        much, use run_query or cost_breakdown; for line items, use get_invoice."""
        response = await self._invoices(
            maxResults=maxResults,
            pageToken=pageToken,
            filter=filter,
            minCreationTime=parse_optional_time(minCreationTime, "minCreationTime"),
            maxCreationTime=parse_optional_time(maxCreationTime, "maxCreationTime"),
        )
        page = parse_page(response, "invoices")
        return {**page.response, "invoices": [with_formatted_dates(row) for row in page.rows]}

    @get(
        "/billing/v1/invoices/{id}",
        narrow_hint="It cannot be narrowed: open its url in the DoiT console.",
        default_list=True,
    )
    async def _invoice(self, *, id: Id) -> JsonObject: ...

    @offers(_invoice)
    async def get_invoice(
        self, *, id: Annotated[Id, "Invoice number, from list_invoices."]
    ) -> Annotated[JsonObject, InvoiceDetails]:
        """Show one invoice with its line items."""
        return with_formatted_dates(await self._invoice(id=id))


def with_formatted_dates(invoice: JsonObject) -> JsonObject:
    """Return an invoice with its two dates also as YYYY-MM-DD (UTC)."""
    return {
        **invoice,
        "invoiceDateFormatted": format_date(invoice.get("invoiceDate")),
        "dueDateFormatted": format_date(invoice.get("dueDate")),
    }
