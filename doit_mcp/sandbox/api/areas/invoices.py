"""Invoices: /billing/v1/invoices. Errors of this area are problem details."""

from __future__ import annotations

from aiohttp import web

from .. import listing
from ..costs.calendar_days import millis_of
from ..costs.invoices import Invoice, Line, issued
from ..costs.money import amount
from ..responses import JsonObject, answer
from ..routes import Route
from ..seeds import analytics_core
from ..seeds.customer_account import invoice_number
from ..tenants import Ask, Tenant, existing

LINES = "lineItems"


async def list_invoices(ask: Ask) -> web.Response:
    """GET /billing/v1/invoices, latest first."""
    criteria = listing.filters(ask.query.get("filter", ""), ("id", "platform", "status", "currency"))
    found = sorted(_current(ask).values(), key=lambda item: (-item["invoiceDate"], item["platform"]))
    found = listing.created_between(ask.query, found, "invoiceDate")
    found = listing.matching(found, criteria, lambda item, key: str(item[key]))
    rows = [{name: value for name, value in item.items() if name != LINES} for item in found]
    page = listing.page(rows, ask.query.get("pageToken", ""), ask.page_size(), scope=ask.scope)
    return answer(ask.listed("invoices", page))


async def get_invoice(ask: Ask) -> web.Response:
    """GET /billing/v1/invoices/{id}."""
    return answer(existing(_current(ask), ask.part("id"), "invoice"))


def _current(ask: Ask) -> dict[str, JsonObject]:
    found = [_item(ask.tenant, invoice, ask.today) for invoice in ask.tenant.reckoned(issued)]
    return {item["id"]: item for item in found}


def _item(tenant: Tenant, invoice: Invoice, today: int) -> JsonObject:
    identifier = invoice_number(tenant, invoice.platform, invoice.month)
    total, status = amount(invoice.total), invoice.status(today)
    return {
        "id": identifier,
        "invoiceDate": millis_of(invoice.issued),
        "dueDate": millis_of(invoice.due),
        "platform": invoice.platform,
        "status": status,
        "totalAmount": total,
        "balanceAmount": 0.0 if status == "PAID" else total,
        "currency": "USD",
        "url": analytics_core.console_url(tenant.customer, "invoices", identifier),
        LINES: [_line(line) for line in invoice.lines],
    }


def _line(line: Line) -> JsonObject:
    return {
        "type": "credit" if line.credit else "usage",
        "description": line.description,
        "details": line.project,
        "qty": 1.0,
        "price": amount(line.cost),
        "currency": "USD",
    }


ROUTES = (
    Route("GET", "/billing/v1/invoices", list_invoices, "invoices.read"),
    Route("GET", "/billing/v1/invoices/{id}", get_invoice, "invoices.read"),
)
