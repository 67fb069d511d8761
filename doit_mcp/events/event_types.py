"""The types of events: each declared once, with its filters and its payload."""

from __future__ import annotations

from collections.abc import Mapping

from ..protocol.jsonrpc import JsonObject
from .errors import EventError
from .event_type import EventType, Filter, at_least, equals, number, text

SEVERITIES = ("information", "warning", "critical")
CLOUDS = ("amazon-web-services", "google-cloud", "microsoft-azure")
SEVERITY = Filter(
    "severity",
    text("Only of this severity or a higher one.", enum=list(SEVERITIES)),
    lambda wanted, value: value in SEVERITIES and SEVERITIES.index(value) >= SEVERITIES.index(wanted),
)
CLOUD = equals("cloud", "Only of this cloud.", CLOUDS)
ATTRIBUTION = equals("attribution", "Only of the allocation with this id.")
BUDGET = equals("budgetId", "Only of the budget with this id.")
ID = text("Identifier of the object, for the tools of this server.")
URL = text("The object in the DoiT console.")
CURRENCY = text("ISO 4217 code of all amounts.")
TIME = "RFC 3339, UTC."
ANOMALY: dict[str, JsonObject] = {
    "id": ID,
    "cloud": text("Cloud provider."),
    "service": text("Name of the service."),
    "scope": text("Project or account."),
    "severity": text("information, warning or critical."),
    "amount": number("Cost above the expected range, from startTime until now or endTime."),
    "currency": CURRENCY,
    "attribution": text("Id of the allocation."),
    "startTime": text(TIME),
    "url": URL,
}
ANOMALY_FILTERS = {
    "severity": SEVERITY,
    "minimumAmount": at_least("amount", "Only if the cost above the expected range is at least this, in US dollars."),
    "cloud": CLOUD,
    "attribution": ATTRIBUTION,
}
BUDGET_STATE: dict[str, JsonObject] = {
    "id": ID,
    "budgetId": text("The same as id."),
    "name": text("Name of the budget."),
    "amount": number("The budget of the period."),
    "spent": number("Spent in the period so far."),
    "currency": CURRENCY,
    "interval": text("Length of the period, such as month."),
    "periodStart": text("First day of the period: YYYY-MM-DD."),
    "url": URL,
}

DECLARED = (
    EventType("anomaly.detected", "anomalies", "DoiT detected unusual spending.", ANOMALY, ANOMALY_FILTERS),
    EventType(
        "anomaly.resolved",
        "anomalies",
        "An anomaly ended: spending is in its usual range again.",
        {**ANOMALY, "endTime": text(TIME)},
        ANOMALY_FILTERS,
    ),
    EventType(
        "budget.threshold_reached",
        "budgets",
        "Spending reached an alert threshold of a budget. Once per threshold and period.",
        {
            **BUDGET_STATE,
            "threshold": number("The threshold, in percent of the budget."),
            "thresholdAmount": number("The threshold as an amount."),
        },
        {"budget": BUDGET, "threshold": at_least("threshold", "Only thresholds of at least this percentage.")},
        ("id", "periodStart", "threshold"),
    ),
    EventType(
        "budget.forecast_exceeded",
        "budgets",
        "A budget is forecast to be exceeded. Once per period.",
        BUDGET_STATE,
        {"budget": BUDGET},
        ("id", "periodStart"),
    ),
    EventType(
        "alert.fired",
        "alerts",
        "A cost alert notified its recipients.",
        {"id": ID, "name": text("Name of the alert."), "firedAt": text(TIME), "url": URL},
        {"alert": equals("id", "Only of the alert with this id.")},
        ("id", "firedAt"),
    ),
    EventType(
        "invoice.issued",
        "invoices",
        "DoiT issued an invoice.",
        {
            "id": text("Invoice number."),
            "cloud": text("Cloud provider or product."),
            "amount": number("Total of the invoice."),
            "currency": CURRENCY,
            "status": text("OPEN, PAST DUE or PAID."),
            "invoiceDate": text("YYYY-MM-DD"),
            "dueDate": text("YYYY-MM-DD"),
            "url": URL,
        },
        {
            "cloud": CLOUD,
            "minimumAmount": at_least("amount", "Only if the total is at least this, in the currency of the invoice."),
        },
    ),
    EventType(
        "ticket.updated",
        "tickets",
        "A support ticket was opened or changed.",
        {
            "id": ID,
            "subject": text("Subject, written by a user."),
            "status": text("Such as open, pending or solved."),
            "severity": text("Such as high or urgent."),
            "updateTime": text(TIME),
            "url": URL,
        },
        {
            "ticket": equals("id", "Only the ticket with this id."),
            "status": equals("status", "Only if the ticket has this status now."),
        },
        ("id", "updateTime"),
    ),
    EventType(
        "incident.opened",
        "incidents",
        "A cloud provider has an incident.",
        {
            "id": ID,
            "cloud": text("Cloud provider."),
            "product": text("Affected product."),
            "title": text("Title of the incident."),
            "createTime": text(TIME),
            "url": URL,
        },
        {"cloud": CLOUD},
    ),
    EventType(
        "insight.new",
        "insights",
        "There is a new recommendation that saves money or reduces risk.",
        {
            "id": text("source/key, for get_insight."),
            "title": text("Title of the recommendation."),
            "category": text("First category, such as FinOps or Security."),
            "cloud": text("Cloud provider, as the recommendation names it."),
            "dailySavings": number("Potential savings per day."),
            "currency": CURRENCY,
            "url": URL,
        },
        {
            "minimumSaving": at_least(
                "dailySavings", "Only if the potential savings are at least this, in US dollars per day."
            ),
            "category": equals("category", "Only of this category."),
        },
    ),
    EventType(
        "commitment.expiring",
        "commitments",
        "A commitment to a cloud provider ends within 30 days. Once per commitment.",
        {
            "id": ID,
            "name": text("Name of the commitment."),
            "cloud": text("Cloud provider."),
            "endDate": text(TIME),
            "amount": number("Committed from the start to the end of the commitment."),
            "attained": number("Attained so far."),
            "currency": CURRENCY,
            "url": URL,
        },
        {"cloud": CLOUD},
        ("id", "endDate"),
    ),
    EventType(
        "cloudflow.run_failed",
        "flows",
        "The last run of a CloudFlow automation failed.",
        {
            "id": ID,
            "name": text("Name of the automation."),
            "status": text("failed or completed-with-errors."),
            "runTime": text(TIME),
            "url": URL,
        },
        {"flow": equals("id", "Only of the automation with this id.")},
        ("id", "runTime"),
    ),
)
EVENT_TYPES: Mapping[str, EventType] = {declared.name: declared for declared in DECLARED}


def find_event_type(name: object) -> EventType:
    """Return the type *name*. Raise EventError that lists the types."""
    if not isinstance(name, str) or (declared := EVENT_TYPES.get(name)) is None:
        raise EventError("not_found", f"Unknown event. Available: {', '.join(EVENT_TYPES)}", {"kind": "event"})
    return declared
