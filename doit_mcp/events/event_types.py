"""The types of events: each declared once, with its filters and its payload."""

from __future__ import annotations

from collections.abc import Mapping

from ..protocol.jsonrpc import JsonObject
from .errors import EventError
from .event_type import EventType, Filter, equals_filter, minimum_filter, number_schema, text_schema

SEVERITIES = ("information", "warning", "critical")
CLOUDS = ("amazon-web-services", "google-cloud", "microsoft-azure")
SEVERITY = Filter(
    "severity",
    text_schema("Only of this severity or a higher one.", enum=list(SEVERITIES)),
    lambda wanted, value: value in SEVERITIES and SEVERITIES.index(value) >= SEVERITIES.index(wanted),
)
CLOUD = equals_filter("cloud", "Only of this cloud.", CLOUDS)
ATTRIBUTION = equals_filter("attribution", "Only of the allocation with this id.")
BUDGET = equals_filter("budgetId", "Only of the budget with this id.")
ID = text_schema("Identifier of the object, for the tools of this server.")
URL = text_schema("The object in the DoiT console.")
CURRENCY = text_schema("ISO 4217 code of all amounts.")
TIME = "RFC 3339, UTC."
ANOMALY: dict[str, JsonObject] = {
    "id": ID,
    "cloud": text_schema("Cloud provider."),
    "service": text_schema("Name of the service."),
    "scope": text_schema("Project or account."),
    "severity": text_schema("information, warning or critical."),
    "amount": number_schema("Cost above the expected range, from startTime until now or endTime."),
    "currency": CURRENCY,
    "attribution": text_schema("Id of the allocation."),
    "startTime": text_schema(TIME),
    "url": URL,
}
ANOMALY_FILTERS = {
    "severity": SEVERITY,
    "minimumAmount": minimum_filter(
        "amount", "Only if the cost above the expected range is at least this, in US dollars."
    ),
    "cloud": CLOUD,
    "attribution": ATTRIBUTION,
}
BUDGET_STATE: dict[str, JsonObject] = {
    "id": ID,
    "budgetId": text_schema("The same as id."),
    "name": text_schema("Name of the budget."),
    "amount": number_schema("The budget of the period."),
    "spent": number_schema("Spent in the period so far."),
    "currency": CURRENCY,
    "interval": text_schema("Length of the period, such as month."),
    "periodStart": text_schema("First day of the period: YYYY-MM-DD."),
    "url": URL,
}

DECLARED = (
    EventType("anomaly.detected", "anomalies", "DoiT detected unusual spending.", ANOMALY, ANOMALY_FILTERS),
    EventType(
        "anomaly.resolved",
        "anomalies",
        "An anomaly ended: spending is in its usual range again.",
        {**ANOMALY, "endTime": text_schema(TIME)},
        ANOMALY_FILTERS,
    ),
    EventType(
        "budget.threshold_reached",
        "budgets",
        "Spending reached an alert threshold of a budget. Once per threshold and period.",
        {
            **BUDGET_STATE,
            "threshold": number_schema("The threshold, in percent of the budget."),
            "thresholdAmount": number_schema("The threshold as an amount."),
        },
        {"budget": BUDGET, "threshold": minimum_filter("threshold", "Only thresholds of at least this percentage.")},
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
        {"id": ID, "name": text_schema("Name of the alert."), "firedAt": text_schema(TIME), "url": URL},
        {"alert": equals_filter("id", "Only of the alert with this id.")},
        ("id", "firedAt"),
    ),
    EventType(
        "invoice.issued",
        "invoices",
        "DoiT issued an invoice.",
        {
            "id": text_schema("Invoice number."),
            "cloud": text_schema("Cloud provider or product."),
            "amount": number_schema("Total of the invoice."),
            "currency": CURRENCY,
            "status": text_schema("OPEN, PAST DUE or PAID."),
            "invoiceDate": text_schema("YYYY-MM-DD"),
            "dueDate": text_schema("YYYY-MM-DD"),
            "url": URL,
        },
        {
            "cloud": CLOUD,
            "minimumAmount": minimum_filter(
                "amount", "Only if the total is at least this, in the currency of the invoice."
            ),
        },
    ),
    EventType(
        "ticket.updated",
        "tickets",
        "A support ticket was opened or changed.",
        {
            "id": ID,
            "subject": text_schema("Subject, written by a user."),
            "status": text_schema("Such as open, pending or solved."),
            "severity": text_schema("Such as high or urgent."),
            "updateTime": text_schema(TIME),
            "url": URL,
        },
        {
            "ticket": equals_filter("id", "Only the ticket with this id."),
            "status": equals_filter("status", "Only if the ticket has this status now."),
        },
        ("id", "updateTime"),
    ),
    EventType(
        "incident.opened",
        "incidents",
        "A cloud provider has an incident.",
        {
            "id": ID,
            "cloud": text_schema("Cloud provider."),
            "product": text_schema("Affected product."),
            "title": text_schema("Title of the incident."),
            "createTime": text_schema(TIME),
            "url": URL,
        },
        {"cloud": CLOUD},
    ),
    EventType(
        "insight.new",
        "insights",
        "There is a new recommendation that saves money or reduces risk.",
        {
            "id": text_schema("source/key, for get_insight."),
            "title": text_schema("Title of the recommendation."),
            "category": text_schema("First category, such as FinOps or Security."),
            "cloud": text_schema("Cloud provider, as the recommendation names it."),
            "dailySavings": number_schema("Potential savings per day."),
            "currency": CURRENCY,
            "url": URL,
        },
        {
            "minimumSaving": minimum_filter(
                "dailySavings", "Only if the potential savings are at least this, in US dollars per day."
            ),
            "category": equals_filter("category", "Only of this category."),
        },
    ),
    EventType(
        "commitment.expiring",
        "commitments",
        "A commitment to a cloud provider ends within 30 days. Once per commitment.",
        {
            "id": ID,
            "name": text_schema("Name of the commitment."),
            "cloud": text_schema("Cloud provider."),
            "endDate": text_schema(TIME),
            "amount": number_schema("Committed from the start to the end of the commitment."),
            "attained": number_schema("Attained so far."),
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
            "name": text_schema("Name of the automation."),
            "status": text_schema("failed or completed-with-errors."),
            "runTime": text_schema(TIME),
            "url": URL,
        },
        {"flow": equals_filter("id", "Only of the automation with this id.")},
        ("id", "runTime"),
    ),
)
EVENT_TYPES: Mapping[str, EventType] = {declared.name: declared for declared in DECLARED}


def find_event_type(name: object) -> EventType:
    """Return the type *name*. Raise EventError that lists the types."""
    if not isinstance(name, str) or (declared := EVENT_TYPES.get(name)) is None:
        raise EventError("not_found", f"Unknown event. Available: {', '.join(EVENT_TYPES)}", {"kind": "event"})
    return declared
