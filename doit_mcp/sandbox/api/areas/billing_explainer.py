"""Billing explainers: /billing/v1/billing-explainers and those of an invoice. AWS only; errors are problem details."""

from __future__ import annotations

import re
from datetime import date

from aiohttp import web

from ..costs.calendar_days import format_rfc3339, seconds_of
from ..costs.estate_types import AWS
from ..costs.explainers import explain_charges, format_money, sum_charges
from ..costs.invoices import Invoice, make_invoices
from ..responses import ApiError, bad_request, json_response
from ..routes import Route
from ..seeds import customer_account
from ..tenants import ApiRequest

MONTH_PATTERN = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")
PROFILE_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,128}")
NUMBER_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,64}")


async def explain_month(request: ApiRequest) -> web.Response:
    """GET /billing/v1/billing-explainers/{invoiceMonth}: each payer, with DoiT's credits shown separately."""
    month = request.path_parameter("invoiceMonth")
    match = MONTH_PATTERN.fullmatch(month)
    if match is None or match[1] == "0000":
        raise bad_request("invoiceMonth must be of the form YYYY-MM", field="invoiceMonth")
    first_day = date(int(match[1]), int(match[2]), 1).toordinal()
    invoice = next((item for item in _list_invoices(request) if item.month == first_day), None)
    if invoice is None:
        raise ApiError(404, f"no invoice of {month}")
    month_charges = sum_charges(request.tenant.ledger, first_day)
    payers = {
        payer: {
            **explain_charges(item for item in month_charges if item.payer == payer and not item.credit),
            "payerId": payer,
            "friendlyName": f"{request.tenant.customer.name} ({payer})",
        }
        for payer in sorted({item.payer for item in month_charges})
    }
    return json_response(
        {
            "customerId": request.tenant.customer.id,
            "invoiceMonth": month,
            "updateTime": format_rfc3339(seconds_of(invoice.issue_day)),
            "payers": payers,
            "doitCredits": format_money(sum(item.cost for item in month_charges if item.credit)),
            "invoiceAdjustments": format_money(0),
        }
    )


async def explain_invoice(request: ApiRequest) -> web.Response:
    """GET /billing/v1/billing-profiles/{billingProfileId}/billing-explainers/{invoiceNumber}."""
    profile, number = request.path_parameter("billingProfileId"), request.path_parameter("invoiceNumber")
    for name, value, pattern in (
        ("billingProfileId", profile, PROFILE_PATTERN),
        ("invoiceNumber", number, NUMBER_PATTERN),
    ):
        if not pattern.fullmatch(value):
            raise bad_request(f"{name} must match {pattern.pattern}", field=name)
    invoices = {
        customer_account.invoice_number(request.tenant, item.platform, item.month): item
        for item in _list_invoices(request)
    }
    invoice = invoices.get(number)
    if invoice is None or profile != customer_account.billing_profile(request.tenant):
        raise ApiError(404, "the billing profile has no such AWS invoice")
    return json_response(
        {
            **explain_charges(sum_charges(request.tenant.ledger, invoice.month)),
            "customerId": request.tenant.customer.id,
            "billingProfileId": profile,
            "invoiceNumber": number,
            "invoiceMonth": date.fromordinal(invoice.month).strftime("%Y-%m"),
        }
    )


def _list_invoices(request: ApiRequest) -> list[Invoice]:
    return [item for item in request.tenant.compute_cached(make_invoices) if item.platform == AWS]


ROUTES = (
    Route("GET", "/billing/v1/billing-explainers/{invoiceMonth}", explain_month, "invoices.read"),
    Route(
        "GET",
        "/billing/v1/billing-profiles/{billingProfileId}/billing-explainers/{invoiceNumber}",
        explain_invoice,
        "invoices.read",
    ),
)
