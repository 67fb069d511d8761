"""The types of events: each declared once, with its filters and its payload."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..protocol.jsonrpc import JsonObject
from ..protocol.schema_validator import SchemaValidator
from .errors import EventError, invalid

DELIVERY_MODES = ("webhook",)
SEVERITIES = ("information", "warning", "critical")
CLOUDS = ("amazon-web-services", "google-cloud", "microsoft-azure")
MAX_FILTER_CHARACTERS = 200
MAX_FILTER_NUMBER = 10**12

Accepts = Callable[[Any, Any], bool]


@dataclass(frozen=True, slots=True)
class Filter:
    """One argument of a subscription: its *schema*, and whether it *accepts* the value of *member* in the payload."""

    member: str
    schema: JsonObject
    accepts: Accepts


def _text(description: str, **keywords: Any) -> JsonObject:
    return {"type": "string", "description": description, **keywords}


def _number(description: str, **keywords: Any) -> JsonObject:
    return {"type": "number", "description": description, **keywords}


def _equals(member: str, description: str, choices: tuple[str, ...] = ()) -> Filter:
    keywords: JsonObject = {"enum": list(choices)} if choices else {"minLength": 1, "maxLength": MAX_FILTER_CHARACTERS}
    return Filter(member, _text(description, **keywords), lambda wanted, value: str(value) == wanted)


def _at_least(member: str, description: str) -> Filter:
    def accepts(wanted: float, value: Any) -> bool:
        return isinstance(value, int | float) and value >= wanted

    return Filter(member, _number(description, minimum=0, maximum=MAX_FILTER_NUMBER), accepts)


SEVERITY = Filter(
    "severity",
    _text("Only of this severity or a higher one.", enum=list(SEVERITIES)),
    lambda wanted, value: value in SEVERITIES and SEVERITIES.index(value) >= SEVERITIES.index(wanted),
)
CLOUD = _equals("cloud", "Only of this cloud.", CLOUDS)
ATTRIBUTION = _equals("attribution", "Only of the allocation with this id.")
BUDGET = _equals("budgetId", "Only of the budget with this id.")


@dataclass(frozen=True)
class EventType:
    """A type of event: its *source* of rows, and the schemas of its filters and its payload."""

    name: str
    source: str
    description: str
    payload: Mapping[str, JsonObject]
    filters: Mapping[str, Filter] = field(default_factory=dict)

    @property
    def input_schema(self) -> JsonObject:
        """The JSON Schema of a subscription's arguments, all of which are optional."""
        properties = {name: declared.schema for name, declared in self.filters.items()}
        return {"type": "object", "properties": properties, "additionalProperties": False}

    @property
    def payload_schema(self) -> JsonObject:
        """The JSON Schema of ``data``. Members without a value are left out."""
        return {"type": "object", "properties": dict(self.payload), "required": ["id"], "additionalProperties": False}

    @property
    def list_entry(self) -> JsonObject:
        """The entry in the result of ``events/list``."""
        return {
            "name": self.name,
            "description": self.description,
            "delivery": list(DELIVERY_MODES),
            "inputSchema": self.input_schema,
            "payloadSchema": self.payload_schema,
        }

    @cached_property
    def _argument_validator(self) -> SchemaValidator:
        return SchemaValidator(self.input_schema)

    @cached_property
    def payload_validator(self) -> SchemaValidator:
        """Validates ``data`` from outside this server."""
        return SchemaValidator(self.payload_schema)

    def check_arguments(self, arguments: object) -> JsonObject:
        """Return the arguments of a subscription in canonical form. Raise EventError."""
        if not isinstance(arguments, dict):
            raise invalid("params.arguments must be an object")
        if problems := self._argument_validator.problems(arguments):
            raise invalid("params.arguments." + "; ".join(problems))
        # 50 and 50.0 are the same number.
        return {
            name: int(value) if isinstance(value, float) and value.is_integer() else value
            for name, value in sorted(arguments.items())
        }

    def matches(self, arguments: JsonObject, data: JsonObject) -> bool:
        """Return whether *data* passes the filters of a subscription."""
        return all(
            self.filters[name].accepts(wanted, data.get(self.filters[name].member))
            for name, wanted in arguments.items()
        )


ID = _text("Identifier of the object, for the tools of this server.")
URL = _text("The object in the DoiT console.")
CURRENCY = _text("ISO 4217 code of all amounts.")
TIME = "RFC 3339, UTC."
ANOMALY: dict[str, JsonObject] = {
    "id": ID,
    "cloud": _text("Cloud provider."),
    "service": _text("Name of the service."),
    "scope": _text("Project or account."),
    "severity": _text("information, warning or critical."),
    "amount": _number("Cost above the expected range, from startTime until now or endTime."),
    "currency": CURRENCY,
    "attribution": _text("Id of the allocation."),
    "startTime": _text(TIME),
    "url": URL,
}
ANOMALY_FILTERS = {
    "severity": SEVERITY,
    "minimumAmount": _at_least("amount", "Only if the cost above the expected range is at least this, in US dollars."),
    "cloud": CLOUD,
    "attribution": ATTRIBUTION,
}
BUDGET_STATE: dict[str, JsonObject] = {
    "id": ID,
    "budgetId": _text("The same as id."),
    "name": _text("Name of the budget."),
    "amount": _number("The budget of the period."),
    "spent": _number("Spent in the period so far."),
    "currency": CURRENCY,
    "interval": _text("Length of the period, such as month."),
    "periodStart": _text("First day of the period: YYYY-MM-DD."),
    "url": URL,
}

