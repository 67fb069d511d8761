"""Billing explainers: /billing/v1/billing-explainers and those of one invoice. AWS only; errors are problem details."""

from __future__ import annotations

import re
from datetime import date

from aiohttp import web

from ..costs.calendar_days import rfc3339, seconds_of
from ..costs.catalog import AWS
from ..costs.explainers import charges, explained, money
from ..costs.invoices import Invoice, issued
from ..responses import Refusal, answer, bad
from ..routes import Route
from ..seeds import customer_account
from ..tenants import Ask

MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")
PROFILE = re.compile(r"[A-Za-z0-9_-]{1,128}")
NUMBER = re.compile(r"[A-Za-z0-9_-]{1,64}")


async def explain_month(ask: Ask) -> web.Response:
    """GET /billing/v1/billing-explainers/{invoiceMonth}: each payer without DoiT's credits, which are told apart."""
    asked = ask.part("invoiceMonth")
    found = MONTH.fullmatch(asked)
    if found is None or found[1] == "0000":
        raise bad("invoiceMonth must be of the form YYYY-MM", field="invoiceMonth")
    first = date(int(found[1]), int(found[2]), 1).toordinal()
    invoice = next((one for one in _invoices(ask) if one.month == first), None)
    if invoice is None:
        raise Refusal(404, f"no invoice of {asked}")
    every = charges(ask.tenant.ledger, first)
    payers = {
        payer: {
            **explained(one for one in every if one.payer == payer and not one.credit),
            "payerId": payer,
            "friendlyName": f"{ask.tenant.customer.name} ({payer})",
        }
        for payer in sorted({one.payer for one in every})
    }
    return answer(
        {
            "customerId": ask.tenant.customer.id,
            "invoiceMonth": asked,
            "updateTime": rfc3339(seconds_of(invoice.issued)),
            "payers": payers,
            "doitCredits": money(sum(one.cost for one in every if one.credit)),
            "invoiceAdjustments": money(0),
        }
    )


async def explain_invoice(ask: Ask) -> web.Response:
    """GET /billing/v1/billing-profiles/{billingProfileId}/billing-explainers/{invoiceNumber}."""
    profile, number = ask.part("billingProfileId"), ask.part("invoiceNumber")
    for name, value, form in (("billingProfileId", profile, PROFILE), ("invoiceNumber", number, NUMBER)):
        if not form.fullmatch(value):
            raise bad(f"{name} must match {form.pattern}", field=name)
    issued_to = {customer_account.invoice_number(ask.tenant, one.platform, one.month): one for one in _invoices(ask)}
    invoice = issued_to.get(number)
    if invoice is None or profile != customer_account.billing_profile(ask.tenant):
        raise Refusal(404, "the billing profile has no such AWS invoice")
    return answer(
        {
            **explained(charges(ask.tenant.ledger, invoice.month)),
            "customerId": ask.tenant.customer.id,
            "billingProfileId": profile,
            "invoiceNumber": number,
            "invoiceMonth": date.fromordinal(invoice.month).strftime("%Y-%m"),
        }
    )


def _invoices(ask: Ask) -> list[Invoice]:
    return [one for one in ask.tenant.reckoned(issued) if one.platform == AWS]


ROUTES = (
    Route("GET", "/billing/v1/billing-explainers/{invoiceMonth}", explain_month, "invoices.read"),
    Route(
        "GET",
        "/billing/v1/billing-profiles/{billingProfileId}/billing-explainers/{invoiceNumber}",
        explain_invoice,
        "invoices.read",
    ),
)
