"""Invoices: /billing/v1/invoices. Errors of this area are problem details."""

from __future__ import annotations

from math import fsum

from aiohttp import web

from .. import listing
from ..costs.calendar_days import milliseconds_of
from ..costs.invoices import Invoice, InvoiceLine, make_invoices
from ..costs.money import to_payable_amount
from ..requested_events import requested_invoices
from ..responses import JsonObject, json_response
from ..routes import Route
from ..seeds import analytics_core
from ..seeds.customer_account import invoice_number
from ..tenants import ApiRequest, Tenant, get_existing

LINE_ITEMS = "lineItems"


async def list_invoices(request: ApiRequest) -> web.Response:
    """GET /billing/v1/invoices, latest first."""
    criteria = listing.parse_filter(request.query.get("filter", ""), ("id", "platform", "status", "currency"))
    invoices = sorted(_current_invoices(request).values(), key=lambda item: (-item["invoiceDate"], item["platform"]))
    invoices = listing.filter_by_creation(request.query, invoices, "invoiceDate")
    invoices = listing.filter_rows(invoices, criteria, lambda item, key: str(item[key]))
    rows = [{name: value for name, value in item.items() if name != LINE_ITEMS} for item in invoices]
    page = request.paginate(rows)
    return json_response(request.list_body("invoices", page))


async def get_invoice(request: ApiRequest) -> web.Response:
    """GET /billing/v1/invoices/{id}."""
    return json_response(get_existing(_current_invoices(request), request.path_parameter("id"), "invoice"))


def _current_invoices(request: ApiRequest) -> dict[str, JsonObject]:
    invoices = [
        _serialize(request.tenant, invoice, request.today) for invoice in request.tenant.compute_cached(make_invoices)
    ]
    return {item["id"]: item for item in (*invoices, *requested_invoices(request.tenant).values())}


def _serialize(tenant: Tenant, invoice: Invoice, today: int) -> JsonObject:
    identifier = invoice_number(tenant, invoice.platform, invoice.month)
    currency, status = tenant.customer.currency, invoice.status(today)
    lines = [_serialize_line(line, currency) for line in invoice.lines]
    # The lines are rounded, and the total is their sum, so that the invoice adds up.
    total = round(fsum(line["price"] for line in lines), 2)
    return {
        "id": identifier,
        "invoiceDate": milliseconds_of(invoice.issue_day),
        "dueDate": milliseconds_of(invoice.due_day),
        "platform": invoice.platform,
        "status": status,
        "totalAmount": total,
        "balanceAmount": 0.0 if status == "PAID" else total,
        "currency": currency,
        "url": analytics_core.console_url(tenant.customer, "invoices", identifier),
        LINE_ITEMS: lines,
    }


def _serialize_line(line: InvoiceLine, currency: str) -> JsonObject:
    return {
        "type": "credit" if line.credit else "usage",
        "description": line.description,
        "details": line.project,
        "qty": 1.0,
        "price": to_payable_amount(line.cost, currency),
        "currency": currency,
    }


ROUTES = (
    Route("GET", "/billing/v1/invoices", list_invoices, "invoices.read"),
    Route("GET", "/billing/v1/invoices/{id}", get_invoice, "invoices.read"),
)
