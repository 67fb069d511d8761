"""Makes something happen at a customer now: an anomaly, a budget threshold, an invoice or a change of a ticket."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .analytics_objects import custom_dimensions, list_records
from .costs.budgets import budget_status
from .costs.calendar_days import day_of_seconds, milliseconds_of
from .responses import ApiError, JsonObject
from .seeds import analytics_core
from .tenants import Records, Tenant, add_record

DUE_DAYS = 30


def requested_anomalies(tenant: Tenant) -> Records:
    """The anomalies that were made, besides those in the billing lines."""
    return tenant.collection("made anomalies", lambda tenant: ())


def requested_invoices(tenant: Tenant) -> Records:
    """The invoices that were issued on request, besides those for months."""
    return tenant.collection("made invoices", lambda tenant: ())


def _make_anomaly(tenant: Tenant, now: float) -> str:
    today = day_of_seconds(now)
    anomaly: JsonObject = {
        "id": tenant.new_id(),
        "attribution": "",
        "allocations": [],
        "billingAccount": "900100200300",
        "platform": "amazon-web-services",
        "providerDisplayName": "Amazon Web Services",
        "scope": "production",
        "entityLabel": "Account",
        "entityName": "production",
        "monitorLevel": "service",
        "serviceName": "EC2",
        "severityLevel": "critical",
        "costOfAnomaly": 940.5,
        "actualCost": 1240.5,
        "expectedMaxCost": 300.0,
        "startTime": milliseconds_of(today),
        "endTime": None,
        "status": "active",
        "deactivationReason": None,
        "timeFrame": "Daily",
        "top3SKUs": [{"name": "On Demand Linux instances", "cost": 1240.5}],
        "resourceData": [],
        "notifications": [],
        "initialNotifications": [],
    }
    add_record(requested_anomalies(tenant), anomaly)
    return str(anomaly["id"])


def _reach_threshold(tenant: Tenant, now: float) -> str:
    """Lower a budget so that its spending of the period has just reached the next threshold."""
    for budget in list_records(tenant, "budget").values():
        status = budget_status(budget, tenant.ledger, custom_dimensions(tenant))
        used = 100 * status.spent / status.limit if status.limit else 0.0
        ahead = [alert["percentage"] for alert in budget["alerts"] if alert["percentage"] > used]
        if status.spent > 0 and ahead:
            budget |= {"amount": round(100 * status.spent / min(ahead) - 0.01, 2), "usePrevSpend": False}
            budget["updateTime"] = int(now * 1000)
            return str(budget["id"])
    raise ApiError(409, "all budgets of this customer are beyond their last threshold")


def _issue_invoice(tenant: Tenant, now: float) -> str:
    today, number = day_of_seconds(now), f"IN9{len(requested_invoices(tenant)):08d}"
    invoice: JsonObject = {
        "id": number,
        "invoiceDate": milliseconds_of(today),
        "dueDate": milliseconds_of(today + DUE_DAYS),
        "platform": "amazon-web-services",
        "status": "OPEN",
        "totalAmount": 1234.5,
        "balanceAmount": 1234.5,
        "currency": tenant.customer.currency,
        "url": analytics_core.console_url(tenant.customer, "invoices", number),
        "lineItems": [],
    }
    add_record(requested_invoices(tenant), invoice)
    return number


def _update_ticket(tenant: Tenant, now: float) -> str:
    tickets = tenant.collection("tickets", analytics_core.seed_tickets)
    ticket = next(iter(tickets.values()))
    ticket |= {"status": "pending" if ticket["status"] == "open" else "open", "updateTime": int(now * 1000)}
    return str(ticket["id"])


KINDS: Mapping[str, Callable[[Tenant, float], str]] = {
    "anomaly": _make_anomaly,
    "threshold": _reach_threshold,
    "invoice": _issue_invoice,
    "ticket": _update_ticket,
}
"""By kind: makes it happen at a customer, at a time in epoch seconds, and returns the id of the object."""