DECLARED = (
    EventType("anomaly.detected", "anomalies", "DoiT detected unusual spending.", ANOMALY, ANOMALY_FILTERS),
    EventType(
        "anomaly.resolved",
        "anomalies",
        "An anomaly ended: spending is in its usual range again.",
        {**ANOMALY, "endTime": _text(TIME)},
        ANOMALY_FILTERS,
    ),
    EventType(
        "budget.threshold_reached",
        "budgets",
        "Spending reached an alert threshold of a budget. Once per threshold and period.",
        {
            **BUDGET_STATE,
            "threshold": _number("The threshold, in percent of the budget."),
            "thresholdAmount": _number("The threshold as an amount."),
        },
        {"budget": BUDGET, "threshold": _at_least("threshold", "Only thresholds of at least this percentage.")},
    ),
    EventType(
        "budget.forecast_exceeded",
        "budgets",
        "A budget is forecast to be exceeded. Once per period.",
        BUDGET_STATE,
        {"budget": BUDGET},
    ),
    EventType(
        "alert.fired",
        "alerts",
        "A cost alert notified its recipients.",
        {"id": ID, "name": _text("Name of the alert."), "firedAt": _text(TIME)},
        {"alert": _equals("id", "Only of the alert with this id.")},
    ),
    EventType(
        "invoice.issued",
        "invoices",
        "DoiT issued an invoice.",
        {
            "id": _text("Invoice number."),
            "cloud": _text("Cloud provider or product."),
            "amount": _number("Total of the invoice."),
            "currency": CURRENCY,
            "status": _text("OPEN, PAST DUE or PAID."),
            "invoiceDate": _text("YYYY-MM-DD"),
            "dueDate": _text("YYYY-MM-DD"),
            "url": URL,
        },
        {
            "cloud": CLOUD,
            "minimumAmount": _at_least("amount", "Only if the total is at least this, in the currency of the invoice."),
        },
    ),
    EventType(
        "ticket.updated",
        "tickets",
        "A support ticket was opened or changed.",
        {
            "id": ID,
            "subject": _text("Subject, written by a user."),
            "status": _text("Such as open, pending or solved."),
            "severity": _text("Such as high or urgent."),
            "updateTime": _text(TIME),
            "url": URL,
        },
        {
            "ticket": _equals("id", "Only the ticket with this id."),
            "status": _equals("status", "Only if the ticket has this status now."),
        },
    ),
    EventType(
        "incident.opened",
        "incidents",
        "A cloud provider has an incident.",
        {
            "id": ID,
            "cloud": _text("Cloud provider."),
            "product": _text("Affected product."),
            "title": _text("Title of the incident."),
            "createTime": _text(TIME),
            "url": URL,
        },
        {"cloud": CLOUD},
    ),
    EventType(
        "insight.new",
        "insights",
        "There is a new recommendation that saves money or reduces risk.",
        {
            "id": _text("source/key, for get_insight."),
            "title": _text("Title of the recommendation."),
            "category": _text("First category, such as FinOps or Security."),
            "cloud": _text("Cloud provider, as the recommendation names it."),
            "dailySavings": _number("Potential savings per day."),
            "currency": CURRENCY,
            "url": URL,
        },
        {
            "minimumSaving": _at_least(
                "dailySavings", "Only if the potential savings are at least this, in US dollars per day."
            ),
            "category": _equals("category", "Only of this category."),
        },
    ),
    EventType(
        "commitment.expiring",
        "commitments",
        "A commitment to a cloud provider ends within 30 days. Once per commitment.",
        {
            "id": ID,
            "name": _text("Name of the commitment."),
            "cloud": _text("Cloud provider."),
            "endDate": _text(TIME),
            "amount": _number("Committed from the start to the end of the commitment."),
            "attained": _number("Attained so far."),
            "currency": CURRENCY,
        },
        {"cloud": CLOUD},
    ),
    EventType(
        "cloudflow.run_failed",
        "flows",
        "The last run of a CloudFlow automation failed.",
        {
            "id": ID,
            "name": _text("Name of the automation."),
            "status": _text("failed or completed-with-errors."),
            "runTime": _text(TIME),
        },
        {"flow": _equals("id", "Only of the automation with this id.")},
    ),
)
EVENT_TYPES: Mapping[str, EventType] = {declared.name: declared for declared in DECLARED}


def find_event_type(name: object) -> EventType:
    """Return the type *name*. Raise EventError that lists the types."""
    if not isinstance(name, str) or (declared := EVENT_TYPES.get(name)) is None:
        raise EventError("not_found", f"Unknown event. Available: {', '.join(EVENT_TYPES)}", {"kind": "event"})
    return declared
